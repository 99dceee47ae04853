"""Tables of stretches and of pairs: what the metrics are computed from.

A row is a stretch of a pair or a pair; columns are arrays. What a file looks like, and where ids
come from, is not known here.
"""

from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from vcd.core.records import read_only

__all__ = ["Candidates", "Segments", "number_pairs", "ordinals"]

Names = NDArray[np.str_]
Ordinals = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidates:
    """Scored (query, reference) pairs, each at most once; or the true pairs, all with score 1.

    Attributes:
        query_ids: ``(N,)`` str, none empty.
        ref_ids: ``(N,)`` str, none empty.
        score: ``(N,)`` float64, finite, higher is better, may be negative.

    Raises:
        ValueError: a row is not what is said above; rows count from 0.
    """

    query_ids: Names
    ref_ids: Names
    score: NDArray[np.float64]

    def __post_init__(self) -> None:
        _freeze_columns(self)
        pair, first_row = _first_sight(self.query_ids, self.ref_ids)
        if len(first_row) < len(pair):
            again = int(np.flatnonzero(first_row[pair] != np.arange(len(pair)))[0])
            first = int(first_row[pair[again]])
            raise ValueError(
                f"row {again}: the pair {self.query_ids[again]}, {self.ref_ids[again]} "
                f"stands in row {first} already"
            )

    def __len__(self) -> int:
        return len(self.score)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Segments:
    """Stretches of pairs, predicted or true, in the order of their file.

    Attributes:
        query_ids: ``(N,)`` str, none empty.
        ref_ids: ``(N,)`` str, none empty.
        query_s: ``(N, 2)`` float64, ``[start, end)`` in seconds, ``start <= end``; a stretch of
            length zero is legal and counts for nothing.
        ref_s: ``(N, 2)`` float64, as ``query_s``.
        score: ``(N,)`` float64, finite, higher is better, may be negative; of the truth all 1.

    Raises:
        ValueError: a row is not what is said above; rows count from 0.
    """

    query_ids: Names
    ref_ids: Names
    query_s: NDArray[np.float64]
    ref_s: NDArray[np.float64]
    score: NDArray[np.float64]

    def __post_init__(self) -> None:
        _freeze_columns(self)
        for name in ("query_s", "ref_s"):
            bounds = np.array(getattr(self, name), dtype=np.float64)
            if bounds.shape != (len(self.score), 2):
                raise ValueError(f"{name} must be ({len(self.score)}, 2), got {bounds.shape}")
            _refuse_row(np.any(~np.isfinite(bounds), axis=1), f"a bound in {name} is not finite")
            _refuse_row(bounds[:, 0] > bounds[:, 1], f"{name} ends before it starts")
            object.__setattr__(self, name, read_only(bounds))

    def __len__(self) -> int:
        return len(self.score)

    def take(self, rows: NDArray[np.bool_]) -> "Segments":
        """Keep the rows that ``(N,)`` bools say."""
        return Segments(
            query_ids=self.query_ids[rows],
            ref_ids=self.ref_ids[rows],
            query_s=self.query_s[rows],
            ref_s=self.ref_s[rows],
            score=self.score[rows],
        )

    def pairs(self) -> Candidates:
        """Give each pair with its best score, in order of first sight; negative stays negative."""
        pair, first_row = _first_sight(self.query_ids, self.ref_ids)
        best = np.full(len(first_row), -np.inf)
        np.maximum.at(best, pair, self.score)
        return Candidates(
            query_ids=self.query_ids[first_row], ref_ids=self.ref_ids[first_row], score=best
        )


def ordinals(*columns: Names) -> tuple[Names, list[Ordinals]]:
    """Number the names of several columns together, in order of first sight.

    Returns:
        The ``(M,)`` distinct names, and for each column the ``(N,)`` int64 places of its names
        among them.
    """
    lists = [column.tolist() for column in columns]
    distinct = list(dict.fromkeys(chain.from_iterable(lists)))
    numbers = {name: i for i, name in enumerate(distinct)}
    coded = [
        np.fromiter(map(numbers.__getitem__, names), dtype=np.int64, count=len(names))
        for names in lists
    ]
    return np.array(distinct, dtype=np.str_), coded


def number_pairs(
    queries: list[Ordinals], refs: list[Ordinals]
) -> tuple[Ordinals, Ordinals, list[Ordinals]]:
    """Number the pairs of several tables together.

    Args:
        queries: of each table ``(N,)`` int64, the query of each row, numbered over all tables.
        refs: of each table ``(N,)`` int64, the reference of each row, likewise.

    Returns:
        The query and the reference of each pair, ``(P,)`` int64, in ascending order; and of each
        table the pair of each row.
    """
    query, ref = np.concatenate(queries), np.concatenate(refs)
    num_refs = int(ref.max(initial=0)) + 1
    keys, pair = np.unique(query * num_refs + ref, return_inverse=True)
    ends = np.cumsum([len(column) for column in queries])[:-1]
    return keys // num_refs, keys % num_refs, np.split(pair, ends)


def _first_sight(query_ids: Names, ref_ids: Names) -> tuple[Ordinals, Ordinals]:
    """Number the pairs in order of first sight: of each row its pair, of each pair its row."""
    _, (query,) = ordinals(query_ids)
    refs, (ref,) = ordinals(ref_ids)
    keys, first_row, pair = np.unique(
        query * max(1, len(refs)) + ref, return_index=True, return_inverse=True
    )
    order = np.argsort(first_row)
    place = np.empty(len(keys), dtype=np.int64)
    place[order] = np.arange(len(keys))
    return place[pair], first_row[order]


def _freeze_columns(table: "Candidates | Segments") -> None:
    """Check ids and scores, and put read-only copies in their place."""
    score = np.array(table.score, dtype=np.float64)
    if score.ndim != 1:
        raise ValueError(f"score must be one column, got {score.shape}")
    for name in ("query_ids", "ref_ids"):
        ids = np.array(getattr(table, name))
        if len(ids) == 0:
            ids = ids.astype(np.str_)
        if ids.dtype.kind != "U" or ids.shape != score.shape:
            raise ValueError(f"{name} must be {score.shape} str, got {ids.shape} {ids.dtype.name}")
        _refuse_row(np.char.str_len(ids) == 0, f"{name} has an empty id")
        object.__setattr__(table, name, read_only(ids))
    _refuse_row(~np.isfinite(score), "the score is not finite")
    object.__setattr__(table, "score", read_only(score))


def _refuse_row(is_wrong: NDArray[np.bool_], complaint: str) -> None:
    """Name the first wrong row, if there is one."""
    if is_wrong.any():
        raise ValueError(f"row {int(is_wrong.argmax())}: {complaint}")
