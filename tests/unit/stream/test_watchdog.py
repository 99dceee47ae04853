"""The watchdog barks at what stays the same for too long, and at nothing else."""

import threading
from itertools import count

import pytest

from vcd.stream.worker import watchdog
from vcd.stream.worker.watchdog import Watchdog, Watched

_PATIENCE_S = 30.0


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    event = threading.Event()
    monkeypatch.setattr(watchdog, "_end", lambda one, age_s: event.set())
    return event


class _Looks:
    """A mark that counts how often it was looked at."""

    def __init__(self, *, changes: bool) -> None:
        self._changes = changes
        self._count = count()
        self.many = threading.Event()

    def mark(self) -> int:
        number = next(self._count)
        if number > 30:
            self.many.set()
        return number if self._changes else 7


def test_a_mark_that_stays_the_same_for_too_long_ends_the_process(ended):
    with Watchdog([Watched("it stood still", _Looks(changes=False).mark, 0.05)]):
        assert ended.wait(_PATIENCE_S)


def test_a_mark_that_changes_ends_nothing(ended):
    looks = _Looks(changes=True)

    with Watchdog([Watched("it stood still", looks.mark, 0.02)]):
        assert looks.many.wait(_PATIENCE_S)

    assert not ended.is_set()


def test_nothing_to_wait_for_ends_nothing(ended):
    looks = _Looks(changes=True)

    with Watchdog(
        [
            Watched("it stood still", lambda: None, 0.01),
            Watched("the other stood still", looks.mark, 0.02),
        ]
    ):
        assert looks.many.wait(_PATIENCE_S)

    assert not ended.is_set()


def test_time_in_which_the_watchdog_did_not_run_itself_does_not_count(ended, monkeypatch):
    """A process that was stopped finds, when it goes on, that the clock has jumped."""
    hours = count()
    monkeypatch.setattr("vcd.stream.worker.watchdog.time.monotonic", lambda: 3600.0 * next(hours))
    marks = iter([1, 1, 1, *range(2, 10_000)])
    seen = threading.Event()

    def mark() -> int:
        number: int = next(marks)
        if number > 3:
            seen.set()
        return number

    dog = Watchdog([Watched("it stood still", mark, 0.5)])
    dog._thread.start()
    assert seen.wait(_PATIENCE_S)
    dog._closing.set()
    dog._thread.join()

    assert not ended.is_set()
