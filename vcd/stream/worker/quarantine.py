"""Find the message that kills workers, from the notes of those that died.

    an owner dies            -> its note still says "running": the next one counts 1 more
    the head moves           -> the count starts again
    ``max_crashes`` deaths   -> careful: what the dead may have begun is tried one by one, alone
    death while one is alone -> the next owner convicts it: a dead letter, never begun again

Whoever leaves in good order (a rebalance, SIGTERM) writes a note that is not
running: nobody is ever convicted by that. A killer that no kept note covers is
the head, or covered, after the careful time of those before it.
"""

from vcd.stream.worker.notes import Note

__all__ = ["Quarantine"]


class Quarantine:
    """What is suspected in one partition, during one assignment.

    Args:
        note: of the owner before us.
        head: the committed offset.
        max_crashes: deaths before records are tried alone.
    """

    def __init__(self, note: Note, *, head: int, max_crashes: int) -> None:
        self.num_crashes = note.num_crashes + note.is_running
        self._convicted = note.alone if note.is_running else None
        self._highest = note.highest
        self._careful_until: int | None = None
        if self.num_crashes >= max_crashes and note.highest is not None and note.highest >= head:
            self._careful_until = note.highest

    @property
    def is_careful(self) -> bool:
        """Whether the records of this partition are tried one by one, alone."""
        return self._careful_until is not None

    def is_convicted(self, offset: int) -> bool:
        """Tell whether this record killed a worker that did nothing else."""
        return offset == self._convicted

    def is_suspect(self, offset: int) -> bool:
        """Tell whether this record may be begun only alone."""
        return self._careful_until is not None and offset <= self._careful_until

    def head_moved(self, head: int) -> None:
        """Take note that the oldest record is done: it was not the killer."""
        if self._careful_until is None or head > self._careful_until:
            self.acquit()

    def acquit(self) -> None:
        """End the careful time: all suspects are done."""
        self._careful_until = None
        self.num_crashes = 0

    def highest(self, delivered: int | None) -> int | None:
        """Name the last offset that anybody may have begun."""
        if self._careful_until is not None:
            return self._careful_until
        known = [offset for offset in (self._highest, delivered) if offset is not None]
        return max(known, default=None)
