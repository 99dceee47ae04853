"""Search the references of an index; the only door to FAISS.

``Flat`` on a CPU needs no FAISS: blocked products of the mapped rows are faster
than its range search and copy nothing (``docs/design/search.md``). Any other
factory string, and a GPU, go through FAISS. Whoever proposes a hit, its score
comes from the stored descriptors.
"""

import hashlib
import logging
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from vcd.core import Descriptors, DescriptorSpace, FrameHits, Index, SetupError
from vcd.search.derived import read_derived, write_derived
from vcd.search.finders import BlockedFinder, Finder, Nearest, NearestFinder, RangeFinder
from vcd.search.info import IndexInfo
from vcd.search.layout import derived_path
from vcd.search.references import MappedReferences
from vcd.search.row_derivation import RowDerivation
from vcd.search.scores import HitCollector, HitColumns, row_floors, score_cells
from vcd.search.settings import SearchSettings

__all__ = ["FaissIndex", "check_factory", "load_faiss", "open_index"]

_EXACT_FACTORY = "Flat"
_MIN_TRAINING_ROWS = 10_000
"""FAISS wants 39 rows a centroid, and a product quantizer has 256."""
_TRAINING_ROWS_PER_LIST = 39
_MAX_TRAINING_ROWS = 500_000
_TRAINING_SEED = 20_220_922
_PART_ROWS = 262_144
_GPU_NEAREST = 1024
"""FAISS on a GPU gives at most 2,048 nearest rows."""
_GPU_SLACK = 2e-3
"""A tensor core may round both factors to 11 bits."""
_FaissObject: TypeAlias = Any  # FAISS has no types
_logger = logging.getLogger(__name__)


def open_index(
    path: Path, settings: SearchSettings, derivation: RowDerivation | None = None
) -> "FaissIndex":
    """Open an index for reading, beside any number of readers and one writer.

    Args:
        path: its directory.
        settings: how it is searched.
        derivation: makes the searched rows of the stored ones; None searches those. The version
            is that of the stored contents either way.

    Raises:
        SetupError: there is no index, it is damaged, or FAISS cannot serve it.
    """
    references = MappedReferences.open(path, derivation)
    return FaissIndex(references, _finder_for(path, references, settings), settings)


class FaissIndex(Index):
    """The references of one published version; it does not see later ones."""

    def __init__(
        self, references: MappedReferences, finder: Finder, settings: SearchSettings
    ) -> None:
        """Use `open_index` instead."""
        self._references = references
        self._finder = finder
        self._settings = settings

    @cached_property
    def info(self) -> IndexInfo:
        return IndexInfo.from_manifest(self._references.manifest)

    @property
    def version(self) -> str:
        return self.info.version

    @property
    def space(self) -> DescriptorSpace:
        return self._references.space

    @property
    def ref_ids(self) -> tuple[str, ...]:
        return self._references.ref_ids

    def __len__(self) -> int:
        return len(self._references)

    def descriptors(self, ref_id: str) -> Descriptors:
        return self._references.descriptors(ref_id)

    def stored_descriptors(self, ref_id: str) -> Descriptors:
        """Read one reference as it was added, whatever is derived from it."""
        return self._references.stored_descriptors(ref_id)

    def hits(self, query: Descriptors, *, min_score: float) -> Iterator[FrameHits]:
        """Find every pair of frames with at least this score, in bounded chunks.

        The score is the inner product plus the bias of the query's row.

        Raises:
            SetupError: the query is of another space.
            ValueError: ``min_score`` is not a number.
        """
        if query.space != self.space:
            raise SetupError(
                f"{query.video_id}: the index holds descriptors of {self.space}, "
                f"the query is of {query.space}"
            )
        if np.isnan(min_score):
            raise ValueError(f"{query.video_id}: min_score is not a number")
        collector = HitCollector(
            query.video_id, self.ref_ids, max_chunk_hits=self._settings.max_chunk_hits
        )
        return collector.chunks(self._scored(query, np.float32(min_score)))

    def _scored(self, query: Descriptors, min_score: np.float32) -> Iterator[HitColumns]:
        informative_row = np.flatnonzero(query.is_informative)
        rows = np.ascontiguousarray(query.features[informative_row])
        bias = query.score_bias[informative_row]
        references = self._references
        floor = row_floors(min_score, bias)
        for found_row, found_position in self._finder.find(rows, floor):
            is_searched = references.is_searched[found_position]
            query_row, position = found_row[is_searched], found_position[is_searched]
            score = score_cells(rows, bias, query_row, position, references.features_at)
            is_hit = score >= min_score
            position = position[is_hit]
            yield (
                informative_row[query_row[is_hit]],
                references.ref_ordinal[position].astype(np.int64),
                references.ref_row(position),
                score[is_hit],
            )


def load_faiss() -> _FaissObject:
    """Import FAISS with the one setting that makes small batches of queries fast.

    Raises:
        SetupError: it cannot be imported, for instance without CUDA 12 libraries.
    """
    try:
        import faiss
    except (ImportError, OSError, RuntimeError) as error:
        raise SetupError(f"FAISS cannot be imported: {error}") from error
    faiss.cvar.distance_compute_blas_threshold = 1
    return faiss


