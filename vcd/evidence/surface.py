"""Say what lies around a copy and on it, and how its colour changed, once it is registered."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vcd.evidence.agreement import LaidOver
from vcd.evidence.registration import Picture

__all__ = ["Surroundings", "colour_change", "overlaid_share", "surroundings", "texture"]

_MIN_STRIP = 0.04
"""Share of the query's side: a narrower strip of footage is no second picture."""

_FLAT_LEVELS = 10
_MIN_FLAT = 0.7
"""A border is flat where this share of its pixels is within so many levels of one colour: the
rest may be a caption."""

_MAX_TEXTURE = 0.35
"""A border may also be blurred footage: it has at most this part of the copy's texture."""

_NEAR_PX = 7
_MIN_EXCESS = 24.0
_MAX_FLICKER = 14.0
_MIN_OVERLAID = 0.008
_MAX_OVERLAID = 0.5
"""What lies on a copy is by so many levels beyond what the reference has within 7 pixels, keeps
within so many levels over time, and covers a share between these."""

_MAX_BAND = 0.5
"""A line along the edge of which more than this is strange is a rest of a border."""

_MIN_COLOUR = 0.03
"""Smaller changes are those of encoders: limited range, another matrix."""

_QUANTILES = np.linspace(0.02, 0.98, 33)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a query shows around the copy, in shares of its picture.

    Attributes:
        border: flat, with a caption at most, or blurred.
        footage: anything else.
        num_sides: of the copy at which there is footage.
    """

    border: float
    footage: float
    num_sides: int


def surroundings(
    pairs: Sequence[tuple[Picture, Picture]],
    seen: tuple[float, float, float, float],
    *,
    is_mirrored: bool,
) -> Surroundings:
    """Look at the strips above, below and beside the copy.

    Args:
        pairs: as of `register`.
        seen: left, top, right and bottom of the copy in the query, in shares.
        is_mirrored: whether ``seen`` is of the mirrored query.
    """
    queries = np.stack([query for query, _ in pairs])
    if is_mirrored:
        queries = queries[:, :, ::-1]
    height, width = queries.shape[1:3]
    left, top, right, bottom = seen
    x0, x1 = round(left * width), round(right * width)
    y0, y1 = round(top * height), round(bottom * height)
    strips = (
        queries[:, :y0],
        queries[:, y1:],
        queries[:, y0:y1, :x0],
        queries[:, y0:y1, x1:],
    )
    wide = (top, 1 - bottom, left, 1 - right)
    inside = texture(queries[:, y0:y1, x0:x1])
    border = footage = 0.0
    num_sides = 0
    for strip, thickness in zip(strips, wide, strict=True):
        share = strip.shape[1] * strip.shape[2] / (height * width)
        if share == 0.0:
            continue
        if _is_border(strip, inside):
            border += share
        else:
            footage += share
            num_sides += thickness >= _MIN_STRIP
    return Surroundings(border=border, footage=footage, num_sides=num_sides)


def _is_border(strip_PHWC: NDArray[np.uint8], inside: float) -> bool:
    pixels = strip_PHWC.reshape(-1, 3).astype(np.int16)
    off = np.abs(pixels - np.median(pixels, axis=0)).max(axis=1)
    if float((off <= _FLAT_LEVELS).mean()) >= _MIN_FLAT:
        return True
    return texture(strip_PHWC) <= _MAX_TEXTURE * inside


def texture(pixels_PHWC: NDArray[np.uint8]) -> float:
    """Say by how many levels neighbouring pixels differ, sharp edges no more than soft ones."""
    if min(pixels_PHWC.shape[1:3]) < 2:
        return 0.0
    grey = pixels_PHWC.mean(axis=3)
    down, right = np.abs(np.diff(grey, axis=1)), np.abs(np.diff(grey, axis=2))
    return float(np.minimum(down, 24).mean() + np.minimum(right, 24).mean())


def overlaid_share(laid: LaidOver) -> float | None:
    """Say which share of the copy something lies on; None where nothing does.

    A pixel counts that no pixel nearby in the reference explains, once brightness and balance
    are taken over, in most of the pairs, and that stands still.
    """
    from scipy import ndimage

    query = laid.query_PHWC.astype(np.float32)
    ref = _recoloured(laid)
    low = ndimage.minimum_filter(ref, (1, _NEAR_PX, _NEAR_PX, 1))
    high = ndimage.maximum_filter(ref, (1, _NEAR_PX, _NEAR_PX, 1))
    excess = np.maximum(low - query, query - high).max(axis=3)
    is_strange = np.quantile(excess, 0.3, axis=0) >= _MIN_EXCESS
    if len(query) > 2:
        is_strange &= query.mean(axis=3).std(axis=0) <= _MAX_FLICKER
    is_strange = ndimage.binary_opening(is_strange, np.ones((2, 2)))
    is_strange = ndimage.binary_dilation(is_strange, np.ones((3, 3)))
    share = float(_without_bands(is_strange).mean())
    return share if _MIN_OVERLAID <= share <= _MAX_OVERLAID else None


def _without_bands(is_strange: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Cut off strange lines along the edges: a rest of a border, which lies around the copy."""
    for _ in range(4):
        wide = np.flatnonzero(is_strange.mean(axis=1) <= _MAX_BAND)
        if len(wide) == 0:
            return np.zeros((1, 1), dtype=np.bool_)
        is_strange = is_strange[wide[0] : wide[-1] + 1].T
    return is_strange


