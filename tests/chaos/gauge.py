"""What a process and its children use: processor time and memory, as the kernel accounts them."""

import os
import threading
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import psutil

__all__ = ["Peak", "Resident", "cpu_s", "others_cpu_s", "resident", "resident_at_rest"]

_MAX_REST_S = 20.0
_STEADY_SHARE = 0.005


@dataclass(frozen=True, slots=True, kw_only=True)
class Resident:
    """Memory in RAM; pages that a child shares with its parent count twice.

    Attributes:
        main_bytes: of the process alone.
        children_bytes: of all its children together.
        num_children: how many there are.
    """

    main_bytes: int
    children_bytes: int
    num_children: int

    @property
    def total_bytes(self) -> int:
        return self.main_bytes + self.children_bytes

    def in_mb(self) -> dict[str, float]:
        return {
            "main": round(self.main_bytes / 2**20, 1),
            "children": round(self.children_bytes / 2**20, 1),
            "num_children": self.num_children,
        }


def cpu_s(pid: int) -> float:
    """Add up what a process, all that it started, and those of them that are dead have used."""
    parent = psutil.Process(pid)
    used_s = 0.0
    for process in (parent, *parent.children(recursive=True)):
        try:
            spent = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        used_s += spent.user + spent.system + spent.children_user + spent.children_system
    return used_s


def others_cpu_s() -> float:
    """Add up what all that neither is this process nor was started by it has ever used."""
    times = psutil.cpu_times()
    busy_s = times.user + times.nice + times.system + times.irq + times.softirq + times.steal
    return float(busy_s) - cpu_s(os.getpid())


def resident(pid: int) -> Resident:
    """Measure now."""
    parent = psutil.Process(pid)
    sizes = []
    for child in parent.children():
        try:
            sizes.append(child.memory_info().rss)
        except psutil.NoSuchProcess:
            continue
    return Resident(
        main_bytes=parent.memory_info().rss, children_bytes=sum(sizes), num_children=len(sizes)
    )


def resident_at_rest(pid: int) -> Resident:
    """Measure when it has stopped changing, or after a while in any case."""
    deadline_s = time.monotonic() + _MAX_REST_S
    last = resident(pid)
    num_steady = 0
    while num_steady < 4 and time.monotonic() < deadline_s:
        time.sleep(0.5)
        now = resident(pid)
        is_steady = abs(now.total_bytes - last.total_bytes) <= _STEADY_SHARE * last.total_bytes
        num_steady = num_steady + 1 if is_steady else 0
        last = now
    return last


class Peak:
    """The most memory that was seen during a block, twice a second."""

    def __init__(self, pid: int) -> None:
        self.total_bytes = 0
        self._pid = pid
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._is_over.wait(0.5):
            try:
                self.total_bytes = max(self.total_bytes, resident(self._pid).total_bytes)
            except psutil.NoSuchProcess:
                return
