"""The verbs of the message bus on a real broker that was only just made."""

import json
from collections.abc import Iterator

import pytest

from tests.e2e.conftest import Run, one_sentence
from tests.factories import make_report
from tests.kafka.broker import Broker, NoBrokerError
from vcd.core import InputError
from vcd.stream.address import open_log
from vcd.stream.messages.dead_letters import dead_letter_of
from vcd.stream.messages.readback import ends_of, records_until
from vcd.stream.messages.report_message import encode_report_message
from vcd.stream.settings import KafkaSettings, StreamSettings
from vcd.stream.topics import DEAD_LETTERS, REPORTS, UPLOADS

pytestmark = pytest.mark.kafka


@pytest.fixture
def bus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A broker of our own: the topics of the verbs have fixed names."""
    broker = Broker(tmp_path_factory.mktemp("kafka"))
    try:
        broker.start()
    except NoBrokerError as error:
        pytest.skip(str(error))
    yield broker.address
    broker.kill()


def _bury_uploads_and_report(address: str) -> None:
    log = open_log(address, stream=StreamSettings(), kafka=KafkaSettings())
    writer = log.writer()
    for record in records_until(log, UPLOADS, ends_of(log, UPLOADS)):
        error = InputError("nobody can read it", reason="not_json")
        key, value, headers = dead_letter_of(record, error, attempts=1, worker="w", now_s=1.75e9)
        writer.send(DEAD_LETTERS, key=key, value=value, headers=headers).result(timeout=60)
    value = encode_report_message(make_report(), max_bytes=900_000)
    writer.send(REPORTS, key=b"upload", value=value).result(timeout=60)
    writer.close(10.0)
    log.close()


def test_every_verb_works_from_the_first_second_on(vcd: Run, bus: str) -> None:
    missing = vcd("reports", "--log", bus)
    made = vcd("log", "create", "--log", bus, "--partitions", "2")
    info = vcd("log", "info", "--log", bus)
    submitted = vcd("submit", "s3://b/a.mp4", "s3://b/c.mp4", "--log", bus, "--json")
    _bury_uploads_and_report(bus)
    redriven = vcd("dead-letters", "redrive", "a", "--log", bus)
    left = vcd("dead-letters", "list", "--log", bus, "--json")
    reports = vcd("reports", "--log", bus)
    after = vcd("log", "info", "--log", bus)

    one_sentence(missing.stderr, f"vcd log create --log {bus}")
    assert (missing.returncode, made.returncode) == (1, 0), made.stderr
    assert (info.returncode, info.stderr) == (0, "group vcd: 0 messages to go\n")
    assert [upload["video_id"] for upload in json.loads(submitted.stdout)["uploads"]] == ["a", "c"]
    assert (redriven.returncode, redriven.stderr) == (0, "1 sent again\n")
    assert [letter["key"] for letter in json.loads(left.stdout)["dead_letters"]] == ["c"]
    assert reports.stdout == "upload 12.4-31.0 s is tower 80.1-99.0 s, score 0.91\n"
    assert after.stderr == "group vcd: 3 messages to go\n"
