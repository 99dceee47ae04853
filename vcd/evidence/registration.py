"""Lay the pictures of a copy over those of its original: mirrored or not, scale and shift.

    query = scale * ref + shift     on each axis, in shares of the pictures' sides

One edit is made of the whole copy, so all pairs of pictures are asked at once: places that look
alike in a pair vote for a scale and a shift, and the winner is looked at pixel by pixel. Turned
pictures are not found. P pairs; H, W a picture.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vcd.evidence.corners import Corners, find_corners, matching_corners, mirrored_corners

__all__ = ["Picture", "Registration", "register"]

Picture = NDArray[np.uint8]

_SIDE_PX = 160
"""Longer side of the pictures that are looked at: corners of 2 px are 4 px of a sheet's."""

_TOLERANCE = 0.02
"""Shares of a picture's side by which a place may be off its vote."""

_TURN_TOLERANCES = 6.0
_MAX_TURN = 0.1
"""Shares of one side by which places move along the other side of the picture, looked for among
those within so many tolerances: 0.15 and more where a copy is turned by 10 degrees, else 0.04 and
less, 0.08 once with few places."""

_NUM_DRAWN = 600
_MIN_SPREAD = 0.12
"""Pairs of places that are drawn, and how far apart they lie at least on both axes."""

_MIN_SCALE = 0.25
_MAX_SCALE = 4.0
_MAX_STRETCH = 2.2
"""How much more one axis may be scaled than the other."""

_MIN_PLACES = 8
_ASPECT_STEP = 1.12
"""Shapes of picture that differ by more are also compared after one is brought to the other's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """Where a reference's picture lies in a query's.

    Attributes:
        is_mirrored: left and right of the query's picture are exchanged first.
        scale: x and y, how large the reference's picture is in shares of the query's.
        shift: x and y, where its left top corner lies.
        num_places: that agree.
        is_turned: whether the picture is turned or sheared, so that scale and shift say little.
    """

    is_mirrored: bool
    scale: tuple[float, float]
    shift: tuple[float, float]
    num_places: int = 0
    is_turned: bool = False


def register(pairs: Sequence[tuple[Picture, Picture]]) -> Registration | None:
    """Say where the references' pictures lie in the queries'; None where that is not clear.

    Args:
        pairs: ``(H, W, 3)`` uint8 of query and reference, taken at the same place of the copy;
            all pictures of one side have one size.
    """
    best: Registration | None = None
    for places in _places(pairs):
        for is_mirrored in (False, True):
            found = _vote(places[is_mirrored])
            if found is not None and (best is None or found.num_places > best.num_places):
                best = replace(found, is_mirrored=is_mirrored)
    return best


def _places(
    pairs: Sequence[tuple[Picture, Picture]],
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Yield the matching places of all pairs, as they are and mirrored, for each shape."""
    query_HWC, ref_HWC = pairs[0]
    refs = [find_corners(_grey(ref, _size(ref_HWC))) for _, ref in pairs]
    sizes = [_size(query_HWC)]
    shape, other = (each.shape[1] / each.shape[0] for each in (query_HWC, ref_HWC))
    if max(shape / other, other / shape) > _ASPECT_STEP:
        sizes.append(_size(ref_HWC))
    for size in sizes:
        queries = [find_corners(_grey(query, size)) for query, _ in pairs]
        mirrored = [mirrored_corners(each) for each in queries]
        yield _matching(queries, refs), _matching(mirrored, refs)


def _matching(queries: list[Corners], refs: list[Corners]) -> NDArray[np.float64]:
    """``(M, 5)``: x and y in the query, x and y in the reference, pair."""
    found = [np.empty((0, 5))]
    for ordinal, (query, ref) in enumerate(zip(queries, refs, strict=True)):
        match = matching_corners(query, ref)
        which = np.full((len(match), 1), float(ordinal))
        found.append(np.hstack([query.place[match[:, 0]], ref.place[match[:, 1]], which]))
    return np.concatenate(found)


