"""Project descriptors as a background set teaches: drop a dimension, or whiten all.

    projected = l2_normalize(matrix (x - mean))

Zero rows (frames without evidence) stay zero. Arithmetic is in float64, so that what becomes of
a row depends neither on the rows beside it nor on the block that it is in, to float32's last bit
but for rare ties of rounding. B rows, D dimensions before and E after.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vcd.core import InputError
from vcd.core.records import read_only

__all__ = ["Projection", "unit_rows"]

_BLOCK_ROWS = 16_384
"""67 MB of float64 at 512 dimensions."""

_MIN_VARIANCE_RATIO = 1e-10
"""A direction that varies less, beside the strongest one, is rounding: whitening would make it
as loud as the others."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Projection:
    """``l2_normalize(matrix (x - mean))``.

    Attributes:
        mean: ``(D,)`` float32.
        matrix: ``(E, D)`` float32.

    Raises:
        ValueError: the shapes do not fit, or a number is not finite.
    """

    mean: NDArray[np.float32]
    matrix: NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.mean.ndim != 1 or self.matrix.ndim != 2 or 0 in self.matrix.shape:
            raise ValueError(f"no projection: mean {self.mean.shape}, matrix {self.matrix.shape}")
        if self.matrix.shape[1] != len(self.mean):
            raise ValueError(f"no projection: mean {self.mean.shape}, matrix {self.matrix.shape}")
        if not (np.isfinite(self.mean).all() and np.isfinite(self.matrix).all()):
            raise ValueError("a number of the projection is not finite")
        for name in ("mean", "matrix"):
            values = np.ascontiguousarray(getattr(self, name), dtype=np.float32)
            object.__setattr__(self, name, read_only(values))

    @property
    def dim(self) -> int:
        """E, the length of a projected descriptor."""
        return len(self.matrix)

    @property
    def digest(self) -> str:
        """Digest of both arrays, 64 hexadecimal digits."""
        sha256 = hashlib.sha256(f"projection {self.matrix.shape}".encode())
        for values in (self.mean, self.matrix):
            sha256.update(values.astype("<f4", copy=False).tobytes())
        return sha256.hexdigest()

    def apply(self, features: NDArray[np.floating]) -> NDArray[np.float32]:
        """Project rows of any length.

        Args:
            features: ``(B, D)`` floats, finite; may be memory-mapped.

        Returns:
            ``(B, E)`` float32 of length 1, or 0 where the row is 0 or nothing is left of it.

        Raises:
            ValueError: they are not of D dimensions.
        """
        if features.ndim != 2 or features.shape[1] != len(self.mean):
            raise ValueError(f"wanted (B, {len(self.mean)}) features, got {features.shape}")
        projected = np.empty((len(features), self.dim), dtype=np.float32)
        matrix = self.matrix.astype(np.float64)
        for first, block in _blocks(features):
            speaks = np.any(block, axis=1)
            moved = ((block - self.mean) @ matrix.T) * speaks[:, None]
            projected[first : first + len(block)] = _unit(moved)
        return projected

    @classmethod
    def dropping_lowest_variance(cls, background: NDArray[np.floating]) -> "Projection":
        """Leave out the dimension that varies least; the first of several (VSC2022's baseline).

        Args:
            background: ``(B, D)`` raw rows, finite, ``D >= 2``.

        Raises:
            InputError: there is no row, or but one dimension.
        """
        num_rows, dim = background.shape
        if num_rows < 1 or dim < 2:
            raise InputError(
                "background: dropping a dimension wants at least one row of two dimensions or "
                f"more, got {num_rows} rows of {dim}"
            )
        kept = np.delete(np.arange(dim), int(np.diagonal(_covariance(background)[1]).argmin()))
        return cls(
            mean=np.zeros(dim, dtype=np.float32),
            matrix=np.eye(dim, dtype=np.float32)[kept],
        )

    @classmethod
    def whitening(cls, background: NDArray[np.floating], dim: int) -> "Projection":
        """Turn the rows to their principal axes and give each the same variance.

        What FAISS calls ``PCAW<dim>,L2norm``, up to the sign of each dimension: here the largest
        entry of an axis is positive. All rows are used; FAISS draws 1,000 for each
        dimension, with a fixed seed, where there are more.

        Args:
            background: ``(B, D)`` raw rows, finite.
            dim: how many axes to keep, those of largest variance.

        Raises:
            InputError: the rows do not vary along so many axes.
        """
        num_rows, num_axes = background.shape
        if num_rows <= dim or dim > num_axes:
            raise InputError(
                f"background: whitening to {dim} dimensions wants more than {dim} rows of at "
                f"least {dim} dimensions, got {num_rows} of {num_axes}"
            )
        mean, covariance = _covariance(background)
        variance, axes = np.linalg.eigh(covariance)
        variance, axes = variance[::-1][:dim], axes.T[::-1][:dim]
        varying = variance > _MIN_VARIANCE_RATIO * variance[0]
        if not varying.all():
            raise InputError(
                f"background: whitening to {dim} dimensions wants rows that vary along as many, "
                f"got {np.count_nonzero(varying)}"
            )
        largest = axes[np.arange(dim), np.abs(axes).argmax(axis=1)]
        # The common scale is free, for rows are brought to length 1: keep numbers near 1.
        scale = np.sign(largest) * np.sqrt(variance[0] / variance)
        matrix = (axes * scale[:, None]).astype(np.float32)
        return cls(mean=mean.astype(np.float32), matrix=matrix)


def unit_rows(features: NDArray[np.floating]) -> NDArray[np.float32]:
    """Bring rows ``(B, D)`` to length 1 in float64 arithmetic; a zero row stays zero."""
    unit = np.empty(features.shape, dtype=np.float32)
    for first, block in _blocks(features):
        unit[first : first + len(block)] = _unit(block)
    return unit


def _unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    length = np.sqrt(np.einsum("bd,bd->b", rows, rows))
    length[length == 0.0] = 1.0
    unit: NDArray[np.float64] = rows / length[:, None]
    return unit


def _blocks(rows: NDArray[np.floating]) -> Iterator[tuple[int, NDArray[np.float64]]]:
    for first in range(0, len(rows), _BLOCK_ROWS):
        yield first, np.asarray(rows[first : first + _BLOCK_ROWS], dtype=np.float64)


def _covariance(
    rows: NDArray[np.floating],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the mean ``(D,)`` and the covariance ``(D, D)`` of at least one row."""
    dim = rows.shape[1]
    mean = sum((block.sum(axis=0) for _, block in _blocks(rows)), np.zeros(dim)) / len(rows)
    covariance = np.zeros((dim, dim))
    for _, block in _blocks(rows):
        centred = block - mean
        covariance += centred.T @ centred
    return mean, covariance / len(rows)
