"""One stay of a partition with this worker: what was given to us, what is done, what to commit."""

import logging
from collections import deque
from dataclasses import dataclass

from vcd.stream.log import Commit, Partition, Record
from vcd.stream.topics import LANES
from vcd.stream.worker.notes import Note, decode_note, encode_note
from vcd.stream.worker.quarantine import Quarantine
from vcd.stream.worker.watermark import Watermark

__all__ = ["Assignment", "lane_of"]

_LANE_OF_TOPIC = {topic: lane for lane, topic in LANES.items()}

_logger = logging.getLogger(__name__)


def lane_of(partition: Partition) -> str:
    """Name the lane that a partition belongs to."""
    return _LANE_OF_TOPIC[partition.topic]


@dataclass(frozen=True, slots=True)
class _Progress:
    """What is known of a partition once the note of its last owner was read."""

    watermark: Watermark
    quarantine: Quarantine


class Assignment:
    """A partition from the moment that it is ours to the moment that it is not.

    It is also the fence: what was begun under one assignment is never counted under
    another, even of the same partition. Not safe for threads by itself: `Ownership` is.

    Attributes:
        partition: which.
        held: records that were delivered and not begun, in order.
        is_ours: False for ever once the partition went away.
    """

    def __init__(self, partition: Partition) -> None:
        self.partition = partition
        self.held: deque[Record] = deque()
        self.is_ours = True
        self._progress: _Progress | None = None
        self._last_held: int | None = None
        self._is_changed = False
        self._alone: int | None = None
        self._offered_alone: int | None = None
        self._kept_alone: int | None = None
        self._is_noted = False

    @property
    def is_open(self) -> bool:
        """Whether it is known where the last owner left off."""
        return self._progress is not None

    @property
    def is_idle(self) -> bool:
        """Whether nothing is held and nothing is in flight."""
        return not self.held and (self._progress is None or self._progress.watermark.is_idle)

    @property
    def is_careful(self) -> bool:
        """Whether its records are tried one by one, with nothing else in this worker."""
        return self._progress is not None and self._progress.quarantine.is_careful

    @property
    def is_accusing(self) -> bool:
        """Whether the kept note blames a record that is done: nothing must begin beside that."""
        return self._kept_alone not in (None, self._alone)

    @property
    def span(self) -> int:
        """How far, in offsets, deliveries run ahead of the first that is not done."""
        if self._progress is None:
            return len(self.held)
        return self._progress.watermark.span

    @property
    def num_crashes(self) -> int:
        """How many owners died since the head last moved."""
        return 0 if self._progress is None else self._progress.quarantine.num_crashes

    def open(self, committed: Commit | None, *, max_crashes: int) -> list[Record]:
        """Go on where the last owner left off; something must have been delivered.

        Returns:
            The held records that are done already.
        """
        first = self.held[0].place.offset
        head = first if committed is None else committed.offset
        note = Note() if committed is None else decode_note(committed.note, head)
        if first < head:
            _logger.warning("%s begins again at %d, before %d", self.partition, first, head)
            head, note = first, Note()
        quarantine = Quarantine(note, head=head, max_crashes=max_crashes)
        if quarantine.num_crashes:
            _logger.warning(
                "%s: %d workers in a row ended without a word at offset %d%s",
                self.partition,
                quarantine.num_crashes,
                head,
                "; its uploads are tried one by one" if quarantine.is_careful else "",
                extra={"place": f"{self.partition}@{head}"},
            )
        self._progress = _Progress(Watermark(head, note.done), quarantine)
        held, self.held = self.held, deque()
        return [record for record in held if self._admit(record, self._progress)]

    def deliver(self, record: Record) -> bool:
        """Take the next record of the partition; True when it is done already."""
        offset = record.place.offset
        if self._last_held is not None and offset <= self._last_held:
            _logger.warning(
                "%s was delivered twice", record.place, extra={"place": str(record.place)}
            )
            return False
        self._last_held = offset
        if self._progress is None:
            self.held.append(record)
            return False
        return self._admit(record, self._progress)

    def take(self) -> list[Record]:
        """Take the held records that may be begun now: none until a note covers them."""
        if self._progress is None or not self.held:
            return []
        quarantine = self._progress.quarantine
        if quarantine.is_suspect(self.held[0].place.offset):
            return [self.held.popleft()] if self._is_announced(self.held[0], quarantine) else []
        if quarantine.is_careful:
            quarantine.acquit()
            self._alone = None
            self._is_changed = True
        if not self._is_announced(self.held[-1], quarantine):
            return []
        records, self.held = list(self.held), deque()
        return records

    def announcement(self) -> Commit | None:
        """Write the note that must be kept before anything is begun; None: none must."""
        if self._progress is None or not self.held:
            return self.commit() if self.is_accusing else None
        quarantine = self._progress.quarantine
        if quarantine.is_suspect(self.held[0].place.offset):
            if not self._is_announced(self.held[0], quarantine):
                self._alone = self.held[0].place.offset
                return self.commit()
            return None
        is_covered = self._is_announced(self.held[-1], quarantine) and not self.is_accusing
        return None if is_covered else self.commit()

    def is_convicted(self, offset: int) -> bool:
        """Tell whether this record killed a worker that did nothing else."""
        return self._progress is not None and self._progress.quarantine.is_convicted(offset)

    def finish(self, offset: int) -> None:
        """Take note that the outcome of a record is durable."""
        if self._progress is None:
            raise ValueError(f"{self.partition}@{offset} was never begun")
        before = self._progress.watermark.head
        self._progress.watermark.finish(offset)
        self._moved_from(before, self._progress)
        if offset == self._alone:
            self._alone = None

    @property
    def is_due(self) -> bool:
        """Whether there is something new to commit."""
        return self._is_changed and self._is_noted

    def commit(self, *, is_running: bool = True) -> Commit | None:
        """Say how far the partition is; None when that is not known yet."""
        if self._progress is None:
            return None
        watermark, quarantine = self._progress.watermark, self._progress.quarantine
        note = Note(
            is_running=is_running,
            num_crashes=quarantine.num_crashes,
            highest=quarantine.highest(watermark.highest),
            alone=self._alone if is_running else None,
            done=watermark.done_above(),
        )
        self._offered_alone = note.alone
        self._is_changed = False
        return Commit(offset=watermark.head, note=encode_note(note, watermark.head))

    def commit_kept(self, *, is_kept: bool) -> None:
        """Hear what became of the last commit."""
        if is_kept:
            self._kept_alone = self._offered_alone
            self._is_noted = True
        else:
            self._is_changed = True

    def _admit(self, record: Record, progress: _Progress) -> bool:
        """Put a record into the watermark; True when an earlier owner has done it."""
        offset = record.place.offset
        is_done = progress.watermark.is_done(offset)
        before = progress.watermark.head
        progress.watermark.deliver(offset)
        self._moved_from(before, progress)
        if not is_done:
            self.held.append(record)
        return is_done

    def _moved_from(self, head: int, progress: _Progress) -> None:
        self._is_changed = True
        if progress.watermark.head != head:
            progress.quarantine.head_moved(progress.watermark.head)

    def _is_announced(self, record: Record, quarantine: Quarantine) -> bool:
        """Tell whether, if this record kills us now, the next owner will understand it."""
        if quarantine.is_suspect(record.place.offset):
            return self._kept_alone == record.place.offset
        return self._is_noted
