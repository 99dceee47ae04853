"""The disk under a SQLite log is full while a worker runs, and then there is room again."""

import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.conftest import one_sentence
from tests.e2e.stream_world import World, until
from tests.fault.web_server import WebServer, answer
from vcd.stream.topics import REPORTS

pytestmark = pytest.mark.slow


@pytest.fixture
def disk(mount_disk: Callable[[str], Path]) -> Path:
    return mount_disk("8m")


@pytest.fixture
def small_world(disk: Path, tmp_path: Path, films: Path) -> Iterator[World]:
    """A log alone on its disk, with one reference."""
    nobody = WebServer("127.0.0.2", 9, answer("404 Not Found"))
    with ExitStack() as stack:
        world = World(tmp_path / "world", f"sqlite:{disk}/bus.db", cdn=nobody, inner=nobody)
        stack.callback(world.close)
        world.create()
        assert world.vcd("references", "add", films / "film0.mp4").returncode == 0
        yield world


def _fill(disk: Path) -> Path:
    """Take every block that is left; removing the file gives them back."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)) == 4096:
                pass
        except OSError:
            return ballast
    return ballast


def test_a_full_disk_stops_producers_with_a_sentence_and_workers_until_there_is_room(
    small_world: World, disk: Path, films: Path
):
    world, worker = small_world, small_world.worker
    in_work, waiting = ["early0", "early1"], ["late0", "late1"]
    paths = {name: world.place(name, films / "copy.mp4") for name in (*in_work, *waiting)}
    worker.send_signal(signal.SIGSTOP)
    world.submit(*(paths[name] for name in in_work))
    worker.send_signal(signal.SIGCONT)
    until(lambda: worker.total("vcd_uploads_in_flight") > 0, "work", pause_s=0.01)
    worker.send_signal(signal.SIGSTOP)
    world.submit(*(paths[name] for name in waiting))
    num_before = len(world.records(REPORTS))
    ballast = _fill(disk)
    refused = world.vcd("submit", paths["late0"])

    worker.send_signal(signal.SIGCONT)
    until(lambda: "its outcome is not durable yet" in worker.said(), "no report can be written")
    num_meanwhile, alive = len(world.records(REPORTS)), worker.page("/livez")
    ballast.unlink()

    reports = [world.report(name) for name in paths]
    until(lambda: ": 0 messages to go" in world.vcd("log", "info").stderr, "all is committed")
    assert refused.returncode == 1
    one_sentence(refused.stderr, str(disk / "bus.db"), "full")
    assert (num_meanwhile, alive) == (num_before, (200, "ok\n"))
    assert all(len(report["matches"]) == 1 for report in reports)
    counts = Counter((record.key or b"").decode() for record in world.records(REPORTS))
    assert counts == dict.fromkeys(paths, 1)
    assert world.dead_letters() == {}
    assert worker.end(signal.SIGTERM) == 0
