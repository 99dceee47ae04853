"""Follow the topic of reference changes step by step; the work behind a `ReferenceView`.

    read -> understand or refuse -> wait for the file -> apply -> publish -> record how far

What is recorded never lies ahead of what is published, and applying a change
twice changes nothing, so a death between any two steps loses nothing.
"""

import logging
import time
from concurrent.futures import Future
from dataclasses import replace

from vcd.core import Descriptors, InputError, SetupError, TransientError
from vcd.stream.log import Log, Record
from vcd.stream.messages.envelope import decode_reference
from vcd.stream.messages.records import ReferenceChange
from vcd.stream.references.descriptor_store import DescriptorStore
from vcd.stream.references.fetches import Fetches
from vcd.stream.references.index import ReferenceIndex
from vcd.stream.references.pending import Pending, PendingChange
from vcd.stream.references.refusals import Refusals, Refuse
from vcd.stream.references.snapshot import Snapshot, record_digest, write_snapshot
from vcd.stream.references.topic_end import TopicEnd
from vcd.stream.topics import REFERENCES

__all__ = ["MAX_GAP_S", "ReferenceFollower"]

MAX_GAP_S = 12 * 3600.0
"""Half of what logs keep tombstones for: after so long away, one may have been missed."""

_BATCH_S = 0.3
"""Publishing costs with the number of references, so changes that come together share it."""
_MAX_BATCH_S = 1.0
"""However long it takes: the time until effect counts."""
_FIRST_BATCHES_S = 30.0
"""Until the end is reached nobody searches the index, and publishing only saves work."""
_MAX_RECORDS = 500
_MAX_PENDING = 100_000
"""About 200 MB; beyond it nothing is read until some of their files have come."""
_LOAD_S = 0.1
_BUSY_POLL_S = 0.01
_IDLE_POLL_S = 0.25
_KEEP_EVERY_S = 60.0
_logger = logging.getLogger(__name__)


