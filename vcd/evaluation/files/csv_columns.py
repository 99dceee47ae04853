"""Read columns of a CSV file quickly, and name the line of whatever is wrong in it.

The files of the field are CSV with a header: UTF-8, with or without a byte order mark, any line
ending, columns in any order. Columns that nobody asked for are passed over; blank lines too. It
knows texts and finite numbers; what they mean is for the caller.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vcd.core import InputError
from vcd.evaluation.files.plain_csv import read_plain

__all__ = ["CsvColumns", "CsvRows", "is_finite_number", "open_csv", "read_columns"]

_BLOCK_ROWS = 65_536
"""Rows that are held as Python texts at once: about 50 MB."""

_SHOWN_CHARACTERS = 40
"""Of a cell or a header that a sentence quotes."""

_LARGE_BYTES = 1 << 20
"""From here on it pays to load the fast reader."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CsvColumns:
    """Some columns of a file, by name.

    Attributes:
        path: of the file.
        line: ``(N,)`` int64, the line on which each row ends; the header is line 1.
        texts: name -> ``(N,)`` text, none of it empty.
        numbers: name -> ``(N,)`` float64, finite.
    """

    path: Path
    line: NDArray[np.int64]
    texts: dict[str, NDArray[np.str_]]
    numbers: dict[str, NDArray[np.float64]]

    def refuse(self, row: int, reason: str) -> InputError:
        """Make the error that names the file and the line of a row."""
        return InputError(f"{self.path}, line {self.line[row]}: {reason}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvRows:
    """A file whose header has been read.

    Attributes:
        path: of the file.
        header: the names of its columns, as they stand.
        rows: (line, cells) of each row to come, of any number of cells.
    """

    path: Path
    header: tuple[str, ...]
    rows: Iterator[tuple[int, list[str]]]

    def even_rows(self) -> Iterator[tuple[int, list[str]]]:
        """Give the rows to come, each with one cell for each column.

        Raises:
            InputError: a row has another number of cells than the header.
        """
        for line, cells in self.rows:
            if len(cells) != len(self.header):
                raise InputError(
                    f"{self.path}, line {line}: wanted {len(self.header)} cells as in the header, "
                    f"found {len(cells)}"
                )
            yield line, cells

    def place(self, name: str) -> int:
        """Say where among the cells of a row a column stands.

        Raises:
            InputError: there is no such column, or there are several.
        """
        stripped = [column.strip() for column in self.header]
        count = stripped.count(name)
        if count != 1:
            found = _short(",".join(self.header))
            wanted = f"wanted one column {name}, found {'none' if count == 0 else count}"
            raise InputError(f"{self.path}: {wanted} in the header {found}")
        return stripped.index(name)


def read_columns(path: Path, *, texts: Sequence[str], numbers: Sequence[str]) -> CsvColumns:
    """Read the named columns, wherever they stand.

    Args:
        path: of the file; a header and no rows is legal.
        texts: columns of names, at least one; an empty cell is an error.
        numbers: columns of finite numbers.

    Raises:
        InputError: the file cannot be read, is empty, is not UTF-8, lacks a column or has it
            twice, or a row has too many or too few cells, an empty name, or a cell that is no
            finite number; names the line.
    """
    data = _bytes(path)
    plain = read_plain(data, texts=texts, numbers=numbers) if len(data) > _LARGE_BYTES else None
    if plain is not None:
        names, values = plain
        line = np.arange(2, 2 + len(next(iter(names.values()))), dtype=np.int64)
        return CsvColumns(path=path, line=line, texts=names, numbers=values)
    return _read_carefully(path, data, texts, numbers)


def open_csv(path: Path) -> CsvRows:
    """Read the header of a CSV file; the rows follow.

    Raises:
        InputError: the file cannot be read, is empty or is not UTF-8; while the rows are read:
            its quotation marks do not pair.
    """
    return _open(path, _bytes(path))


def _read_carefully(
    path: Path, data: bytes, texts: Sequence[str], numbers: Sequence[str]
) -> CsvColumns:
    opened = _open(path, data)
    rows = opened.even_rows()
    places = [opened.place(name) for name in (*texts, *numbers)]
    lines: list[NDArray[np.int64]] = []
    parts: dict[str, list[NDArray[np.str_] | NDArray[np.float64]]] = {
        name: [] for name in (*texts, *numbers)
    }
    while block := list(islice(rows, _BLOCK_ROWS)):
        line = np.array([number for number, _ in block], dtype=np.int64)
        lines.append(line)
        cells = list(zip(*(row for _, row in block), strict=True))
        for name, place in zip((*texts, *numbers), places, strict=True):
            parse = _names if name in texts else _numbers
            parts[name].append(parse(path, line, name, cells[place]))
    return CsvColumns(
        path=path,
        line=np.concatenate([np.empty(0, dtype=np.int64), *lines]),
        texts={name: np.concatenate([np.empty(0, dtype="<U1"), *parts[name]]) for name in texts},
        numbers={name: np.concatenate([np.empty(0), *parts[name]]) for name in numbers},
    )


def _bytes(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    if not data:
        raise InputError(f"{path}: wanted a CSV file with a header, found an empty file")
    return data


def _open(path: Path, data: bytes) -> CsvRows:
    rows = _rows(path, data)
    _, header = next(rows, (0, []))
    if not header:
        raise InputError(f"{path}: wanted a header line, found no line that is not blank")
    return CsvRows(path=path, header=tuple(header), rows=rows)


def _rows(path: Path, data: bytes) -> Iterator[tuple[int, list[str]]]:
    text = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8-sig", newline="")
    reader = csv.reader(text, strict=True)
    try:
        for cells in reader:
            if cells:
                yield reader.line_num, cells
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}: not CSV: {error}") from error
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, _first_undecodable(data)) + 1
        raise InputError(f"{path}, line {line}: not UTF-8 text: {error.reason}") from error


def _first_undecodable(data: bytes) -> int:
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return error.start
    return len(data)


def _names(
    path: Path, line: NDArray[np.int64], name: str, cells: Sequence[str]
) -> NDArray[np.str_]:
    if not all(cells):
        raise InputError(f"{path}, line {line[cells.index('')]}: {name} is empty")
    nul = next((row for row, cell in enumerate(cells) if "\0" in cell), None)
    if nul is not None:
        raise InputError(f"{path}, line {line[nul]}: {name} {_short(cells[nul])} holds a NUL")
    return np.array(cells, dtype=np.str_)


def _numbers(
    path: Path, line: NDArray[np.int64], name: str, cells: Sequence[str]
) -> NDArray[np.float64]:
    joined = "".join(cells)
    if joined.isascii() and "_" not in joined:
        try:
            values = np.fromiter(map(float, cells), dtype=np.float64, count=len(cells))
        except ValueError:
            pass
        else:
            if np.isfinite(values).all():
                return values
    row = next(row for row, cell in enumerate(cells) if not is_finite_number(cell))
    raise InputError(
        f"{path}, line {line[row]}: {name} must be a finite number, found {_short(cells[row])}"
    )


def is_finite_number(cell: str) -> bool:
    """Tell whether a cell is a finite number; what only Python takes (1_000) is none."""
    try:
        return bool(np.isfinite(float(cell))) and cell.isascii() and "_" not in cell
    except ValueError:
        return False


def _short(text: str) -> str:
    cut = text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "..."
    return repr(cut)
