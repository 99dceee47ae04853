"""A bus in memory, for the verbs that open one."""

import pytest

from pipelines import bus
from tests.memory_log import MemoryLog
from vcd.stream.topics import topic_specs


@pytest.fixture
def memory(monkeypatch):
    """Give the log that a verb opens, without topics; it must be closed in the end."""
    log = MemoryLog()
    monkeypatch.setattr(bus, "open_log", lambda address, *, stream, kafka: log)
    yield log
    assert log.is_closed


@pytest.fixture
def ready(memory):
    """Give the same log with every topic made."""
    memory.create_topics(topic_specs(4))
    return memory
