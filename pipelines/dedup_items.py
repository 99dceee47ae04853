"""The items of `vcd dedup`: descriptor files, and what is known of the files behind them.

    FILE.npz           descriptors, as `vcd describe` writes them
    FILE.items.jsonl   a line an item: path, digest, picture, length, bytes

The second may lie beside the first: it says what to keep and what to draw.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vcd.core import InputError, SetupError
from vcd.descriptors import DescriptorRows, l2_normalize, read_descriptor_rows, write_descriptors
from vcd.descriptors.store_format import descriptors_from

__all__ = ["ItemFacts", "facts_path", "joined_rows", "read_facts", "write_facts"]

_ROWS_PER_READ = 65_536
_UNIT_TOLERANCE = 2e-3
"""Of squared lengths: half precision rounds to 1e-3."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemFacts:
    """What is known of an item beside its descriptors.

    Attributes:
        id: of the item.
        path: of its file; None when a descriptor file is all there is.
        sha256: digest of its bytes.
        width_px: of the picture as shown.
        height_px: of the picture as shown.
        duration_s: of a video; 0 of an image.
        num_bytes: of the file.
        rate_hz: at which it was sampled.
    """

    id: str
    path: str | None = None
    sha256: str | None = None
    width_px: int = 0
    height_px: int = 0
    duration_s: float = 0.0
    num_bytes: int = 0
    rate_hz: float = 0.0


def read_facts(path: Path) -> dict[str, ItemFacts]:
    """Read what lies beside a descriptor file; nothing where nothing does.

    Raises:
        InputError: a line of it is not what `describe_media` writes.
    """
    beside = facts_path(path)
    if not beside.is_file():
        return {}
    facts = {}
    try:
        for line in beside.read_text(encoding="utf-8").splitlines():
            one = ItemFacts(**json.loads(line))
            facts[one.id] = one
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"{beside}: not a list of items, or damaged: {error}") from error
    return facts


def write_facts(path: Path, facts: Mapping[str, ItemFacts]) -> None:
    """Write what is known of items beside their descriptor file, whole or not at all.

    Raises:
        SetupError: it cannot be written.
    """
    beside = facts_path(path)
    lines = [
        json.dumps(asdict(facts[item_id]), sort_keys=True, ensure_ascii=False)
        for item_id in sorted(facts)
    ]
    part = beside.with_name(f".{beside.name}.part")
    try:
        part.write_text("\n".join(lines) + "\n", encoding="utf-8")
        part.replace(beside)
    except OSError as error:
        raise SetupError(f"{beside}: cannot be written: {error.strerror or error}") from error


def joined_rows(paths: Sequence[Path], folder: Path) -> DescriptorRows:
    """Open descriptor files as one, with rows of length 1 in single precision.

    One file that is so already stays where it is, mapped; anything else is written once more.

    Args:
        paths: of descriptor files.
        folder: for what has to be written.

    Raises:
        InputError: the files are of different spaces, or two hold an item of one id.
    """
    files = [_unit_rows(read_descriptor_rows(path), folder) for path in paths]
    if len(files) == 1:
        return files[0]
    space = files[0].space
    for file in files[1:]:
        if file.space != space:
            raise InputError(
                f"{file.path}: wanted descriptors of the space of {files[0].path}, {space.name} "
                f"({space.fingerprint[:12]}), got {file.space.name} ({file.space.fingerprint[:12]})"
            )
    together = folder / "joined.npz"
    runs = (descriptors_from(file, *run) for file in files for run in file.runs)
    write_descriptors(together, runs, space=space)
    return read_descriptor_rows(together)


def _unit_rows(rows: DescriptorRows, folder: Path) -> DescriptorRows:
    """Give rows of length 1 or 0 in float32: the file's own, or a mapped copy."""
    if rows.features.dtype == np.float32 and all(_is_unit(part) for part in _parts(rows)):
        return rows
    path = folder / f"{len(list(folder.iterdir()))}.rows"
    try:
        with path.open("wb") as file:
            for part in _parts(rows):
                file.write(l2_normalize(np.asarray(part, dtype=np.float32)).tobytes())
    except OSError as error:
        raise SetupError(f"{path}: cannot be written: {error.strerror or error}") from error
    mapped = np.memmap(path, dtype=np.float32, mode="r", shape=rows.features.shape)
    return replace(rows, features=np.asarray(mapped))


def _parts(rows: DescriptorRows) -> Iterator[NDArray[np.floating]]:
    for first in range(0, len(rows.features), _ROWS_PER_READ):
        yield rows.features[first : first + _ROWS_PER_READ]


def _is_unit(part: NDArray[np.floating]) -> bool:
    with np.errstate(over="ignore"):
        squared = np.einsum("nd,nd->n", part, part)
    return bool(((np.abs(squared - 1.0) <= _UNIT_TOLERANCE) | (squared == 0.0)).all())


def facts_path(path: Path) -> Path:
    """Name the file that lies beside a descriptor file."""
    return path.with_suffix(".items.jsonl")
