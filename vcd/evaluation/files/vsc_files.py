"""Read and write the CSV files of VSC2022: matches, candidates, ground truth.

    matches        query_id,ref_id,query_start,query_end,ref_start,ref_end,score
    ground truth   query_id,ref_id,query_start,query_end,ref_start,ref_end
    candidates     query_id,ref_id,score

Read in any order of columns, written in this one, which the challenge's validator wants. Times
are seconds and may be negative when read; `vcd eval validate` is stricter. What the files say of
each other (same split, same queries) is in `splits`.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vcd.core import SetupError
from vcd.core.codec import MATCH_COLUMNS, csv_name
from vcd.evaluation.files.csv_columns import CsvColumns, read_columns
from vcd.evaluation.tables import Candidates, Segments

__all__ = [
    "CANDIDATE_COLUMNS",
    "read_candidates",
    "read_ground_truth",
    "read_segments",
    "vsc_ids",
    "write_candidates",
    "write_matches",
]

CANDIDATE_COLUMNS = ("query_id", "ref_id", "score")
"""Header of a candidates CSV."""

_IDS = ("query_id", "ref_id")
_BOUNDS = ("query_start", "query_end", "ref_start", "ref_end")
_INTEGER_ID = re.compile(r"[1-3][0-9]{5}")
"""VSC2022 writes its ids as integers in places: the digits without the letter."""


def read_segments(path: Path, *, keeps_ids: bool = False) -> Segments:
    """Read a matches CSV.

    Args:
        path: of the file; columns in any order, others than the seven are passed over.
        keeps_ids: leaves ids that look like VSC2022's integers without their letter (`vsc_ids`):
            elsewhere an id is the name of somebody's file.

    Raises:
        InputError: not such a file, or a row is wrong: not a finite number, an end before its
            start, an empty id; names file, line and column.
    """
    columns = read_columns(path, texts=_IDS, numbers=(*_BOUNDS, "score"))
    return _segments(columns, columns.numbers["score"], keeps_ids=keeps_ids)


def read_ground_truth(path: Path, *, keeps_ids: bool = False) -> Segments:
    """Read true segments; each has the score 1, whatever a score column says.

    Args:
        path: of the file; columns in any order, others than the six are passed over.
        keeps_ids: as for `read_segments`.

    Raises:
        InputError: as `read_segments`.
    """
    columns = read_columns(path, texts=_IDS, numbers=_BOUNDS)
    return _segments(columns, np.ones(len(columns.line)), keeps_ids=keeps_ids)


def read_candidates(path: Path) -> Candidates:
    """Read scored pairs.

    Raises:
        InputError: as `read_segments`; or a pair stands there twice.
    """
    columns = read_columns(path, texts=_IDS, numbers=("score",))
    query_ids = vsc_ids(columns.texts["query_id"], "Q")
    ref_ids = vsc_ids(columns.texts["ref_id"], "R")
    try:
        return Candidates(query_ids=query_ids, ref_ids=ref_ids, score=columns.numbers["score"])
    except ValueError as error:
        first: dict[tuple[str, str], int] = {}
        for row, pair in enumerate(zip(query_ids.tolist(), ref_ids.tolist(), strict=True)):
            line = int(columns.line[first.setdefault(pair, row)])
            if first[pair] != row:
                query, ref = pair
                reason = f"the pair of {query} and {ref} stands in line {line} already"
                raise columns.refuse(row, reason) from error
        raise


def write_matches(path: Path, matches: Segments) -> None:
    """Write a matches CSV, whole or not at all: seconds, numbers in their shortest exact form.

    Raises:
        SetupError: the file cannot be written.
    """
    times = [matches.query_s[:, 0], matches.query_s[:, 1], matches.ref_s[:, 0], matches.ref_s[:, 1]]
    rows = _rows(matches.query_ids, matches.ref_ids, [*times, matches.score])
    _write(path, MATCH_COLUMNS, rows)


def write_candidates(path: Path, candidates: Candidates) -> None:
    """Write a candidates CSV, whole or not at all.

    Raises:
        SetupError: the file cannot be written.
    """
    rows = _rows(candidates.query_ids, candidates.ref_ids, [candidates.score])
    _write(path, CANDIDATE_COLUMNS, rows)


def vsc_ids(ids: NDArray[np.str_], letter: str) -> NDArray[np.str_]:
    """Put the letter before ids that are VSC2022's integers: ``100001`` is ``Q100001``.

    Only six digits of which the first names a split are such an integer. Every other id stays as
    it is, so that no two ids become one.

    Args:
        ids: ``(N,)`` text.
        letter: ``Q`` for queries, ``R`` for references.
    """
    if not np.strings.isdecimal(ids).any():
        return ids
    named = [letter + each if _INTEGER_ID.fullmatch(each) else each for each in ids.tolist()]
    return np.array(named, dtype=np.str_)


def _segments(columns: CsvColumns, score: NDArray[np.float64], *, keeps_ids: bool) -> Segments:
    bounds = columns.numbers
    for side in ("query", "ref"):
        start_s, end_s = bounds[f"{side}_start"], bounds[f"{side}_end"]
        ends_before = np.flatnonzero(end_s < start_s)
        if len(ends_before):
            row = int(ends_before[0])
            raise columns.refuse(
                row, f"{side}_end {end_s[row]:g} is before {side}_start {start_s[row]:g}"
            )
    query_ids, ref_ids = (columns.texts[name] for name in _IDS)
    return Segments(
        query_ids=query_ids if keeps_ids else vsc_ids(query_ids, "Q"),
        ref_ids=ref_ids if keeps_ids else vsc_ids(ref_ids, "R"),
        query_s=np.stack([bounds["query_start"], bounds["query_end"]], axis=1),
        ref_s=np.stack([bounds["ref_start"], bounds["ref_end"]], axis=1),
        score=score,
    )


def _rows(
    query_ids: NDArray[np.str_], ref_ids: NDArray[np.str_], numbers: list[NDArray[np.float64]]
) -> Iterator[str]:
    names = [map(csv_name, query_ids.tolist()), map(csv_name, ref_ids.tolist())]
    cells = [*names, *(map(repr, column.tolist()) for column in numbers)]
    return map(",".join, zip(*cells, strict=True))


def _write(path: Path, header: tuple[str, ...], rows: Iterable[str]) -> None:
    part = path.with_name(path.name + ".part")
    try:
        with part.open("w", encoding="utf-8", newline="") as file:
            file.writelines(f"{row}\n" for row in chain([",".join(header)], rows))
        part.replace(path)
    except OSError as error:
        raise SetupError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)
