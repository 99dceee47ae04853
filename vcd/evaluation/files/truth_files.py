"""Read the pairs of DISC2021 and the boxes of VCSL.

DISC2021   Q00000,R000000          a pair a line; a query without a copy has an empty reference
VCSL       {"query-ref": [[query start, ref start, query end, ref end], ...], ...}, or the CSV
           of VSC2022's ground truth
"""

import json
import sys
from collections import Counter
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from vcd.core import InputError
from vcd.evaluation.files.csv_columns import open_csv
from vcd.evaluation.tables import Candidates, Segments

__all__ = ["read_pairs", "read_vcsl_boxes"]

_QUERY_NAMES = ("query_id", "query")
_REF_NAMES = ("reference_id", "ref_id", "reference", "ref")


def read_pairs(path: Path) -> Candidates:
    """Read pairs, one a line: DISC2021's ground truth, VCSL's lists of pairs.

    Args:
        path: CSV of two columns or more, the first two being query and reference, with or without
            a header ``query_id,reference_id`` (or ``query_id,ref_id``). A line whose reference is
            empty says that the query has no copy, and is no pair.

    Returns:
        The pairs in the file's order, each with score 1.

    Raises:
        InputError: not such a file, an empty query, or a pair that stands there twice.
    """
    opened = open_csv(path)
    if len(opened.header) < 2:
        raise InputError(f"{path}: wanted two columns, query and reference, found one")
    query_name, ref_name = (name.strip() for name in opened.header[:2])
    has_header = query_name in _QUERY_NAMES and ref_name in _REF_NAMES
    first_row = () if has_header else ((1, list(opened.header)),)
    first_line: dict[tuple[str, str], int] = {}
    for line, (query, ref, *_) in chain(first_row, opened.even_rows()):
        if not query.strip() or "\0" in query + ref:
            raise InputError(f"{path}, line {line}: the query's id is empty, or an id holds a NUL")
        if not ref.strip():
            continue
        if first_line.setdefault((query, ref), line) != line:
            at = first_line[query, ref]
            raise InputError(
                f"{path}, line {line}: the pair of {query} and {ref} stands in line {at} already"
            )
    return _pairs(list(first_line))


def read_vcsl_boxes(
    path: Path, read_csv: Callable[[Path], Segments]
) -> tuple[Segments, Candidates]:
    """Read VCSL's ground truth or predictions: JSON if its first character says so, else CSV.

    Args:
        path: of the file.
        read_csv: `vcd.evaluation.files.vsc_files.read_ground_truth` or ``read_segments``, ids kept.

    Returns:
        The stretches (those of JSON with score 1), and all pairs that the file speaks of: in JSON
        also those of which it says that nothing is copied.

    Raises:
        InputError: not such a file; names the line or the pair.
    """
    try:
        with path.open("rb") as file:
            is_json = file.read(64).removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"{"
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    if not is_json:
        segments = read_csv(path)
        return segments, segments.pairs()
    return _read_json(path)


def _read_json(path: Path) -> tuple[Segments, Candidates]:
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not VCSL's JSON: {error}") from error
    pairs: list[tuple[str, str]] = []
    owners: list[tuple[str, str]] = []
    bounds: list[tuple[float, ...]] = []
    for key, boxes in document.items():
        pair = _pair(path, key)
        pairs.append(pair)
        for box in _boxes(path, key, boxes):
            owners.append(pair)
            bounds.append(box)
    table = np.array(bounds, dtype=np.float64).reshape(-1, 4)
    segments = Segments(
        query_ids=np.array([query for query, _ in owners], dtype=np.str_),
        ref_ids=np.array([ref for _, ref in owners], dtype=np.str_),
        query_s=table[:, [0, 2]],
        ref_s=table[:, [1, 3]],
        score=np.ones(len(table)),
    )
    return segments, _pairs(pairs)


def _once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(members)
    if len(document) != len(members):
        ((twice, _),) = Counter(name for name, _ in members).most_common(1)
        raise ValueError(f"{twice!r} stands there twice")
    return document


def _pair(path: Path, key: str) -> tuple[str, str]:
    """Split at the middle dash: ids may have dashes of their own, one id as many as the other."""
    parts = key.split("-")
    half = len(parts) // 2
    if (
        len(parts) % 2
        or not key.isprintable()
        or not all(pair := ("-".join(parts[:half]), "-".join(parts[half:])))
    ):
        raise InputError(f"{path}: wanted names of pairs as query-ref, found {key!r}")
    return pair


def _boxes(path: Path, key: str, boxes: object) -> list[tuple[float, ...]]:
    if not isinstance(boxes, list):
        raise InputError(f"{path}: {key}: wanted a list of boxes, found {type(boxes).__name__}")
    found = []
    for number, box in enumerate(boxes, start=1):
        at = f"{path}: {key}, box {number}"
        is_box = isinstance(box, list) and len(box) == 4
        if not is_box or not all(type(bound) in (int, float) for bound in box):
            raise InputError(f"{at}: wanted query start, ref start, query end, ref end in numbers")
        if not all(abs(bound) <= sys.float_info.max for bound in box):
            raise InputError(f"{at}: a bound is not finite")
        if box[2] < box[0] or box[3] < box[1]:
            raise InputError(f"{at}: it ends before it starts: {box}")
        found.append(tuple(float(bound) for bound in box))
    return found


def _pairs(pairs: list[tuple[str, str]]) -> Candidates:
    return Candidates(
        query_ids=np.array([query for query, _ in pairs], dtype=np.str_),
        ref_ids=np.array([ref for _, ref in pairs], dtype=np.str_),
        score=np.ones(len(pairs)),
    )
