"""Bad input to the stream: each ends in a sentence or a dead letter, and nothing hangs."""

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import one_sentence, run_vcd
from tests.e2e.stream_world import MAX_MESSAGE_BYTES, World, until
from tests.kafka.broker import Broker, free_port
from vcd.core import InputError
from vcd.stream.topics import DEAD_LETTERS, UPLOADS

pytestmark = pytest.mark.slow


def _message(video_id: str, uri: str, **changes: object) -> bytes:
    upload = {"schema_version": 1, "video_id": video_id, "uri": uri, "submitted_at_s": 1.75e9}
    return json.dumps(upload | changes).encode()


def _messages(world: World) -> dict[str, tuple[str, bytes]]:
    """Every bad message by its key: the reason that it must be refused for, and its bytes."""
    inner, cdn, folder = world.inner.port, world.cdn.port, world.uploads.as_uri()
    loud = _message("loud", f"{folder}/copy.mp4", note="x" * MAX_MESSAGE_BYTES)
    messages = {
        "later": ("unknown_version", _message("later", folder, schema_version=2)),
        "torn": ("not_json", b'{"schema_version": 1, "video_id": '),
        "picture": ("not_json", b"\x89PNG\r\n\x1a\n\x00\x00"),
        "": ("no_key", _message("nobody", f"{folder}/copy.mp4")),
        "list": ("wrong_message", b"[]"),
        "other": ("wrong_key", _message("another", f"{folder}/copy.mp4")),
        "loud": ("message_too_large", loud),
        "far": ("not_allowed", _message("far", "https://elsewhere.example.com/a.mp4")),
        "above": ("not_allowed", _message("above", f"{folder}/../bus.db")),
        "own": ("not_allowed", _message("own", "file:///etc/passwd")),
        "hop": ("not_allowed", _message("hop", f"http://127.0.0.2:{cdn}/clips/hop.mp4")),
        "name": ("not_allowed", _message("name", f"http://localhost:{inner}/clips/a.mp4")),
        "number": ("not_allowed", _message("number", f"http://127.0.0.1:{inner}/clips/a.mp4")),
        "disguise": ("bad_uri", _message("disguise", f"http://2130706433:{inner}/clips/a.mp4")),
        "gone": ("not_found", _message("gone", f"{folder}/gone.mp4")),
        "text": ("not_a_video", _message("text", f"{folder}/text.mp4")),
    }
    (world.uploads / "text.mp4").write_text("no video at all")
    return messages


@pytest.fixture(scope="module")
def bad(world: World) -> Mapping[str, Any]:
    """Send every bad message to a running worker, and hold what became of each."""
    wanted = _messages(world)
    world.worker.until_ready()
    sent = world.send(UPLOADS, *((key.encode(), value) for key, (_, value) in wanted.items()))
    assert all(future.exception() is None for future in sent)
    until(lambda: len(world.records(DEAD_LETTERS)) >= len(wanted), "a dead letter of each")
    return {"wanted": wanted, "letters": world.dead_letters()}


def test_every_bad_message_is_a_dead_letter_with_its_reason_and_its_bytes(bad):
    letters = {key: bad["letters"][key] for key in bad["wanted"]}

    assert {key: letter["reason"] for key, letter in letters.items()} == {
        key: reason for key, (reason, _) in bad["wanted"].items()
    }
    assert {key: letter["value"] for key, letter in letters.items()} == {
        key: value.decode(errors="backslashreplace") for key, (_, value) in bad["wanted"].items()
    }
    assert {letter["attempts"] for letter in letters.values()} == {1}


def test_what_is_private_is_never_connected_to(world: World, bad):
    assert world.cdn.num_connections == 1, "the redirect was asked for"
    assert world.inner.num_connections == 0
    assert "127.0.0.1" in bad["letters"]["name"]["error"]
    assert "127.0.0.1" in bad["letters"]["hop"]["error"]


def test_good_uploads_go_on_behind_all_that_is_bad(world: World, bad, films: Path):
    report = world.answer_to("good", films / "copy.mp4")

    assert [match["ref_id"] for match in report["matches"]] == ["film0"]
    assert world.worker.page("/readyz") == (200, "ok\n")
    until(lambda: ": 0 messages to go" in world.vcd("log", "info").stderr, "all is committed")


def test_what_was_repaired_is_redriven_and_reported(world: World, bad, films: Path):
    world.place("gone", films / "copy.mp4")

    result = world.vcd("dead-letters", "redrive", "--reason", "not_found")

    assert (result.returncode, result.stderr) == (0, "1 sent again\n")
    assert [match["ref_id"] for match in world.report("gone")["matches"]] == ["film0"]
    assert "gone" not in world.dead_letters()


