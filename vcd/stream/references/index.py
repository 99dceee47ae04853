"""The index directory that follows a log: apply changes, publish them, open what was published.

It knows nothing of topics and threads; `view.py` says what to apply and when.
"""

import logging
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from vcd.core import Descriptors, DescriptorSpace, InputError, SetupError
from vcd.search import FaissIndex, IndexWriter, RowDerivation, SearchSettings, open_index
from vcd.stream.messages.records import ReferenceChange
from vcd.stream.references.descriptor_store import descriptor_file_of

__all__ = ["IndexTerms", "ReferenceIndex"]

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexTerms:
    """What a reference must be to be in the index, and how the index is made.

    Attributes:
        space: of its descriptors, as they are stored.
        rate_hz: at which it was sampled.
        weights: name or path, recorded when the index is made.
        derivation: makes the searched rows of the stored ones; None searches those.
    """

    space: DescriptorSpace
    rate_hz: float
    weights: str
    derivation: RowDerivation | None = None

    def check(self, change: ReferenceChange) -> None:
        """Refuse what can never be compared with the rest.

        Raises:
            InputError: ``other_space`` or ``other_rate``.
        """
        if change.space != self.space:
            raise InputError(
                f"{change.video.id}: wanted descriptors of {self.space}, got {change.space}",
                reason="other_space",
            )
        if change.rate_hz != self.rate_hz:
            raise InputError(
                f"{change.video.id}: wanted {self.rate_hz:g} frames a second, "
                f"got {change.rate_hz:g}",
                reason="other_rate",
            )


class ReferenceIndex:
    """The one writer of a followed index, together with the version that it published last.

    Attributes:
        directory: where it lies.
        terms: what its references must be.

    Raises:
        SetupError: another writer holds the directory, or it is of other terms, or damaged.
    """

    def __init__(self, directory: Path, terms: IndexTerms, search: SearchSettings) -> None:
        self.directory = directory
        self.terms = terms
        self._search = search
        self._writer = _opened_writer(directory, terms)
        self._changed: set[str] = set()
        try:
            self._writer.publish()
            self._index = open_index(directory, search, terms.derivation)
        except BaseException:
            self._writer.__exit__(None, None, None)
            raise

    @property
    def published(self) -> FaissIndex:
        """The version published last; whoever holds it keeps it, whatever comes after."""
        return self._index

    @property
    def num_changed(self) -> int:
        """How many references differ from what was published last."""
        return len(self._changed)

    def reflects(self, change: ReferenceChange) -> bool:
        """Tell, without fetching anything, whether this is what the index says already."""
        ref_id = change.video.id
        known = self._index.info.by_id.get(ref_id)
        if known is None or ref_id in self._changed or known.video != change.video:
            return False
        if sorted(known.excluded) != sorted(change.excluded):
            return False
        return descriptor_file_of(self._index.stored_descriptors(ref_id)) == change.descriptors

    def add(self, change: ReferenceChange, descriptors: Descriptors) -> None:
        """Add a reference, in place of the one that has its id.

        Raises:
            InputError: these are not the descriptors that were announced.
            SetupError: the disk is full.
        """
        if descriptors.space != change.space:
            raise InputError(
                f"{change.video.id}: wanted a file with descriptors of {change.space}, "
                f"it has those of {descriptors.space}",
                reason="descriptor_file_damaged",
            )
        self._writer.add(change.video, descriptors)
        self._writer.exclude(change.video.id, change.excluded)
        self._changed.add(change.video.id)

    def remove(self, ref_id: str) -> None:
        """Remove a reference; one that is not there is no error, for a removal may come twice."""
        if ref_id in self._writer:
            self._writer.remove(ref_id)
            self._changed.add(ref_id)

    def keep_only(self, ref_ids: Collection[str]) -> None:
        """Remove every other reference."""
        for ref_id in self._index.ref_ids:
            if ref_id not in ref_ids:
                _logger.info(
                    "%s: removed: the log does not name it any more",
                    ref_id,
                    extra={"video_id": ref_id},
                )
                self.remove(ref_id)

    def publish(self) -> None:
        """Make all of it count, and open the new version beside the one in use.

        Raises:
            SetupError: it could not be written; the version before still counts.
        """
        self._writer.publish()
        self._index = open_index(self.directory, self._search, self.terms.derivation)
        num_refs = len(self._index.ref_ids)
        _logger.info("references changed: %d, in effect: %d", len(self._changed), num_refs)
        self._changed.clear()

    def close(self) -> None:
        """Let go of the directory."""
        self._writer.__exit__(None, None, None)


def _opened_writer(directory: Path, terms: IndexTerms) -> IndexWriter:
    try:
        return IndexWriter.open(
            directory,
            space=terms.space,
            rate_hz=terms.rate_hz,
            weights=terms.weights,
            follows_log=True,
        )
    except SetupError as error:
        if error.reason != "index_locked":
            raise
        raise SetupError(f"{error}. Each worker needs a directory of its own: --index") from error
