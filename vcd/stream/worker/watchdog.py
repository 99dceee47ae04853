"""End a process that is stuck, so that whoever watches over it starts another.

What it watches are marks that change while all is well. Time counts only while
the watchdog itself gets to run: a machine that slept, or a process that was
stopped and goes on, has done nothing wrong.
"""

import faulthandler
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

__all__ = ["STUCK_EXIT_CODE", "Watchdog", "Watched"]

STUCK_EXIT_CODE = 70
"""EX_SOFTWARE of sysexits.h."""

_MAX_INTERVAL_S = 1.0

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Watched:
    """Something that must not stay the same for too long.

    Attributes:
        what: does it, for the line that is written when it does not.
        mark: changes whenever it happens; None when there is nothing to wait for. Never blocks.
        limit_s: how long the mark may stay the same.
    """

    what: str
    mark: Callable[[], Hashable | None]
    limit_s: float


class Watchdog:
    """Watches from a thread of its own while it is open; ends the process without asking."""

    def __init__(self, watched: Sequence[Watched]) -> None:
        self._watched = tuple(watched)
        shortest_s = min((one.limit_s for one in watched), default=_MAX_INTERVAL_S)
        self._interval_s = min(_MAX_INTERVAL_S, shortest_s / 10)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="vcd-watchdog", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._closing.set()
        self._thread.join()

    def _watch(self) -> None:
        marks = [one.mark() for one in self._watched]
        ages_s = [0.0] * len(marks)
        looked_s = time.monotonic()
        while not self._closing.wait(self._interval_s):
            now_s = time.monotonic()
            passed_s = min(now_s - looked_s, 2 * self._interval_s)
            looked_s = now_s
            for at, one in enumerate(self._watched):
                mark = one.mark()
                is_same = mark is not None and mark == marks[at]
                ages_s[at] = ages_s[at] + passed_s if is_same else 0.0
                marks[at] = mark
                if ages_s[at] > one.limit_s:
                    _end(one, ages_s[at])


def _end(one: Watched, age_s: float) -> None:
    """Say what is stuck, and where every thread is, and leave."""
    _logger.critical(
        "stuck: %s for %.1f s (at most %.1f s are normal); the stacks follow, exit code %d",
        one.what,
        age_s,
        one.limit_s,
        STUCK_EXIT_CODE,
    )
    faulthandler.dump_traceback(file=sys.__stderr__ or 2, all_threads=True)
    os._exit(STUCK_EXIT_CODE)