def test_ten_megabytes_are_refused_before_they_are_sent(world: World):
    num_before = len(world.records(UPLOADS))

    (sent,) = world.send(UPLOADS, (b"huge", b"x" * 10_000_000))
    refusal = sent.exception()

    assert isinstance(refusal, InputError)
    assert "10000004 bytes" in str(refusal).replace(",", "")
    assert len(world.records(UPLOADS)) == num_before


def test_a_uri_that_no_message_may_hold_is_not_submitted(world: World):
    num_before = len(world.records(UPLOADS))

    result = world.vcd("submit", f"https://cdn.example.com/{'x' * 9000}/a.mp4")

    assert result.returncode == 1
    one_sentence(result.stderr, "wanted a uri of 1 to 8192 characters")
    assert len(world.records(UPLOADS)) == num_before


def test_a_worker_without_topics_ends_with_a_sentence(world: World):
    assert world.before_create.returncode == 1
    one_sentence(
        world.before_create.stderr,
        "wanted the topic vcd.backfill, found vcd.uploads",
        f"vcd log create --log {world.log}",
    )
    assert not world.index("early").exists()


def _worker_on(log: str, folder: Path, **env: str) -> tuple[int, str, float]:
    """Let a worker try to start: its exit code, what it said, and how long it took."""
    began_s = time.monotonic()
    result = run_vcd("worker", "--log", log, "--index", folder / "w.index", env=env)
    assert not (folder / "w.index").exists()
    return result.returncode, result.stderr, time.monotonic() - began_s


def test_a_broker_that_is_not_there_ends_the_worker_in_the_time_for_it(tmp_path: Path):
    log = f"kafka:127.0.0.1:{free_port()}"

    code, said, took_s = _worker_on(
        log,
        tmp_path,
        VCD_KAFKA__CONNECT_TIMEOUT_S="2",
        VCD_STREAM__DESCRIPTOR_STORE=str(tmp_path),
    )

    assert code == 1
    one_sentence(said, log, "no broker answers within 2 s (kafka.connect_timeout_s)")
    assert took_s < 60, "it gave up long before the usual limit of a client"


@pytest.mark.kafka
@pytest.mark.parametrize(
    ("listener", "env", "words"),
    [
        pytest.param(
            "SASL",
            {
                "VCD_KAFKA__SECURITY_PROTOCOL": "SASL_PLAINTEXT",
                "VCD_KAFKA__SASL_MECHANISM": "PLAIN",
                "VCD_KAFKA__SASL_USERNAME": "vcd",
                "VCD_KAFKA__SASL_PASSWORD": "wrong-one",
            },
            ["user vcd by PLAIN"],
            id="a wrong password",
        ),
        pytest.param("SASL", {}, ["kafka.security_protocol"], id="no password"),
        pytest.param(
            "PLAINTEXT",
            {"VCD_KAFKA__SECURITY_PROTOCOL": "SSL"},
            ["no TLS with"],
            id="TLS where there is none",
        ),
    ],
)
def test_wrong_credentials_end_the_worker_with_a_sentence(
    stream_broker: Broker, listener: str, env: dict[str, str], words: list[str], tmp_path: Path
):
    log = stream_broker.address_of(listener)
    patience = {"VCD_KAFKA__CONNECT_TIMEOUT_S": "5"}

    code, said, _ = _worker_on(log, tmp_path, **env, **patience)

    assert code == 1
    one_sentence(said, log, *words)
    assert "wrong-one" not in said


@pytest.fixture
def wide_topic(stream_broker: Broker, world: World) -> Iterator[World]:
    """Let somebody have raised what one topic takes."""
    from kafka import KafkaAdminClient
    from kafka.admin import ConfigResource, ConfigResourceType

    def set_limit(num_bytes: int) -> None:
        admin = KafkaAdminClient(bootstrap_servers=[stream_broker.address.removeprefix("kafka:")])
        limit = {"max.message.bytes": str(num_bytes)}
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, UPLOADS, configs=limit)])
        admin.close()

    set_limit(20_000_000)
    yield world
    set_limit(1_200_000)


@pytest.mark.kafka
@pytest.mark.parametrize("world", ["kafka"], indirect=True)
def test_ten_megabytes_that_got_in_are_a_dead_letter_with_their_beginning(
    wide_topic: World, films: Path
):
    from kafka import KafkaProducer

    servers = [wide_topic.log.removeprefix("kafka:")]
    producer = KafkaProducer(bootstrap_servers=servers, max_request_size=20_000_000)
    producer.send(UPLOADS, key=b"flood", value=b"x" * 10_000_000).get(timeout=60)
    producer.close()
    wide_topic.worker.until_ready()

    until(lambda: "flood" in wide_topic.dead_letters(), "its dead letter")
    report = wide_topic.answer_to("after the flood", films / "copy.mp4")

    letter = wide_topic.dead_letters()["flood"]
    assert letter["reason"] == "message_too_large"
    assert letter["num_bytes_left_out"] + len(letter["value"]) == 10_000_000
    assert len(report["matches"]) == 1
