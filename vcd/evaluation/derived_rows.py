"""From descriptor files to the rows that are searched: projected, with a score bias.

The published protocols search raw rows, projected ones, and either with score normalization. What
a background set teaches is `vcd.descriptors`' matter; here it is applied to whole files, which may
be larger than memory: projected rows go to a folder and are mapped, and the background is searched
in blocks. Whether files may be compared at all is checked here too.
"""

import dataclasses
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vcd.core import InputError, SetupError
from vcd.descriptors import DescriptorRows, Projection, bias_of_nearest
from vcd.evaluation.files.vsc_files import vsc_ids
from vcd.search import RowSimilarity, nearest_rows

__all__ = [
    "Learner",
    "ScoreNormRule",
    "SearchRows",
    "check_background",
    "check_same_space",
    "derived",
]

Learner = Callable[[NDArray[np.floating]], Projection]
"""Makes a projection of ``(B, D)`` background rows."""

_ROWS_PER_STEP = 16_384
"""Projected at a time: 32 MB at 512 dimensions."""

_NAMED = 3

_RULE = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\[(\d+),(\d+)\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreNormRule:
    """How much of which background similarities is taken away from a query row's scores.

        bias(q) = offset - weight * mean_{k in [first, stop)} (k-th largest <q, b>)

    As `vcd.descriptors.score_norm.ScoreNorm`, for a background that need not fit in memory.

    Attributes:
        weight: at least 0; 1.0 to 1.5 is usual.
        first: of the nearest background rows, counted from 0.
        stop: one after the last of them.
        offset: moves all scores alike.

    Raises:
        ValueError: there is no row in ``[first, stop)``, or the weight is negative.
    """

    weight: float
    first: int
    stop: int
    offset: float = 0.0

    def __post_init__(self) -> None:
        if not (0 <= self.first < self.stop and 0 <= self.weight < float("inf")):
            raise ValueError(
                "score normalization needs a weight of at least 0 and a range of neighbours that "
                f"is not empty, got {self.weight} and [{self.first}, {self.stop})"
            )

    def __str__(self) -> str:
        """Write the published notation, but for the offset."""
        return f"{self.weight}[{self.first},{self.stop - 1}]"

    @classmethod
    def from_text(cls, text: str) -> "ScoreNormRule":
        """Read the published notation ``1.0[0,2]``: weight, first and last neighbour.

        Raises:
            ValueError: it is not of that form.
        """
        found = _RULE.fullmatch(text)
        if found is None:
            raise ValueError(f"wanted weight[first,last] as in 1.0[0,2], got {text!r}")
        return cls(weight=float(found[1]), first=int(found[2]), stop=int(found[3]) + 1)

    def bias(self, query: NDArray[np.floating], background: DescriptorRows) -> NDArray[np.float32]:
        """Give the score bias of each query row.

        Args:
            query: ``(Q, D)`` rows as they are searched.
            background: rows derived as the query's are.

        Returns:
            ``(Q,)`` float32; 0 for rows of zero.

        Raises:
            InputError: the background has fewer than ``stop`` rows.
        """
        num_rows = len(background.features)
        if num_rows < self.stop:
            raise InputError(
                f"{background.path}: score normalization wants a background of at least "
                f"{self.stop} rows, found {num_rows}"
            )
        nearest = nearest_rows(query, background.features, self.stop)
        by_query = np.argsort(nearest.query_row, kind="stable")
        similarity = nearest.score[by_query].reshape(len(query), self.stop)
        counted = similarity[:, self.first :]
        bias = bias_of_nearest(counted, weight=self.weight, offset=self.offset)
        return np.where(query.any(axis=1), bias, 0.0).astype(np.float32)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SearchRows:
    """Two files whose rows are compared.

    Attributes:
        query: the queries.
        ref: the references.
        score_bias: ``(Q,)`` float32, added to the scores of each query row; None adds nothing.
        similarity: what two rows score.
    """

    query: DescriptorRows
    ref: DescriptorRows
    score_bias: NDArray[np.float32] | None = None
    similarity: RowSimilarity = RowSimilarity.INNER_PRODUCT


def check_same_space(first: DescriptorRows, *others: DescriptorRows) -> None:
    """Refuse to compare what different weights made.

    A file of another program does not say what made it. Such files compare with each other, if
    their dimensions agree; with a file that does say, they do not: nobody knows.

    Raises:
        InputError: two files are of different spaces, or of different dimensions.
    """
    for other in others:
        if first.features.shape[1] != other.features.shape[1]:
            raise InputError(
                f"{other.path}: rows of {other.features.shape[1]} dimensions cannot be compared "
                f"with the {first.features.shape[1]} of {first.path}"
            )
        if first.space != other.space:
            raise InputError(
                f"{other.path}: rows of space {_said(other)} cannot be compared with those of "
                f"{first.path}, space {_said(first)}"
            )


def derived(
    rows: SearchRows,
    background: DescriptorRows,
    learn: Learner | None,
    score_norm: ScoreNormRule | None,
    folder: Path,
) -> SearchRows:
    """Make of the files' rows what is searched.

    Args:
        rows: the files, and what two derived rows score.
        background: footage that is no copy of any reference.
        learn: makes a projection of the background's rows, to apply to all three files; None
            leaves rows as they are.
        score_norm: None gives no bias.
        folder: where projected rows are written; theirs as long as the rows are used.

    Raises:
        InputError: the files are of different spaces, or the background holds a reference or is
            too small.
        SetupError: the folder cannot be written.
    """
    check_same_space(rows.ref, rows.query, background)
    check_background(background, rows.ref)
    query, ref = rows.query, rows.ref
    if learn is not None:
        projection = _learned(background, learn)
        query, ref, background = (
            _projected(each, projection, folder) for each in (query, ref, background)
        )
    bias = None if score_norm is None else score_norm.bias(query.features, background)
    return dataclasses.replace(rows, query=query, ref=ref, score_bias=bias)


def check_background(background: DescriptorRows, ref: DescriptorRows) -> None:
    """Refuse a background that holds references: their copies would be taken for background.

    Raises:
        InputError: they share a video id; names the first.
    """
    shared = np.intersect1d(_names(background), _names(ref))
    if len(shared):
        named = ", ".join(shared[:_NAMED].tolist()) + (", ..." if len(shared) > _NAMED else "")
        raise InputError(
            f"{background.path}: wanted a background without references, "
            f"found {len(shared)} of {ref.path}: {named}"
        )


def _learned(background: DescriptorRows, learn: Learner) -> Projection:
    """Learn, and name the file where nothing can be learnt of it."""
    try:
        return learn(background.features)
    except InputError as error:
        raise InputError(f"{background.path}: {error}") from error


def _projected(rows: DescriptorRows, projection: Projection, folder: Path) -> DescriptorRows:
    """Project all rows of a file into a mapped file."""
    shape = (len(rows.features), projection.dim)
    path = folder / f"{len(list(folder.iterdir()))}.npy"
    try:
        made = _mapped(path, shape)
        for first in range(0, shape[0], _ROWS_PER_STEP):
            part = slice(first, first + _ROWS_PER_STEP)
            made[part] = projection.apply(rows.features[part])
    except OSError as error:
        raise SetupError(f"{path}: cannot be written: {error.strerror or error}") from error
    return dataclasses.replace(rows, features=np.asarray(made))


def _mapped(path: Path, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Make room for rows on the disk; what has no rows cannot be mapped."""
    if shape[0] == 0:
        return np.empty(shape, dtype=np.float32)
    return np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)


def _names(rows: DescriptorRows) -> NDArray[np.str_]:
    """Name the videos as references of VSC2022, where they are its integers."""
    ids = np.array([str(rows.video_ids[first]) for first, _ in rows.runs], dtype=np.str_)
    return vsc_ids(ids, "R")


def _said(rows: DescriptorRows) -> str:
    return f"{rows.space.name} ({rows.space.fingerprint[:12]})"
