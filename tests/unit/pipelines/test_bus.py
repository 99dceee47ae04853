"""How long the verbs of the bus wait for a log that does not answer."""

from concurrent.futures import Future

import pytest

from pipelines import dead_letters, submit
from pipelines.bus import patience_s
from tests.memory_log import MemoryLog, MemoryWriter
from vcd.config import Settings
from vcd.core import InputError, TransientError
from vcd.stream.log import Partition, Place, Record
from vcd.stream.messages.dead_letters import dead_letter_of
from vcd.stream.settings import KafkaSettings
from vcd.stream.topics import DEAD_LETTERS, UPLOADS

_AT = ["--log", "sqlite:memory"]


class _SilentFuture(Future[Place]):
    def result(self, timeout=None):
        assert timeout == 0.02
        raise TimeoutError


class _SilentWriter(MemoryWriter):
    def send(self, topic, *, key, value, headers=()):
        return _SilentFuture()


@pytest.fixture
def silent(ready, monkeypatch):
    """Give a log that never says whether a message is durable; a message may take 0.01 s."""
    monkeypatch.setenv("VCD_KAFKA__DELIVERY_TIMEOUT_S", "0.01")
    return ready


def _fall_silent(monkeypatch):
    def writer(log):
        log.num_open += 1
        return _SilentWriter(log)

    monkeypatch.setattr(MemoryLog, "writer", writer)


def test_a_verb_waits_twice_as_long_as_the_log_tries():
    settings = Settings(kafka=KafkaSettings(delivery_timeout_s=7.0))

    assert patience_s(settings) == 14.0


def test_submit_gives_up_after_the_patience_of_the_settings(silent, monkeypatch, tmp_path):
    (tmp_path / "hare.mp4").write_bytes(b"x")
    _fall_silent(monkeypatch)

    with pytest.raises(TransientError, match=r"hare: not durable after 0.02 s"):
        submit.main([str(tmp_path), *_AT])


def test_redrive_gives_up_after_the_patience_of_the_settings(silent, monkeypatch):
    record = Record(place=Place(Partition(UPLOADS, 1), 0), key=b"hare", value=b"{")
    error = InputError("wanted JSON", reason="not_json")
    key, value, headers = dead_letter_of(record, error, attempts=1, worker="w", now_s=1.0)
    writer = silent.writer()
    writer.send(DEAD_LETTERS, key=key, value=value, headers=headers)
    writer.close(1.0)
    _fall_silent(monkeypatch)

    with pytest.raises(TransientError, match=r"vcd.uploads/1@0: not durable after 0.02 s"):
        dead_letters.main(["redrive", *_AT])
