"""Files that would hurt whoever decodes them without care, in six families of equal size.

    truncated   cut off: at 0 or 10 bytes, within the header, anywhere
    flipped     bits turned over: in the header, the index, the pictures, anywhere; or garbage
    renamed     something else by the name of a video
    bomb        small files that claim, or hold, enormous pictures, lengths or numbers of frames
    hang        a decoder sleeps or spins (tests/fault/villains.py, by the file's name)
    abort       a decoder crashes, runs out of memory, or speaks nonsense (the same)

A mutation counts only if it bites: a file that still decodes from end to end is made
again, with more harm. How each must end is known beforehand, from decoding it alone.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.chaos.deeds import FAMILIES, SUFFIXES, Draft
from tests.clips import collected, request_for
from vcd.core import Examination, MatchReport
from vcd.media import DecodePool, MediaSettings

__all__ = ["VILLAINS", "BadFile", "is_partial", "make_bad_files"]

VILLAINS = "tests.fault.villains"

_MAX_ATTEMPTS = 10
_KNOWN_REASONS = {
    "sleep": ("decoder_hung",),
    "spin": ("decoder_hung",),
    "crash": ("decoder_died",),
    "bomb": ("over_limit", "decoder_hung"),
    "liar": ("decoder_confused",),
    "overrun": ("decoder_confused",),
    "babble": ("decoder_confused",),
    "palepng": ("uninformative", "decoder_hung"),
    "framesgif": ("uninformative",),
}
"""Good videos but for the villains, and pictures in which there is nothing.

Two fill memory without a word meanwhile, which a slow machine takes for a hang.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class BadFile:
    """One hostile file, and how it must end.

    Attributes:
        path: its name tells the villains what to do.
        kind: ``family/deed``.
        reasons: classes that its dead letter may have; none when a part of it is examined and
            reported instead.
        num_attempts: how often it was made until it bit.
    """

    path: Path
    kind: str
    reasons: tuple[str, ...]
    num_attempts: int = 1


def make_bad_files(
    folder: Path, sources: Sequence[Path], *, num_files: int, seed: int
) -> list[BadFile]:
    """Make hostile files, in no particular order; equal seeds and sources give equal files.

    Args:
        folder: where they go.
        sources: good videos: some .mp4, some .mkv, and an .avi of JPEG pictures.
        num_files: shared out evenly among the families, and within one among its deeds.
        seed: of every choice.

    Raises:
        RuntimeError: a mutation did not bite however often it was tried.
    """
    folder.mkdir(parents=True, exist_ok=True)
    order = np.random.default_rng(seed).permutation(num_files)
    kinds = [_kind(int(ordinal)) for ordinal in order]
    made: dict[int, BadFile] = {}
    for attempt in range(_MAX_ATTEMPTS):
        paths = {}
        for ordinal in sorted(set(range(num_files)) - made.keys()):
            family, deed = kinds[ordinal]
            draft = Draft(
                sources=sources,
                choice=np.random.default_rng((seed, ordinal, attempt)),
                attempt=attempt,
            )
            paths[ordinal] = folder / f"{deed}-{ordinal:05d}{SUFFIXES.get(deed, '.mp4')}"
            paths[ordinal].write_bytes(FAMILIES[family][deed](draft))
        ends = _ends(paths.values())
        for ordinal, path in paths.items():
            if path in ends:
                kind = "/".join(kinds[ordinal])
                made[ordinal] = BadFile(
                    path=path, kind=kind, reasons=ends[path], num_attempts=attempt + 1
                )
    if len(made) < num_files:
        left = {kinds[ordinal] for ordinal in set(range(num_files)) - made.keys()}
        raise RuntimeError(f"wanted files that are harmed, these decode from end to end: {left}")
    return [made[ordinal] for ordinal in range(num_files)]


def is_partial(found: Examination | MatchReport) -> bool:
    """Say whether it names a stretch that could not be looked at."""
    return any(part.reason in ("undecodable", "over_limit") for part in found.skipped)


def _kind(ordinal: int) -> tuple[str, str]:
    families = list(FAMILIES)
    family = families[ordinal % len(families)]
    deeds = list(FAMILIES[family])
    return family, deeds[ordinal // len(families) % len(deeds)]


def _ends(paths: Iterable[Path]) -> dict[Path, tuple[str, ...]]:
    """Decode each alone: why it is refused, () for a part; those that are whole are left out."""
    deeds = {path: path.name.partition("-")[0] for path in paths}
    ends: dict[Path, tuple[str, ...]] = {
        path: _KNOWN_REASONS[deed] for path, deed in deeds.items() if deed in _KNOWN_REASONS
    }
    unknown = {path.name: path for path in deeds if path not in ends}
    with DecodePool(MediaSettings()) as pool:
        requests = [request_for(path, rate_hz=2.0) for path in unknown.values()]
        _, examinations = collected(pool.decode(requests))
    for name, found in examinations.items():
        if found.reason is not None or is_partial(found):
            ends[unknown[name]] = (found.reason,) if found.reason else ()
    return ends
