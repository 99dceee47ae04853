"""The disk under a local log is full, and then it is not."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.fault.log_member import Member, poll_until, read_all
from vcd.stream.address import open_log
from vcd.stream.log import Commit, Partition, Place, TopicSpec
from vcd.stream.settings import KafkaSettings, StreamSettings

_PATIENCE_S = 30.0

_FILL = """
import resource, sys
from tests.fault.test_local_log_disk import fill
resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, resource.RLIM_INFINITY))
fill(sys.argv[1], lambda: resource.setrlimit(
    resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)))
"""

_FILL_DISK = """
import sys
from pathlib import Path
from tests.fault.test_local_log_disk import fill
ballast = Path(sys.argv[1]).parent / "ballast"
ballast.write_bytes(bytes(2_000_000))
fill(sys.argv[1], ballast.unlink)
"""


def fill(path: str, make_room: Callable[[], object]) -> None:
    """Send until there is no room, make room, send again; all told as durable must be there."""
    stream = StreamSettings(session_timeout_s=1.0)
    log = open_log(f"sqlite:{path}", stream=stream, kafka=KafkaSettings())
    log.create_topics([TopicSpec(name="topic", num_partitions=1)])
    member = Member(log, "group", ["topic"])
    poll_until(lambda: member.owned, member)
    writer = log.writer()
    told: list[Place] = []
    refused: list[str] = []
    while len(refused) < 5:
        sent = writer.send("topic", key=b"k", value=bytes(30_000))
        if error := sent.exception(timeout=_PATIENCE_S):
            refused.append(f"{type(error).__name__}: {error}")
        else:
            told.append(sent.result())
        assert len(told) < 1000, "the disk is never full"
        member.poll(limit=1)
        member.reader.commit({Partition("topic", 0): Commit(offset=1)})
    assert all(f"TransientError: the log {path}" in error for error in refused), refused
    make_room()
    told += [
        writer.send("topic", key=b"k", value=b"small").result(timeout=_PATIENCE_S) for _ in range(3)
    ]
    poll_until(lambda: len(member.records) >= len(told), member)
    assert [record.place for record in member.records] == told
    assert [record.place for record in read_all(log, "topic", len(told))] == told
    assert not member.ears.all_of("lost")
    writer.close(10.0)
    member.close()
    log.close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("pragma integrity_check").fetchall() == [("ok",)]


def _run(script: str, path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, str(path)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr


@pytest.mark.slow
def test_a_file_that_may_not_grow_refuses_records_until_it_may(tmp_path):
    _run(_FILL, tmp_path / "bus.log")


@pytest.fixture
def small_disk(mount_disk):
    return mount_disk("4m")


@pytest.mark.slow
def test_a_full_disk_refuses_records_until_there_is_room(small_disk):
    _run(_FILL_DISK, small_disk / "bus.log")
