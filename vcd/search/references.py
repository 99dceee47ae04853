"""The references of an index, mapped from disk: which row is whose.

Rows of all shards are counted through: a *position* is a row of the first
shard, or of the second after it, and so on. The rows are the stored ones, or what
a derivation made of them.
"""

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vcd.core import Descriptors, InputError, SetupError
from vcd.search.exclusion import excluded_rows, silenced
from vcd.search.manifest import Manifest, RefEntry, read_manifest
from vcd.search.row_derivation import RowDerivation, derived_shard
from vcd.search.shards import Shard, map_shard

__all__ = ["MappedReferences"]

_MAX_TRIES = 20
_logger = logging.getLogger(__name__)


class MappedReferences:
    """Every descriptor of an index; in memory are five bytes a row.

    Attributes:
        manifest: its table of contents.
        space: of the rows.
        ref_ids: sorted.
        ref_ordinal: ``(P,)`` int32, the reference of each position; meaningless where
            ``is_searched`` is false.
        is_searched: ``(P,)`` whether a position is alive, has evidence and is not excluded.
    """

    def __init__(
        self, directory: Path, manifest: Manifest, derivation: RowDerivation | None = None
    ) -> None:
        self.manifest = manifest
        self.space = derivation.space if derivation else manifest.space
        self.ref_ids = tuple(ref.video.id for ref in manifest.refs)
        self._ordinal = {ref_id: ordinal for ordinal, ref_id in enumerate(self.ref_ids)}
        by_shard: dict[str, list[RefEntry]] = {shard.digest: [] for shard in manifest.shards}
        for ref in manifest.refs:
            by_shard[ref.shard].append(ref)
        self._stored = {
            shard.digest: map_shard(directory, shard, by_shard[shard.digest])
            for shard in manifest.shards
        }
        self._shards = self._stored
        if derivation is not None:
            self._shards = {
                shard.digest: derived_shard(
                    directory, shard, self._stored[shard.digest], derivation
                )
                for shard in manifest.shards
            }
        counts = [shard.num_rows for shard in manifest.shards]
        self._first_position = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        self.ref_ordinal = np.zeros(sum(counts), dtype=np.int32)
        self.is_searched = np.zeros(sum(counts), dtype=np.bool_)
        self._ref_first = np.zeros(len(self.ref_ids), dtype=np.int64)
        for shard_ordinal, shard in enumerate(manifest.shards):
            for ref in by_shard[shard.digest]:
                self._place(ref, int(self._first_position[shard_ordinal]))

    @classmethod
    def open(cls, directory: Path, derivation: RowDerivation | None = None) -> "MappedReferences":
        """Map the published contents, also while a writer publishes the next.

        Args:
            directory: of the index.
            derivation: makes the rows of the stored ones; None leaves them as they are.

        Raises:
            SetupError: there is no index, or it is damaged.
        """
        manifest = read_manifest(directory)
        for _ in range(_MAX_TRIES):
            try:
                return cls(directory, manifest, derivation)
            except SetupError:
                newer = read_manifest(directory)
                if newer == manifest:
                    raise
                manifest = newer
        raise SetupError(f"{directory}: the index changed {_MAX_TRIES} times while it was opened")

    def _place(self, ref: RefEntry, shard_first: int) -> None:
        ordinal = self._ordinal[ref.video.id]
        first = shard_first + ref.row_first
        span = slice(first, first + ref.num_rows)
        self._ref_first[ordinal] = first
        self.ref_ordinal[span] = ordinal
        self.is_searched[span] = _searched_rows(self._shards[ref.shard], ref)

    def __len__(self) -> int:
        return len(self.ref_ids)

    def ref_row(self, position: NDArray[np.int64]) -> NDArray[np.int64]:
        """Say which row of its own reference each position is."""
        row: NDArray[np.int64] = position - self._ref_first[self.ref_ordinal[position]]
        return row

    def searched_positions(self) -> NDArray[np.int64]:
        """Positions of the searched rows by reference and row, wherever they lie on disk."""
        position = np.flatnonzero(self.is_searched)
        ordered: NDArray[np.int64] = position[np.argsort(self.ref_ordinal[position], kind="stable")]
        return ordered

    def blocks(self) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yield the mapped features of each shard with the position of their first row."""
        for first, shard in zip(self._first_position[:-1], self._shards.values(), strict=True):
            yield int(first), shard.features

    def features_at(self, position: NDArray[np.int64]) -> NDArray[np.float32]:
        """Copy the features of some positions, ``(len(position), D)``."""
        shard_of = np.searchsorted(self._first_position, position, side="right") - 1
        shards = tuple(self._shards.values())
        used = np.unique(shard_of)
        if len(used) == 1:
            local = position - self._first_position[used[0]]
            only: NDArray[np.float32] = shards[used[0]].features[local]
            return only
        features = np.empty((len(position), self.space.dim), dtype=np.float32)
        for ordinal in used:
            is_here = shard_of == ordinal
            local = position[is_here] - self._first_position[ordinal]
            features[is_here] = shards[ordinal].features[local]
        return features

    def descriptors(self, ref_id: str) -> Descriptors:
        """Read one reference as it may match: rows of excluded frames are zero.

        Its features stay mapped unless something is excluded; the others are not touched.

        Raises:
            InputError: there is none of this id.
        """
        ref = self._entry(ref_id)
        descriptors = self._shards[ref.shard].descriptors(ref, self.space)
        return silenced(descriptors, ref.excluded)

    def stored_descriptors(self, ref_id: str) -> Descriptors:
        """Read one reference as it was added, whatever is derived from it.

        Raises:
            InputError: there is none of this id.
        """
        ref = self._entry(ref_id)
        return self._stored[ref.shard].descriptors(ref, self.manifest.space)

    def _entry(self, ref_id: str) -> RefEntry:
        if ref_id not in self._ordinal:
            raise InputError(f"{ref_id}: the index has no reference of this id")
        return self.manifest.refs[self._ordinal[ref_id]]


def _searched_rows(shard: Shard, ref: RefEntry) -> NDArray[np.bool_]:
    rows = shard.part(ref).rows
    is_searched = np.array(rows["is_informative"], dtype=np.bool_)
    if ref.excluded:
        is_searched &= ~excluded_rows(shard.timeline(ref), rows["frame"], ref.excluded)
    return is_searched
