"""Rows that are searched in place of the stored ones, made of them once and kept.

    DIR/shards/<digest>                             stored rows, immutable
    DIR/derived/projected-<digest>-<recipe>.rows    what a derivation made of them, mapped

It does not know what the derivation does: `vcd.descriptors` has the fits. Each video is derived
by itself, so that its rows do not depend on what lies beside it in a shard.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vcd.core import DescriptorSpace
from vcd.search.derived import map_or_make
from vcd.search.layout import PROJECTED, derived_path
from vcd.search.manifest import ShardEntry
from vcd.search.shards import Shard

__all__ = ["RowDerivation", "derived_shard"]

_BLOCK_ROWS = 8192
"""32 MB of float64 at 512 dimensions."""
_UNIT_TOLERANCE = 2e-3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RowDerivation:
    """How searched rows are made of stored ones.

    Attributes:
        space: of the derived rows; its fingerprint names the derivation.
        derive: ``(B, D)`` float32 stored rows to ``(B, E)`` float32 rows of length 1 or 0, each
            row for itself; zero rows stay zero.
    """

    space: DescriptorSpace
    derive: Callable[[NDArray[np.float32]], NDArray[np.float32]]


def derived_shard(
    directory: Path, entry: ShardEntry, stored: Shard, derivation: RowDerivation
) -> Shard:
    """Give a shard with derived features in place of the stored ones.

    They are mapped from the file that the first reader made; a reader that may not write there
    maps a temporary file of its own.

    Args:
        directory: of the index.
        entry: the shard.
        stored: the same, mapped.
        derivation: makes the rows.

    Raises:
        SetupError: there is no room for them anywhere.
        ValueError: the derivation gave something else than rows of its space.
    """
    recipe = hashlib.sha256(str(derivation.space).encode()).hexdigest()
    file = derived_path(directory, PROJECTED, version=entry.digest, recipe=recipe)
    num_rows, dim = entry.num_rows, derivation.space.dim
    features_bytes = num_rows * dim * np.dtype(np.float32).itemsize
    contents = map_or_make(
        file, features_bytes + num_rows, partial(_derived_parts, stored, derivation)
    )
    features = contents[:features_bytes].view(np.float32).reshape(num_rows, dim)
    return replace(
        stored, features=features, rows=_marked_rows(stored, contents[features_bytes:] != 0)
    )


def _derived_parts(stored: Shard, derivation: RowDerivation) -> Iterator[NDArray[np.generic]]:
    """Yield all derived rows in blocks, then whether each is not zero."""
    is_informative = []
    for first, stop in _blocks(stored):
        rows = derivation.derive(np.ascontiguousarray(stored.features[first:stop]))
        is_informative.append(_informative_rows(rows, stop - first, derivation.space))
        yield np.ascontiguousarray(rows)
    yield np.concatenate(is_informative) if is_informative else np.empty(0, dtype=np.bool_)


def _blocks(stored: Shard) -> Iterator[tuple[int, int]]:
    """Cut at every video, dead ones too, and long ones counted from their own first row."""
    first = 0
    for _, num_rows, _ in json.loads(stored.contents.tobytes()):
        for offset in range(0, num_rows, _BLOCK_ROWS):
            yield first + offset, first + min(offset + _BLOCK_ROWS, num_rows)
        first += num_rows


def _informative_rows(
    rows: NDArray[np.float32], num_rows: int, space: DescriptorSpace
) -> NDArray[np.bool_]:
    if rows.shape != (num_rows, space.dim) or rows.dtype != np.float32:
        raise ValueError(
            f"{space.name}: wanted ({num_rows}, {space.dim}) float32 rows, "
            f"got {rows.shape} {rows.dtype}"
        )
    squared = np.einsum("nd,nd->n", rows, rows)
    is_informative: NDArray[np.bool_] = squared != 0.0
    if not (np.abs(squared[is_informative] - 1.0) <= _UNIT_TOLERANCE).all():
        raise ValueError(f"{space.name}: a derived row is neither of length 1 nor zero")
    return is_informative


def _marked_rows(stored: Shard, is_informative: NDArray[np.bool_]) -> NDArray[np.void]:
    """Take the evidence from rows that became zero; stays mapped where none did."""
    if (is_informative | ~stored.rows["is_informative"]).all():
        return stored.rows
    rows = np.array(stored.rows)
    rows["is_informative"] &= is_informative
    return rows