def _vote(places: NDArray[np.float64]) -> Registration | None:
    """Draw pairs of places, take the scale and shift that most of all places agree with."""
    if len(places) < _MIN_PLACES:
        return None
    scale, shift = _drawn(places)
    if len(scale) == 0:
        return None
    query, ref = places[:, :2], places[:, 2:4]
    votes = [
        np.clip(1.0 - _off(query, ref, scale[block], shift[block]), 0.0, 1.0).sum(axis=1)
        for block in np.array_split(np.arange(len(scale)), 8)
    ]
    best = int(np.concatenate(votes).argmax())
    line = scale[best], shift[best]
    for tighter in (1.0, 2.0, 3.0, 3.0):
        is_in = _off(query, ref, *line)[0] * tighter <= 1.0
        fitted = _fitted(query[is_in], ref[is_in])
        if fitted is None:
            break
        line = fitted
    off = _off(query, ref, *line)[0]
    is_near = off <= _TURN_TOLERANCES
    beside = query[is_near] - (line[0] * ref[is_near] + line[1])
    return Registration(
        is_mirrored=False,
        scale=(float(line[0][0]), float(line[0][1])),
        shift=(float(line[1][0]), float(line[1][1])),
        num_places=_num_cells(query[off <= 1.0]),
        is_turned=_turn(beside, ref[is_near]) > _MAX_TURN,
    )


def _turn(beside: NDArray[np.float64], ref: NDArray[np.float64]) -> float:
    """Say how far places move along one axis with where they lie on the other."""
    across = ref[:, ::-1] - ref[:, ::-1].mean(axis=0)
    beside = beside - np.median(beside, axis=0)
    spread = np.maximum((across**2).sum(axis=0), 1e-9)
    return float(np.abs((across * beside).sum(axis=0) / spread).max())


def _off(
    query: NDArray[np.float64],
    ref: NDArray[np.float64],
    scale: NDArray[np.float64],
    shift: NDArray[np.float64],
) -> NDArray[np.float64]:
    """``(D, M)`` how far each place is from where each line puts it, in tolerances."""
    scale, shift = np.atleast_2d(scale), np.atleast_2d(shift)
    off = np.abs(scale[:, None] * ref + shift[:, None] - query) / np.maximum(1.0, scale)[:, None]
    farther: NDArray[np.float64] = off.max(axis=2) / _TOLERANCE
    return farther


def _drawn(places: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """``(D, 2)`` scales and shifts through two places each, of any pairs of pictures."""
    rng = np.random.default_rng(len(places))
    drawn = places[rng.integers(0, len(places), size=(_NUM_DRAWN, 2))]
    apart = drawn[:, 1] - drawn[:, 0]
    is_wide = (np.abs(apart[:, :4]) >= _MIN_SPREAD / 2).all(axis=1)
    is_wide &= (np.abs(apart[:, 2:4]) >= _MIN_SPREAD).all(axis=1) | (
        np.abs(apart[:, :2]) >= _MIN_SPREAD
    ).all(axis=1)
    drawn, apart = drawn[is_wide], apart[is_wide]
    scale = apart[:, :2] / apart[:, 2:4]
    shift = drawn[:, 0, :2] - scale * drawn[:, 0, 2:4]
    is_sane = ((scale >= _MIN_SCALE) & (scale <= _MAX_SCALE)).all(axis=1)
    stretch = np.divide(scale[:, 0], scale[:, 1], out=np.ones(len(scale)), where=is_sane)
    is_sane &= np.maximum(stretch, 1.0 / np.where(is_sane, stretch, 1.0)) <= _MAX_STRETCH
    return scale[is_sane], shift[is_sane]


def _fitted(
    query: NDArray[np.float64], ref: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Lay a line through the places of each axis; None where they do not say how."""
    if len(query) < _MIN_PLACES:
        return None
    mean_query, mean_ref = query.mean(axis=0), ref.mean(axis=0)
    spread = ((ref - mean_ref) ** 2).sum(axis=0)
    if (spread <= 1e-6).any():
        return None
    scale = ((query - mean_query) * (ref - mean_ref)).sum(axis=0) / spread
    if not ((scale >= _MIN_SCALE) & (scale <= _MAX_SCALE)).all():
        return None
    return scale, mean_query - scale * mean_ref


def _num_cells(query: NDArray[np.float64]) -> int:
    """Count places that lie in different parts of the picture: a logo is one place."""
    return len(np.unique(np.floor(query * 16).astype(np.int64), axis=0))


def _size(picture_HWC: Picture) -> tuple[int, int]:
    height, width = picture_HWC.shape[:2]
    share = min(1.0, _SIDE_PX / max(height, width))
    return max(1, round(width * share)), max(1, round(height * share))


def _grey(picture_HWC: Picture, size: tuple[int, int]) -> NDArray[np.float32]:
    from PIL import Image

    grey = Image.fromarray(picture_HWC).convert("L").convert("F")
    return np.asarray(grey.resize(size, Image.Resampling.BILINEAR), dtype=np.float32)
