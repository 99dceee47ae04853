"""A worker's references: an index that follows the compacted topic of their changes.

    topic -> tail -> pending (waits for its file) -> index directory -> current()

The index directory is an ordinary index that everybody may read; one worker
writes it, from one thread. See ``docs/design/references.md``.
"""

import logging
import threading
import time
from pathlib import Path
from types import TracebackType

from vcd.core import SetupError, TransientError, VcdError
from vcd.search import FaissIndex, SearchSettings
from vcd.stream.log import Log
from vcd.stream.references.descriptor_store import DescriptorStore
from vcd.stream.references.follower import ReferenceFollower
from vcd.stream.references.index import IndexTerms, ReferenceIndex
from vcd.stream.references.refusals import Refuse
from vcd.stream.references.snapshot import Snapshot, read_snapshot
from vcd.stream.topics import REFERENCES

__all__ = ["ReferenceView"]

_logger = logging.getLogger(__name__)


class ReferenceView:
    """Follows the references of a log in a thread; a context manager.

    Args:
        log: stays open until the view is closed.
        directory: of the index; this worker's own, made when missing.
        terms: what references must be.
        search: how the index is searched.
        store: has the descriptor files.
        refuse: sends the dead letter of a message that cannot be used.

    Raises:
        SetupError: the directory is another log's, another worker's or an ordinary index; the
            topic is missing or was made anew.
    """

    def __init__(
        self,
        log: Log,
        directory: Path,
        terms: IndexTerms,
        *,
        search: SearchSettings,
        store: DescriptorStore,
        refuse: Refuse,
    ) -> None:
        _check_topic(log)
        read_snapshot(directory)  # before anything is made there
        self._index = ReferenceIndex(directory, terms, search)
        try:
            self._follower = ReferenceFollower(
                log, self._index, _snapshot_of(log, directory), store, refuse
            )
        except BaseException:
            self._index.close()
            raise
        self._failure: VcdError | None = None
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="references", daemon=True)
        self._thread.start()

    def __enter__(self) -> "ReferenceView":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def current(self) -> FaissIndex:
        """Give the newest version; one query takes it once and uses it to its end.

        Cheap, from any thread.

        Raises:
            TransientError: the view has not caught up yet.
            SetupError: the view has ended; says why.
        """
        self.check()
        if not self._follower.is_caught_up:
            raise TransientError("the references are not complete yet", reason="not_caught_up")
        return self._index.published

    @property
    def is_caught_up(self) -> bool:
        """Whether everything is in effect that had been announced when the view was opened.

        A reference whose file the store does not have, and did not have for some seconds, is no
        reason to wait: the workers that run lack it as well. A store that does not answer is.
        """
        return self._follower.is_caught_up

    @property
    def offset(self) -> int:
        """All changes before it are in effect."""
        return self._follower.offset

    @property
    def num_pending(self) -> int:
        """Changes that were read and are not in effect yet."""
        return self._follower.num_pending

    def age_s(self) -> float | None:
        """Seconds since everything announced until then was known to be in effect.

        Stays below some seconds when all is well; grows when the log or the store does not
        answer, or a descriptor file is lost. None before the first time.
        """
        fresh_s = self._follower.fresh_s
        return None if fresh_s is None else time.monotonic() - fresh_s

    def wait_until_caught_up(self, timeout_s: float) -> bool:
        """Wait; False when time ran out.

        Raises:
            SetupError: the view has ended; says why.
        """
        with self._changed:
            self._changed.wait_for(lambda: self.is_caught_up or self._has_ended, timeout_s)
        self.check()
        return self.is_caught_up

    def check(self) -> None:
        """Say whether the references are still followed; cheap, from any thread.

        Raises:
            SetupError: the view has ended; says why.
        """
        if self._failure is not None:
            # Never an `InputError`, whatever it was: no upload is at fault.
            raise SetupError(str(self._failure), reason=self._failure.reason)
        if self._stopping.is_set():
            raise SetupError("the references are not followed any more: the view is closed")

    def close(self) -> None:
        """Publish what was read, record how far, and let go of the directory."""
        self._stopping.set()
        self._thread.join()

    @property
    def _has_ended(self) -> bool:
        return self._failure is not None or self._stopping.is_set()

    def _follow(self) -> None:
        try:
            while not self._stopping.is_set():
                self._step()
            self._follower.close()
        except VcdError as error:
            self._fail(error)
        finally:
            if not self._stopping.is_set() and self._failure is None:
                self._fail(SetupError("the thread that follows the references has died"))

    def _step(self) -> None:
        try:
            self._follower.step()
        except TransientError as error:
            _logger.warning("following the references: %s", error)
            self._stopping.wait(1.0)
        with self._changed:
            self._changed.notify_all()

    def _fail(self, error: VcdError) -> None:
        _logger.error("the references are not followed any more: %s", error)
        with self._changed:
            self._failure = error
            self._changed.notify_all()
        self._follower.abandon()


def _check_topic(log: Log) -> None:
    num_partitions = log.topics().get(REFERENCES)
    if num_partitions is None:
        raise SetupError(
            f"{log.address}: has no topic {REFERENCES}: "
            f"`vcd log create --log {log.address}` makes it"
        )
    if num_partitions != 1:
        raise SetupError(
            f"{log.address}: wanted one partition of {REFERENCES}, so that all workers see one "
            f"order of changes, found {num_partitions}"
        )


def _snapshot_of(log: Log, directory: Path) -> Snapshot:
    """Read how far the index reflects this log, or begin."""
    found = read_snapshot(directory)
    identity = log.identity()
    if found is None:
        return Snapshot(
            log=identity,
            address=log.address,
            topic=REFERENCES,
            offset=0,
            complete_at_s=time.time(),
        )
    if (found.log, found.topic) != (identity, REFERENCES):
        raise SetupError(
            f"{directory}: the index follows {found.topic} of the log {found.address} "
            f"({found.log}), this is {REFERENCES} of {log.address} ({identity}): give the worker "
            "another --index, or remove the directory"
        )
    return found
