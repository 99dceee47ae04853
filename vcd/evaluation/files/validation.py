"""Find all that the VSC2022 challenge would refuse a file for, at once and in sentences.

The limits are those of the challenge's own validators. The readers beside this are more lenient on
purpose: they take any order of columns and half precision. Every kind of violation is told: the
first ten of a kind, then how many more there are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vcd.core import InputError
from vcd.core.codec import MATCH_COLUMNS
from vcd.descriptors import open_arrays
from vcd.evaluation.files.csv_columns import CsvRows, is_finite_number, open_csv, read_columns
from vcd.evaluation.files.descriptor_limits import check_descriptors
from vcd.evaluation.files.violations import Violations
from vcd.evaluation.files.vsc_files import CANDIDATE_COLUMNS

__all__ = ["Validation", "read_durations", "validate_file"]

_ZIP_MAGIC = b"PK"
_BOUNDS = ("query_start", "query_end", "ref_start", "ref_end")
_SHOWN_CHARACTERS = 100

Kind = Literal["descriptors", "matches", "candidates", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """What was found in a file.

    Attributes:
        kind: what the file was taken for, by its content.
        num_rows: descriptors, matches or candidates in it.
        violations: sentences; none when the challenge would take the file.
    """

    kind: Kind
    num_rows: int
    violations: tuple[str, ...]


def validate_file(path: Path, durations_s: Mapping[str, float] | None = None) -> Validation:
    """Hold a file against the limits of the challenge.

    Descriptors: float32, at most 512 dimensions, finite; ids sorted and so together; as many ids as
    vectors and timestamps; with ``durations_s``, at most one descriptor for each second begun, all
    videos pooled. Matches: columns in their order, times of 0 and more, no end before its start.
    Candidates: columns in their order, no pair twice. Numbers are finite everywhere.

    Args:
        path: a ``.npz`` or a CSV file; its content says which.
        durations_s: video id -> seconds, of all videos of the split; an id beside them is a
            violation. None leaves both limits out.
    """
    found = Violations()
    kind: Kind = "unknown"
    num_rows = 0
    try:
        with path.open("rb") as file:
            is_archive = file.read(2) == _ZIP_MAGIC
        if is_archive:
            kind = "descriptors"
            num_rows = check_descriptors(open_arrays(path), durations_s, found)
        else:
            opened = open_csv(path)
            kind = _kind(opened)
            num_rows = _check_csv(opened, kind, durations_s, found)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    except InputError as error:
        found.add("unreadable", str(error).removeprefix(f"{path}: ").removeprefix(f"{path}, "))
    return Validation(kind=kind, num_rows=num_rows, violations=found.sentences())


def read_durations(paths: Sequence[Path]) -> dict[str, float]:
    """Read how long videos are from metadata CSVs (``video_id`` and ``duration_sec``).

    Raises:
        InputError: not such a file, a duration below 0, or a video in two places.
    """
    durations_s: dict[str, float] = {}
    for path in paths:
        columns = read_columns(path, texts=("video_id",), numbers=("duration_sec",))
        video_ids, seconds = columns.texts["video_id"], columns.numbers["duration_sec"]
        for row, (video_id, duration_s) in enumerate(zip(video_ids.tolist(), seconds, strict=True)):
            if duration_s < 0:
                raise columns.refuse(row, f"duration_sec of {video_id} is {duration_s:g}")
            if video_id in durations_s:
                raise columns.refuse(row, f"there is a duration of {video_id} already")
            durations_s[video_id] = float(duration_s)
    return durations_s


def _kind(opened: CsvRows) -> Kind:
    """Matches speak of times, candidates do not."""
    names = set(opened.header)
    if names & set(_BOUNDS):
        return "matches"
    return "candidates" if names & set(CANDIDATE_COLUMNS) else "unknown"


def _check_csv(
    opened: CsvRows, kind: Kind, durations_s: Mapping[str, float] | None, found: Violations
) -> int:
    if kind == "unknown":
        header = ",".join(opened.header)[:_SHOWN_CHARACTERS]
        found.add("headers", f"neither matches nor candidates: the header is {header!r}")
        return 0
    columns = MATCH_COLUMNS if kind == "matches" else CANDIDATE_COLUMNS
    if opened.header != columns:
        found.add(
            "headers",
            f"wanted the columns {','.join(columns)} in this order; "
            f"found {','.join(opened.header)[:_SHOWN_CHARACTERS]}",
        )
    if sorted(opened.header) != sorted(columns):
        return 0
    line_of: dict[tuple[str, str], int] = {}
    num_rows = 0
    for line, cells in opened.rows:
        num_rows += 1
        if len(cells) != len(opened.header):
            found.add("lines of another length", f"line {line}: {len(cells)} cells")
            continue
        row = dict(zip(opened.header, cells, strict=True))
        _check_ids(line, row, durations_s, found)
        numbers = _numbers(line, row, found)
        if kind == "matches":
            _check_times(line, numbers, found)
        elif (at := line_of.setdefault((row["query_id"], row["ref_id"]), line)) != line:
            found.add("pairs twice", f"line {line}: the pair stands in line {at} already")
    return num_rows


def _check_ids(
    line: int, row: Mapping[str, str], durations_s: Mapping[str, float] | None, found: Violations
) -> None:
    for name in ("query_id", "ref_id"):
        if not row[name]:
            found.add("empty ids", f"line {line}: {name} is empty")
        elif durations_s is not None and row[name] not in durations_s:
            found.add("ids without metadata", f"line {line}: {row[name]} is not in the metadata")


def _numbers(line: int, row: Mapping[str, str], found: Violations) -> dict[str, float]:
    """Read the cells that are finite numbers; the others are violations."""
    numbers = {}
    for name in (*_BOUNDS, "score"):
        if name in row and is_finite_number(row[name]):
            numbers[name] = float(row[name])
        elif name in row:
            cell = row[name][:_SHOWN_CHARACTERS]
            found.add(
                "cells that are no finite numbers",
                f"line {line}: {name} must be a finite number, found {cell!r}",
            )
    return numbers


def _check_times(line: int, numbers: Mapping[str, float], found: Violations) -> None:
    for name in _BOUNDS:
        if numbers.get(name, 0.0) < 0:
            found.add("times below 0", f"line {line}: {name} is {numbers[name]:g}, below 0")
    for side in ("query", "ref"):
        start_s, end_s = numbers.get(f"{side}_start"), numbers.get(f"{side}_end")
        if start_s is not None and end_s is not None and end_s < start_s:
            found.add(
                "stretches that end before they start",
                f"line {line}: {side}_end {end_s:g} is before {side}_start {start_s:g}",
            )
