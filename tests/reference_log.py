"""A log with one topic of references, in a list, and references made to order on it."""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace

import numpy as np

from tests.factories import SPACE, make_descriptors, make_video
from vcd.core import Descriptors, Interval, TransientError
from vcd.stream.log import Partition, Place, Record
from vcd.stream.messages.envelope import encode_reference
from vcd.stream.messages.records import ReferenceChange
from vcd.stream.references.descriptor_store import DescriptorStore
from vcd.stream.topics import REFERENCES

RATE_HZ = 2.0


class ReferenceLog:
    """Keeps the part of `vcd.stream.log.Log` that a reference view needs.

    Attributes:
        name: its identity.
        is_reachable: when False, tails give nothing and no end.
    """

    address = "sqlite:bus.db"

    def __init__(self, name: str = "first") -> None:
        self.name = name
        self.is_reachable = True
        self.num_partitions = 1
        self.records: list[Record] = []
        self.end = 0

    def identity(self) -> str:
        return self.name

    def topics(self) -> Mapping[str, int]:
        return {REFERENCES: self.num_partitions} if self.num_partitions else {}

    def tail(self, topic: str, *, start: Mapping[int, int] | None = None) -> "ReferenceTail":
        return ReferenceTail(self, (start or {}).get(0, 0))

    def send(self, key: bytes | None, value: bytes | None) -> int:
        place = Place(Partition(REFERENCES, 0), self.end)
        self.records = [*self.records, Record(place=place, key=key, value=value, time_s=1.0)]
        self.end += 1
        return place.offset

    def compact(self, *, tombstones: bool = False) -> None:
        """Keep of each key the last record; take tombstones away as well, if asked to."""
        last = {record.key: record for record in self.records}
        self.records = [
            record
            for record in self.records
            if last[record.key] is record and not (tombstones and record.value is None)
        ]


class ReferenceTail:
    def __init__(self, log: ReferenceLog, start: int) -> None:
        self._log = log
        self._next = start

    def poll(self, timeout_s: float, *, limit: int) -> list[Record]:
        if self._log.is_reachable:
            found = [r for r in self._log.records if r.place.offset >= self._next][:limit]
            if found:
                self._next = found[-1].place.offset + 1
                return found
            self._next = max(self._next, self._log.end)
        time.sleep(min(timeout_s, 0.01))
        return []

    def positions(self) -> Mapping[int, int]:
        return {0: self._next}

    def ends(self) -> Mapping[int, int]:
        if not self._log.is_reachable:
            raise TransientError("the log is not reachable")
        return {0: self._log.end}

    def close(self) -> None:
        self._log = ReferenceLog("closed")


class DeadLetters:
    """Takes refusals; durable at once, unless told to wait."""

    def __init__(self) -> None:
        self.reasons: list[tuple[int, str]] = []
        self.is_open = True

    def __call__(self, record: Record, error: Exception) -> "Future[Place]":
        sent: Future[Place] = Future()
        if self.is_open:
            self.reasons.append((record.place.offset, getattr(error, "reason", "")))
            sent.set_result(record.place)
        else:
            sent.set_exception(TransientError("not now"))
        return sent


def described(ref_id: str, *, seed: int = 0, num_frames: int = 6) -> Descriptors:
    """Describe a reference; another seed is another file under the same id."""
    rng = np.random.default_rng([seed, *ref_id.encode()])
    return make_descriptors(ref_id, num_frames, rng)


def change_of(
    store: DescriptorStore, ref_id: str, *, seed: int = 0, excluded: Sequence[Interval] = ()
) -> ReferenceChange:
    """Store a reference and say so."""
    return ReferenceChange(
        video=replace(make_video(ref_id), sha256=f"{seed:064x}"),
        descriptors=store.put(described(ref_id, seed=seed)),
        space=SPACE,
        rate_hz=RATE_HZ,
        excluded=tuple(excluded),
    )


def announce(log: ReferenceLog, store: DescriptorStore, ref_id: str, *, seed: int = 0) -> int:
    return log.send(ref_id.encode(), encode_reference(change_of(store, ref_id, seed=seed)))


def wait_for(condition: Callable[[], bool], timeout_s: float = 20.0) -> None:
    """Poll until it holds; fail when it does not."""
    stop_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < stop_s, "it did not come true"
        time.sleep(0.005)