class ReferenceFollower:
    """Reads, applies, publishes, records; one thread at a time.

    Args:
        log: whose topic of references is followed.
        index: what shall reflect it.
        snapshot: what the index reflects already.
        store: has the descriptor files.
        refuse: sends the dead letter of a message that cannot be used.
    """

    def __init__(
        self,
        log: Log,
        index: ReferenceIndex,
        snapshot: Snapshot,
        store: DescriptorStore,
        refuse: Refuse,
    ) -> None:
        now_at_s = time.time()
        is_stale = now_at_s - snapshot.complete_at_s > MAX_GAP_S
        self._index = index
        self._snapshot = snapshot
        self._named: set[str] | None = set() if is_stale else None
        self._tail = log.tail(REFERENCES, start=None if is_stale else {0: snapshot.first_offset})
        self._end = TopicEnd(now_at_s if is_stale else snapshot.complete_at_s)
        self._pending = Pending()
        self._fetches = Fetches(store)
        self._refusals = Refusals(refuse)
        self._expected = snapshot.last_offset
        self._last = (snapshot.last_offset, snapshot.last_digest)
        self._position = 0 if is_stale else snapshot.first_offset
        self._changed_s: float | None = None
        self._published_in_s = 0.0
        self._kept_s = time.monotonic()
        self.offset = snapshot.offset
        self.is_caught_up = False
        write_snapshot(index.directory, snapshot)

    @property
    def num_pending(self) -> int:
        """Changes that were read and are not in effect yet."""
        return len(self._pending) + self._index.num_changed

    @property
    def fresh_s(self) -> float | None:
        """Everything sent before it, on the monotonic clock, is in effect."""
        return self._end.fresh_s

    def step(self) -> None:
        """Do what there is to do; takes a part of a second, and longer only to publish.

        Raises:
            SetupError: the topic is not the one that was followed, or the disk is full.
        """
        self._end.ask(self._tail, known=max(self._position, self._snapshot.end_offset))
        self._read()
        self._load()
        self._note_read()
        if self._is_time_to_publish():
            self._publish()
        self._note_reflected()
        self._refusals.settle(time.monotonic())
        if time.monotonic() - self._kept_s > _KEEP_EVERY_S:
            self._keep()

    def close(self) -> None:
        """Publish and record what was applied, and let go of log and directory."""
        try:
            if self._index.num_changed:
                self._publish()
            self._note_reflected()
            self._refusals.settle(time.monotonic())
            self._keep()
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Let go of log and directory as they are."""
        self._tail.close()
        self._index.close()

    def _read(self) -> None:
        now_s = time.monotonic()
        is_busy = len(self._fetches) > 0 or self._pending.has_due(now_s)
        if len(self._pending) >= _MAX_PENDING:
            time.sleep(_BUSY_POLL_S if is_busy else _IDLE_POLL_S)
            return
        wait_s = _BUSY_POLL_S if is_busy or self._index.num_changed else _IDLE_POLL_S
        for record in self._tail.poll(wait_s, limit=_MAX_RECORDS):
            self._take(record)
        self._position = self._tail.positions().get(0, self._position)

    def _take(self, record: Record) -> None:
        self._check_same_topic(record)
        self._last = (record.place.offset, record_digest(record))
        try:
            ref_id, change = _understood(record)
            if change is not None:
                self._index.terms.check(change)
        except InputError as error:
            self._refusals.add(record, error)
            if self._named is not None and record.key:
                self._named.add(record.key.decode(errors="replace"))
            return
        if change is None:
            self._pending.drop(ref_id)
            self._index.remove(ref_id)
        else:
            self._pending.put(PendingChange(record=record, change=change))
        if self._named is not None:
            (self._named.discard if change is None else self._named.add)(ref_id)

    def _check_same_topic(self, record: Record) -> None:
        """Recognize a topic that was made anew by the last record that was read of the old one.

        A later change of the same reference may have taken it away; then nothing can be said.
        """
        if self._expected is None or record.place.offset < self._expected:
            return
        is_same_place = record.place.offset == self._expected
        self._expected = None
        if is_same_place and record_digest(record) != self._snapshot.last_digest:
            raise SetupError(
                f"{record.place}: is not the record that was read there before: the topic was made "
                "anew, so remove the index directory; the worker makes it again from the log"
            )

    def _load(self) -> None:
        """Fetch for a while, and apply what has come."""
        stop_s = time.monotonic() + _LOAD_S
        while (now_s := time.monotonic()) < stop_s:
            due = self._pending.take_due(now_s, self._fetches.num_free)
            for change in due:
                self._start(change)
            if len(self._fetches) == 0 and not due:
                return
            for change, descriptors in self._fetches.take_finished(stop_s - now_s):
                self._settle(change, descriptors)

    def _start(self, change: PendingChange) -> None:
        if self._index.reflects(change.change):
            self._pending.drop(change.change.video.id)
        else:
            self._fetches.start(change)

    def _settle(self, change: PendingChange, fetched: "Future[Descriptors]") -> None:
        if not self._pending.holds(change):
            return
        try:
            self._index.add(change.change, fetched.result())
        except InputError as error:
            self._refusals.add(change.record, error)
        except TransientError as error:
            _logger.warning(
                "%s: waits for its descriptors: %s",
                change.change.video.id,
                error,
                extra=_extra(change),
            )
            self._pending.retry(change, error, time.monotonic())
            return
        self._pending.drop(change.change.video.id)

    def _note_read(self) -> None:
        before_at_s = self._end.complete_at_s
        self._end.note_read(self._position)
        gap_s = time.time() - before_at_s
        if self._end.complete_at_s != before_at_s and gap_s > MAX_GAP_S:
            raise SetupError(
                f"the references were complete {gap_s / 3600:.0f} hours ago for the last time, and "
                "a removal may have been missed since: start the worker again, it reads them anew"
            )
        barrier = self._end.barrier
        if self._named is not None and barrier is not None and self._position >= barrier:
            self._index.keep_only(self._named)
            self._named = None

    def _is_time_to_publish(self) -> bool:
        if not self._index.num_changed:
            return False
        now_s = time.monotonic()
        self._changed_s = now_s if self._changed_s is None else self._changed_s
        barrier = self._end.barrier
        is_behind = barrier is None or self._position < barrier or len(self._fetches) > 0
        batch_s = min(max(_BATCH_S, self._published_in_s), _MAX_BATCH_S)
        if is_behind and not self.is_caught_up:
            batch_s = _FIRST_BATCHES_S
        return now_s - self._changed_s >= batch_s

    def _publish(self) -> None:
        begun_s = time.monotonic()
        self._index.publish()
        self._changed_s = None
        self._published_in_s = time.monotonic() - begun_s
        self._note_reflected()
        self._keep()

    def _note_reflected(self) -> None:
        """Say how far the published index reflects the topic, and whether that is far enough."""
        if self._index.num_changed:
            return
        first = self._pending.first_offset()
        self.offset = self._position if first is None else min(first, self._position)
        self._end.note_reflected(self.offset)
        barrier = self._end.barrier
        if barrier is None or self._position < barrier or self._named is not None:
            return
        waiting = [each for each in self._pending.waiting() if each.offset < barrier]
        self.is_caught_up = self.is_caught_up or all(each.is_lost for each in waiting)

    def _keep(self) -> None:
        """Record how far the published index reflects the topic."""
        refused = self._refusals.first_offset()
        is_complete = self._named is None
        last_offset, last_digest = self._last
        self._snapshot = replace(
            self._snapshot,
            offset=self.offset if refused is None else min(self.offset, refused),
            complete_at_s=(self._end if is_complete else self._snapshot).complete_at_s,
            last_offset=last_offset,
            last_digest=last_digest,
        )
        write_snapshot(self._index.directory, self._snapshot)
        self._kept_s = time.monotonic()


def _understood(record: Record) -> tuple[str, ReferenceChange | None]:
    """Read which reference a record is about, and what is said of it; None removes it."""
    if record.value is not None:
        change = decode_reference(record)
        return change.video.id, change
    if not record.key:
        raise InputError(
            f"{record.place}: wanted the id of the reference to remove as the key, got none",
            reason="no_key",
        )
    try:
        return record.key.decode(), None
    except UnicodeDecodeError as error:
        raise InputError(
            f"{record.place}: its key is no UTF-8: {error}", reason="wrong_key"
        ) from error


def _extra(change: PendingChange) -> dict[str, str]:
    return {
        "trace_id": change.change.trace_id,
        "video_id": change.change.video.id,
        "place": str(change.record.place),
    }
