"""The verbs of the message bus as a stranger would type them, on a bus in one file."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.conftest import Run, one_sentence
from tests.factories import make_report
from vcd.core import InputError
from vcd.stream.address import open_log
from vcd.stream.log import Headers, Log, Record, TopicSpec
from vcd.stream.messages.dead_letters import dead_letter_of
from vcd.stream.messages.envelope import decode_upload
from vcd.stream.messages.readback import ends_of, records_until
from vcd.stream.messages.report_message import encode_report_message
from vcd.stream.settings import KafkaSettings, StreamSettings
from vcd.stream.topics import DEAD_LETTERS, REPORTS, UPLOADS

_Message = tuple[bytes | None, bytes | None, Headers]

_GARBAGE: tuple[_Message, ...] = (
    (b"later", b'{"schema_version": 2, "video_id": "later"}', ()),
    (b"torn", b"{", ()),
    (b"", b'{"schema_version": 1}', ()),
    (b"large", b"x" * 1_000_000, ()),
)


@contextmanager
def _opened(address: str) -> Iterator[Log]:
    log = open_log(address, stream=StreamSettings(), kafka=KafkaSettings())
    try:
        yield log
    finally:
        log.close()


def _read(address: str, topic: str) -> list[Record]:
    with _opened(address) as log:
        return list(records_until(log, topic, ends_of(log, topic)))


def _send(address: str, topic: str, *messages: _Message) -> None:
    with _opened(address) as log:
        writer = log.writer()
        for key, value, headers in messages:
            writer.send(topic, key=key, value=value, headers=headers).result(timeout=60)
        writer.close(10.0)


def _report(query_id: str, **changes: object) -> _Message:
    report = make_report(query_id=query_id, **changes)
    return query_id.encode(), encode_report_message(report, max_bytes=900_000), ()


@pytest.fixture
def bus(vcd: Run, tmp_path: Path) -> str:
    address = f"sqlite:{tmp_path}/bus.db"
    result = vcd("log", "create", "--log", address, "--partitions", "2")
    assert result.returncode == 0, result.stderr
    return address


@pytest.fixture
def uploads(tmp_path: Path) -> Path:
    folder = tmp_path / "my uploads"
    folder.mkdir()
    for name in ("hare.mp4", "rabbit.mp4", "rabbit.webm"):
        (folder / name).write_bytes(b"any bytes: nobody opens them here")
    return folder


def test_topics_are_made_once_and_counted(vcd: Run, bus: str) -> None:
    again = vcd("log", "create", "--log", bus, "--partitions", "2")
    info = vcd("log", "info", "--log", bus, "--json")

    assert (again.returncode, again.stdout) == (0, "")
    assert "0 topics made, 5 unchanged" in again.stderr
    topics = {topic["topic"]: topic["partitions"] for topic in json.loads(info.stdout)["topics"]}
    assert {name: len(partitions) for name, partitions in topics.items()} == {
        "vcd.uploads": 2,
        "vcd.backfill": 2,
        "vcd.references": 1,
        "vcd.reports": 2,
        "vcd.dead-letters": 1,
    }


def test_what_is_submitted_is_on_the_bus_when_the_command_ends(
    vcd: Run, bus: str, uploads: Path
) -> None:
    result = vcd("submit", uploads, "https://cdn.example.com/fox.mp4", "--log", bus, "--json")

    assert result.returncode == 0, result.stderr
    sent = {record.place: record for record in _read(bus, UPLOADS)}
    told = json.loads(result.stdout)
    read = [decode_upload(record, max_bytes=65_536) for record in sent.values()]
    assert {str(place) for place in sent} == {upload["place"] for upload in told["uploads"]}
    assert sorted(upload.video_id for upload in read) == ["fox", "hare", "rabbit", "rabbit.webm"]
    assert "4 submitted to vcd.uploads" in result.stderr
    lag = vcd("log", "info", "--log", bus).stderr
    assert lag == "group vcd: 4 messages to go\n"


def test_the_prefix_that_is_printed_is_a_setting_that_workers_take(
    vcd: Run, bus: str, uploads: Path
) -> None:
    setting = vcd("submit", uploads, "--log", bus).stderr.splitlines()[-1]
    script = "import vcd.config as c; print(c.load_settings(None, {}).fetch.allowed_prefixes)"

    shown = subprocess.run(
        ["/bin/sh", "-c", f"{setting}\n{sys.executable} -c '{script}'"],
        capture_output=True,
        text=True,
        check=True,
    )

    uri = decode_upload(_read(bus, UPLOADS)[0], max_bytes=65_536).uri
    assert uri.startswith(f"{uploads.as_uri()}/")
    assert shown.stdout.strip() == repr((f"{uploads.as_uri()}/",))


def test_reports_are_printed_and_written(vcd: Run, bus: str, tmp_path: Path) -> None:
    _send(bus, REPORTS, _report("hare", matches=()), _report("hare"), _report("rabbit"))

    lines = vcd("reports", "--log", bus)
    as_json = vcd("reports", "--log", bus, "--json", "--out", tmp_path / "reports.jsonl")

    assert lines.returncode == as_json.returncode == 0
    assert lines.stdout.splitlines() == ["upload 12.4-31.0 s is tower 80.1-99.0 s, score 0.91"] * 2
    queries = sorted(json.loads(line)["query_id"] for line in as_json.stdout.splitlines())
    assert queries == ["hare", "rabbit"]
    assert (tmp_path / "reports.jsonl").read_text() == as_json.stdout


_HEARING_CTRL_C = """
import signal, sys
from pipelines.cli import main