def _recoloured(laid: LaidOver) -> NDArray[np.float32]:
    """Give the reference the colours of the query, as far as a matrix can."""
    query, ref = laid.query_PHWC.astype(np.float32), laid.ref_PHWC.astype(np.float32)
    matrix = _colour_matrix(query, ref)
    recoloured: NDArray[np.float32] = (ref @ matrix[:3] + matrix[3]).astype(np.float32)
    return np.clip(recoloured, 0.0, 255.0)


def _colour_matrix(query: NDArray[np.float32], ref: NDArray[np.float32]) -> NDArray[np.float64]:
    """``(4, 3)``: what the colours of the reference became, the last row a constant."""
    from scipy import ndimage

    smooth = [
        ndimage.gaussian_filter(each, (0, 3, 3, 0))[:, 1::3, 1::3].reshape(-1, 3).astype(np.float64)
        for each in (query, ref)
    ]
    rows = np.column_stack([smooth[1], np.ones(len(smooth[1]))])
    ridge = np.diag([1.0, 1.0, 1.0, 0.0]) * len(rows)
    start = np.vstack([np.eye(3), np.zeros(3)])
    matrix = start
    if len(rows) == 0:  # a pixel high or wide
        return start
    for _ in range(4):
        off = np.abs(rows @ matrix - smooth[0]).max(axis=1)
        weight = 1.0 / (1.0 + (off / max(4.0, float(np.median(off)))) ** 2)
        normal = (rows * weight[:, None]).T @ rows + ridge
        matrix = np.linalg.solve(normal, (rows * weight[:, None]).T @ smooth[0] + ridge @ start)
    return matrix


def colour_change(laid: LaidOver) -> float | None:
    """Say by how much colours changed on the whole, 0 to 1; None where hardly."""
    query, ref = laid.query_PHWC.astype(np.float32), laid.ref_PHWC.astype(np.float32)
    if _spread_apart(query, ref) < _MIN_COLOUR:
        return None
    change = np.abs(_recoloured(laid) - ref).mean() / 255.0
    return float(change) if change >= _MIN_COLOUR else None


def _spread_apart(query: NDArray[np.float32], ref: NDArray[np.float32]) -> float:
    """Compare how often each level is there: moving things do not count as a change."""
    apart = [np.quantile(each, _QUANTILES, axis=0) for each in (_channels(query), _channels(ref))]
    return float(np.abs(apart[0] - apart[1]).mean(axis=0).max() / 255.0)


def _channels(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    flat = pixels.reshape(-1, 3)
    return np.column_stack([flat, flat[:, 0] - flat[:, 1], flat[:, 2] - flat[:, 1]])