def check_factory(dim: int, factory: str) -> None:
    """Refuse a factory string that FAISS does not understand.

    Raises:
        SetupError: FAISS says so, or is missing.
    """
    if factory != _EXACT_FACTORY:
        _empty_index(load_faiss(), dim, factory)


def _finder_for(path: Path, references: MappedReferences, settings: SearchSettings) -> Finder:
    factory = references.manifest.factory
    blocked = BlockedFinder(references)
    if factory == _EXACT_FACTORY:
        parts = _gpu_parts(references) if settings.use_gpu else []
        if not parts:
            return blocked
        return NearestFinder(parts, k=_GPU_NEAREST, slack=_GPU_SLACK, blocked=blocked)
    positions = references.searched_positions()
    index = _derived_index(path, references, positions)
    if index is None:
        _logger.info("%s: too few rows to train %s, searched exactly", path, factory)
        return blocked
    inverted = load_faiss().try_extract_index_ivf(index)
    if inverted is not None:
        inverted.nprobe = min(settings.num_probes, inverted.nlist)
    return RangeFinder(index.range_search, positions, slack=settings.approximate_slack)


def _gpu_parts(references: MappedReferences) -> list[Nearest]:
    """Put the searched rows on the GPU; nothing where FAISS sees none."""
    if not any(Path("/dev").glob("nvidia[0-9]*")) and not Path("/dev/dxg").exists():
        return []
    try:
        faiss = load_faiss()
        if faiss.get_num_gpus() == 0:
            return []
    except SetupError as error:
        _logger.info("searching on the CPU: %s", error)
        return []
    resources = faiss.StandardGpuResources()
    lock = Lock()  # FAISS on a GPU serves one thread at a time
    positions = references.searched_positions()
    parts = []
    try:
        for first in range(0, len(positions), _PART_ROWS):
            here = positions[first : first + _PART_ROWS]
            index = faiss.GpuIndexFlatIP(resources, references.space.dim)
            index.add(references.features_at(here))
            parts.append(_nearest_of(index, here, lock))
    except RuntimeError as error:
        _logger.warning("searching on the CPU: the GPU cannot hold the index: %s", error)
        return []
    return parts


def _nearest_of(index: _FaissObject, positions: NDArray[np.int64], lock: Lock) -> Nearest:
    def nearest(
        query: NDArray[np.float32], k: int
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        with lock:
            score, ordinal = index.search(query, k)
        return score, np.where(ordinal >= 0, positions[ordinal], -1)

    return nearest


def _empty_index(faiss: _FaissObject, dim: int, factory: str) -> _FaissObject:
    try:
        index = faiss.index_factory(dim, factory, faiss.METRIC_INNER_PRODUCT)
        _try_range_search(index, dim)
    except (RuntimeError, AssertionError) as error:
        raise SetupError(
            f"FAISS cannot make an index {factory!r} of {dim} dimensions that can be searched "
            f"by a floor: {str(error).strip().rpartition('Error: ')[2] or 'it gave no reason'}"
        ) from error
    return index


def _try_range_search(index: _FaissObject, dim: int) -> None:
    try:
        index.range_search(np.zeros((1, dim), dtype=np.float32), 1.0)
    except RuntimeError as error:
        if "is_trained" not in str(error):
            raise


def _derived_index(
    path: Path, references: MappedReferences, positions: NDArray[np.int64]
) -> _FaissObject:
    """Read the FAISS rows of this version, or make them; None when there are too few to train."""
    faiss = load_faiss()
    manifest = references.manifest
    recipe = hashlib.sha256(f"{manifest.factory} {references.space}".encode()).hexdigest()
    file = derived_path(path, "rows", version=manifest.version, recipe=recipe)
    index = _read_index(faiss, file)
    if index is not None and index.ntotal == len(positions):
        return index
    trained = derived_path(path, "trained", version=recipe, recipe=recipe)
    index = _read_index(faiss, trained)
    if index is None:
        index = _train_index(faiss, references, positions)
        _write_index(faiss, index, trained)
    if index is not None:
        for first in range(0, len(positions), _PART_ROWS):
            index.add(references.features_at(positions[first : first + _PART_ROWS]))
        _write_index(faiss, index, file)
    return index


def _train_index(
    faiss: _FaissObject,
    references: MappedReferences,
    positions: NDArray[np.int64],
) -> _FaissObject:
    """Train once, on the rows there are; later references find it frozen."""
    index = _empty_index(faiss, references.space.dim, references.manifest.factory)
    if index.is_trained:
        return index
    inverted = faiss.try_extract_index_ivf(index)
    num_lists = 0 if inverted is None else inverted.nlist
    if len(positions) < max(_MIN_TRAINING_ROWS, _TRAINING_ROWS_PER_LIST * num_lists):
        return None
    rng = np.random.default_rng(_TRAINING_SEED)
    num_rows = min(len(positions), _MAX_TRAINING_ROWS)
    sample = np.sort(rng.choice(len(positions), num_rows, replace=False))
    index.train(references.features_at(positions[sample]))
    return index


def _read_index(faiss: _FaissObject, file: Path) -> _FaissObject:
    data = read_derived(file)
    if data is None:
        return None
    return faiss.deserialize_index(np.frombuffer(data, dtype=np.uint8))


def _write_index(faiss: _FaissObject, index: _FaissObject, file: Path) -> None:
    if index is not None:
        write_derived(file, faiss.serialize_index(index).data)