signal.signal(signal.SIGINT, signal.default_int_handler)  # deaf where tests run in the background
sys.exit(main(sys.argv[1:]))
"""


def _lines_once_there(path: Path, num_lines: int, process: subprocess.Popen[str]) -> list[str]:
    deadline_s = time.monotonic() + 60
    while path.read_text().count("\n") < num_lines:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline_s, path.read_text()
        time.sleep(0.05)
    return path.read_text().splitlines()


def test_following_shows_a_report_as_it_comes_and_ends_with_ctrl_c(
    bus: str, tmp_path: Path
) -> None:
    _send(bus, REPORTS, _report("hare"))
    words = ["reports", "--log", bus, "--follow", "--json"]
    out = tmp_path / "out"
    with out.open("w") as stdout:
        process = subprocess.Popen(
            [sys.executable, "-c", _HEARING_CTRL_C, *words],
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
        )
    before = _lines_once_there(out, 1, process)
    _send(bus, REPORTS, _report("rabbit"))
    after = _lines_once_there(out, 2, process)

    process.send_signal(signal.SIGINT)
    _, complaint = process.communicate(timeout=60)

    assert [json.loads(line)["query_id"] for line in before] == ["hare"]
    assert [json.loads(line)["query_id"] for line in after] == ["hare", "rabbit"]
    assert process.returncode == 130
    one_sentence(complaint, "2 reports")


def test_dead_letters_are_listed_sent_again_and_then_gone(vcd: Run, bus: str) -> None:
    _send(bus, UPLOADS, *_GARBAGE)
    dead = [*_read(bus, UPLOADS)]
    buried = []
    for record in dead:
        with pytest.raises(InputError, match=str(record.place)) as refusal:
            decode_upload(record, max_bytes=65_536)
        buried.append(
            dead_letter_of(record, refusal.value, attempts=1, worker="w", now_s=time.time())
        )
    _send(bus, DEAD_LETTERS, *buried, buried[0])

    listed = vcd("dead-letters", "list", "--log", bus, "--json")
    torn = vcd("dead-letters", "redrive", "torn", "--log", bus)
    rest = vcd("dead-letters", "redrive", "--log", bus)
    left = vcd("dead-letters", "list", "--log", bus)

    reasons = {each["key"]: each["reason"] for each in json.loads(listed.stdout)["dead_letters"]}
    assert reasons == {
        "": "no_key",
        "later": "unknown_version",
        "torn": "not_json",
        "large": "message_too_large",
    }
    assert (torn.returncode, torn.stderr) == (0, "1 sent again\n")
    assert rest.returncode == 3
    one_sentence(rest.stderr, "bytes of it were not kept", "2 sent again, 1 refused")
    assert [line.split()[1] for line in left.stdout.splitlines()] == ["large:"]
    assert Counter(record.key for record in _read(bus, UPLOADS)) == {
        b"": 2,
        b"large": 1,
        b"later": 2,
        b"torn": 2,
    }


_VERBS = [
    pytest.param(["log", "info"], id="log info"),
    pytest.param(["submit", "s3://bucket/a.mp4"], id="submit"),
    pytest.param(["reports", "--follow"], id="reports"),
    pytest.param(["dead-letters", "list"], id="dead-letters list"),
    pytest.param(["dead-letters", "redrive"], id="dead-letters redrive"),
]


@pytest.mark.parametrize("words", _VERBS)
def test_a_bus_that_is_not_there_is_a_sentence_and_not_made(
    vcd: Run, words: list[str], tmp_path: Path
) -> None:
    result = vcd(*words, "--log", f"sqlite:{tmp_path}/bus.db")

    assert (result.returncode, result.stdout) == (1, "")
    one_sentence(result.stderr, f"{tmp_path}/bus.db", "vcd log create")
    assert list(tmp_path.iterdir()) == []


def _closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.mark.parametrize("words", [*_VERBS, pytest.param(["log", "create"], id="log create")])
def test_a_broker_that_does_not_answer_is_a_sentence(vcd: Run, words: list[str]) -> None:
    address = f"kafka:127.0.0.1:{_closed_port()}"

    result = vcd(*words, "--log", address, env={"VCD_KAFKA__CONNECT_TIMEOUT_S": "1"})

    assert (result.returncode, result.stdout) == (1, "")
    one_sentence(result.stderr, address.removeprefix("kafka:"))


@pytest.mark.parametrize(
    ("make", "word"),
    [
        pytest.param(lambda path: path.mkdir(), "bus.db", id="a folder"),
        pytest.param(lambda path: path.write_bytes(b"x" * 5000), "bus.db", id="no database"),
        pytest.param(lambda path: path.write_bytes(b""), "vcd log create", id="an empty file"),
    ],
)
def test_a_file_that_is_no_bus_is_a_sentence(vcd: Run, make, word: str, tmp_path: Path) -> None:
    make(tmp_path / "bus.db")

    result = vcd("submit", "s3://bucket/a.mp4", "--log", f"sqlite:{tmp_path}/bus.db")

    assert (result.returncode, result.stdout) == (1, "")
    one_sentence(result.stderr, word)


@pytest.mark.parametrize("address", ["bus.db", "sqlite:", "kafka:", "kafka:broker", "redis:x:1"])
def test_an_address_that_is_none_is_a_sentence(vcd: Run, address: str) -> None:
    result = vcd("log", "info", "--log", address)

    assert (result.returncode, result.stdout) == (1, "")
    one_sentence(result.stderr, "sqlite:FILE or kafka:HOST:PORT")


def test_a_bus_without_the_topic_is_a_sentence(vcd: Run, tmp_path: Path) -> None:
    bus = f"sqlite:{tmp_path}/bus.db"
    with _opened(bus) as log:
        log.create_topics([TopicSpec(name=UPLOADS, num_partitions=1)])

    result = vcd("reports", "--log", bus)

    assert (result.returncode, result.stdout) == (1, "")
    one_sentence(result.stderr, "wanted the topic vcd.reports", f"vcd log create --log {bus}")
