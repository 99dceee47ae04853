"""Decide which videos are copied, which only stand by, and which are strangers; and find twins.

A role depends on the seed and on the id of a video alone, so that it stays when others are added.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from vcd.core import InputError, Interval
from vcd.evaluation.settings import SynthSettings

__all__ = ["MIN_SOURCES", "Role", "Source", "assign_roles", "find_twins"]

MIN_SOURCES = 6
"""Fewer videos cannot give two to copy from, one that stands by and two or three strangers."""

_MIN_PART = 0.75
"""Of the videos that its share promises; the lots of a dozen videos can be far from it."""


class Role(Enum):
    """What a video is used for."""

    COPIED = "copied"
    DISTRACTOR = "distractor"
    STRANGER = "stranger"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A video to make a data set from.

    Attributes:
        id: what the user calls it.
        usable: its longest stretch without a hole, in seconds.
        size: width and height of its pictures as they are handed over, in pixels.
    """

    id: str
    usable: Interval
    size: tuple[int, int]


def assign_roles(
    sources: Sequence[Source], settings: SynthSettings, *, min_source_s: float
) -> dict[str, Role]:
    """Give every video one role, by its id and the seed; those too short to copy stand by.

    Two videos are copied, two are strangers and one is a distractor at the least, and no role has
    less than three quarters of its share: of a small collection the videos whose lots come nearest
    are taken for it. A large one hardly ever needs that.

    Args:
        sources: of different footage.
        settings: the shares and the seed.
        min_source_s: of a video that may be copied, or be a stranger.

    Raises:
        InputError: fewer than `MIN_SOURCES` videos are long enough.
    """
    long_enough = [source for source in sources if source.usable.length_s >= min_source_s]
    if len(long_enough) < MIN_SOURCES:
        raise InputError(
            f"wanted at least {MIN_SOURCES} videos of different footage, each of {min_source_s:.1f}"
            f" s or more, to copy from, to stand by and to be strangers; found {len(long_enough)}"
        )
    ranked = sorted(long_enough, key=lambda source: _lot(source.id, settings.seed))
    lots = [_lot(source.id, settings.seed) for source in ranked]
    first_copied = sum(lot < settings.stranger_share for lot in lots)
    first_distractor = sum(lot < 1.0 - settings.distractor_share for lot in lots)
    copied_share = 1.0 - settings.stranger_share - settings.distractor_share
    num = len(ranked)
    most = num - min(_quota(settings.distractor_share, num, least=1), num - 4)
    min_copied = min(_quota(copied_share, num, least=2), most - 2)
    min_strangers = min(_quota(settings.stranger_share, num, least=2), most - min_copied)
    first_copied = min(max(first_copied, min_strangers), most - min_copied)
    first_distractor = min(max(first_distractor, first_copied + min_copied), most)
    roles = {source.id: Role.DISTRACTOR for source in sources}
    roles |= {source.id: Role.STRANGER for source in ranked[:first_copied]}
    return roles | {source.id: Role.COPIED for source in ranked[first_copied:first_distractor]}


def _quota(share: float, num_sources: int, *, least: int) -> int:
    return max(least, round(_MIN_PART * share * num_sources))


def _lot(source_id: str, seed: int) -> float:
    """Draw a number in [0, 1) that belongs to an id and a seed."""
    digest = hashlib.sha256(f"{seed}:{source_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


MIN_TWIN_CORRELATION = 0.97
"""Of re-encodings it is 0.98 and more, of different videos 0.81 at most (docs/design/synth.md)."""

MIN_TWIN_SHARE = 0.2
_MIN_DEVIATION = 8.0
"""Grey levels: flatter thumbnails (black, title cards) look like all other flat ones."""


def find_twins(
    thumbnails: Mapping[str, NDArray[np.uint8]],
) -> dict[str, str]:
    """Find videos that show the footage of an earlier one: re-encodings, shorter cuts.

    The truth of a data set would be wrong about them: what is copied from one is in the other.
    Two videos are twins when at least a fifth of the frames of one have a frame in the other
    whose grey thumbnail correlates with it by 0.97. Edited copies are not looked for.

    Args:
        thumbnails: of each video ``(T, P)`` uint8 grey thumbnails of P pixels; the first of two
            twins is the one that stays.

    Returns:
        The id of each video that is left out, with the id of the one that stays.
    """
    kept: dict[str, NDArray[np.float32]] = {}
    twins: dict[str, str] = {}
    for id_, pixels in thumbnails.items():
        rows = _standardized(pixels)
        twin = next((other for other, seen in kept.items() if _shares_footage(rows, seen)), None)
        if twin is None:
            kept[id_] = rows
        else:
            twins[id_] = twin
    return twins


def _standardized(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    rows = pixels.astype(np.float32)
    rows -= rows.mean(axis=1, keepdims=True)
    rows = rows[rows.std(axis=1) >= _MIN_DEVIATION]
    unit: NDArray[np.float32] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit


def _shares_footage(one: NDArray[np.float32], other: NDArray[np.float32]) -> bool:
    if min(len(one), len(other)) == 0:
        return False
    nearest = one @ other.T
    shares = [float(np.mean(nearest.max(axis=axis) >= MIN_TWIN_CORRELATION)) for axis in (0, 1)]
    return max(shares) >= MIN_TWIN_SHARE
