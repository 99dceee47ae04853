"""Say what was done to a copy, from a few pictures of it beside those of its original.

The pictures are registered first (`vcd.evidence.registration`); where that is not clear, nothing
is said. What is said is said of all pairs together: one edit is made of the whole copy.
docs/design/evidence.md has how often it is right.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vcd.core import Hint
from vcd.evidence.agreement import LaidOver, agreement, lay_over, sharpened
from vcd.evidence.registration import Picture, Registration, register
from vcd.evidence.surface import colour_change, overlaid_share, surroundings, texture

__all__ = ["merged_hints", "transform_hints"]

_SIDE_PX = 160
_MIN_AGREEMENT = 0.3
"""Registered copies agree by 0.34 and more, also with a frame that is a twelfth of a second off;
what is turned or another video by 0.28 and less."""

_MAX_LOSS = 0.02
"""A simpler registration is taken when it agrees less by no more than this."""

_MAX_LEFT = 0.93
_MIN_ADDED = 0.05
"""Shares of a picture: a smaller change may be the error of the registration."""

_AT_EDGE = 0.04
"""A strip of half of this is no border, and a copy that leaves it free at both ends spans it."""

_MIN_SAYS = 2.0
_MAX_BLUR = 0.5
_MAX_BORDER_AGREES = 0.3
_MAX_OTHER_AGREES = 0.06
"""A strip along the edge shows something else where the reference's picture is no flat colour
there and the query's is much flatter, or agrees not at all."""

_RIM_PX = 2
"""Along its edge a copy that lies in something is blurred with that."""

_IDENTITY = Registration(is_mirrored=False, scale=(1.0, 1.0), shift=(0.0, 0.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """A rectangle of a picture, in pixels."""

    left: int
    top: int
    right: int
    bottom: int


def transform_hints(pairs: Sequence[tuple[Picture, Picture]]) -> tuple[Hint, ...]:
    """Say what was done to a copy: ``mirrored``, ``cropped``, ``padded``, ``inset`` and so on.

    Args:
        pairs: 3 to 8 pairs of ``(H, W, 3)`` uint8 RGB, the query's picture and the reference's
            at the time that belongs to it; all pictures of one side have one size. About 180
            pixels high; larger ones are made smaller first.

    Returns:
        Sorted by kind, each kind once; none where the pictures cannot be laid over each other.
    """
    registered = _registered(pairs) if pairs else None
    if registered is None:
        return ()
    registration, laid = registered
    hints = [Hint(kind="mirrored")] if registration.is_mirrored else []
    part = _agreeing_part(laid)
    hints += _shape_hints(pairs, registration, laid, part)
    inside = _cut(laid, _without_rim(part))
    hints += _surface_hints(inside)
    return tuple(sorted(hints, key=lambda hint: hint.kind))


def merged_hints(by_views: Sequence[Hint], by_pixels: Sequence[Hint]) -> tuple[Hint, ...]:
    """Put together what views and times say of a copy and what its pictures say.

    Args:
        by_views: what counts where pictures say nothing.
        by_pixels: what counts where both measured.

    Returns:
        Sorted by kind, each kind once.
    """
    merged = {hint.kind: hint for hint in by_views}
    for hint in by_pixels:
        if hint.value is not None or hint.kind not in merged:
            merged[hint.kind] = hint
    return tuple(merged[kind] for kind in sorted(merged))


def _registered(
    pairs: Sequence[tuple[Picture, Picture]],
) -> tuple[Registration, LaidOver] | None:
    """Take the simplest registration that agrees about as well as the best one."""
    voted = register(pairs)
    if voted is not None and voted.is_turned:
        return None
    candidates = [_IDENTITY, replace(_IDENTITY, is_mirrored=True)]
    if voted is not None:
        candidates = list(_simpler(sharpened(pairs, voted)))
    found = []
    for candidate in candidates:
        laid = lay_over(pairs, candidate, side_px=_SIDE_PX)
        if laid is not None:
            found.append((_mean_agreement(laid), candidate, laid))
    best = max((agrees for agrees, _, _ in found), default=0.0)
    if best < _MIN_AGREEMENT:
        return None
    _, registration, laid = next(each for each in found if each[0] >= best - _MAX_LOSS)
    return registration, laid


def _simpler(registration: Registration) -> Iterator[Registration]:
    """Yield it with both axes, one axis and no axis left as it was, the simplest first."""
    (scale_x, scale_y), (shift_x, shift_y) = registration.scale, registration.shift
    for is_same_x, is_same_y in ((True, True), (True, False), (False, True), (False, False)):
        yield replace(
            registration,
            scale=(1.0 if is_same_x else scale_x, 1.0 if is_same_y else scale_y),
            shift=(0.0 if is_same_x else shift_x, 0.0 if is_same_y else shift_y),
        )


def _mean_agreement(laid: LaidOver) -> float:
    """Median over the pairs of the mean over the pixels that say something."""
    alike, weight = agreement(laid)
    sums = weight.sum(axis=(1, 2))
    if not (sums > 0).any():
        return 0.0
    mean = (alike * weight).sum(axis=(1, 2))[sums > 0] / sums[sums > 0]
    return float(np.median(mean))


def _agreeing_part(laid: LaidOver) -> _Part:
    """Find the rectangle in which the copy is seen: outside it the query shows something else."""
    alike, weight = agreement(laid, window=5, by_ref=True)
    limit = 0.5 * float((alike * weight).sum() / max(weight.sum(), 1e-6))
    gain = ((alike - limit) * weight).sum(axis=0)
    whole = _Part(left=0, top=0, right=gain.shape[1], bottom=gain.shape[0])
    part = whole
    for _ in range(2):
        top, bottom = _best_run(gain[:, part.left : part.right].sum(axis=1))
        left, right = _best_run(gain[top:bottom].sum(axis=0))
        part = _Part(left=left, top=top, right=right, bottom=bottom)
    doubts = {
        "top": (slice(0, part.top), slice(None)),
        "bottom": (slice(part.bottom, None), slice(None)),
        "left": (slice(part.top, part.bottom), slice(0, part.left)),
        "right": (slice(part.top, part.bottom), slice(part.right, None)),
    }
    undone = {
        side: getattr(whole, side)
        for side, (rows, columns) in doubts.items()
        if not _shows_other(laid, alike, weight, (slice(None), rows, columns))
    }
    return replace(part, **undone)


def _shows_other(
    laid: LaidOver,
    alike: NDArray[np.float32],
    weight: NDArray[np.float32],
    strip: tuple[slice, slice, slice],
) -> bool:
    """Tell a strip where the query shows a border or other footage from one where things moved."""
    says = float(weight[strip].mean()) if weight[strip].size else 0.0
    if says < _MIN_SAYS:
        return False
    agrees = float((alike[strip] * weight[strip]).mean()) / says
    of_query, of_ref = texture(laid.query_PHWC[strip]), texture(laid.ref_PHWC[strip])
    is_border = of_query <= _MAX_BLUR * of_ref and agrees <= _MAX_BORDER_AGREES
    return is_border or (says >= 2 * _MIN_SAYS and agrees <= _MAX_OTHER_AGREES)


def _best_run(gain: NDArray[np.floating]) -> tuple[int, int]:
    """``[first, stop)`` of the largest sum; the longest of equals."""
    total = np.concatenate([[0.0], np.cumsum(gain, dtype=np.float64)])
    slack = 1e-3 * np.abs(gain).sum()
    best = (-np.inf, 0, len(gain))
    for first in range(len(gain)):
        behind = total[first + 1 :]
        stop = first + 1 + int(np.flatnonzero(behind >= behind.max() - slack)[-1])
        run = float(total[stop] - total[first])
        if run > best[0] + slack:
            best = (run, first, stop)
    return best[1], best[2]


def _without_rim(part: _Part) -> _Part:
    """Leave out what the edge of the copy was blurred with."""
    if min(part.right - part.left, part.bottom - part.top) <= 8 * _RIM_PX:
        return part
    return _Part(
        left=part.left + _RIM_PX,
        top=part.top + _RIM_PX,
        right=part.right - _RIM_PX,
        bottom=part.bottom - _RIM_PX,
    )


def _cut(laid: LaidOver, part: _Part) -> LaidOver:
    rows, columns = slice(part.top, part.bottom), slice(part.left, part.right)
    return replace(
        laid,
        left=laid.left + part.left,
        top=laid.top + part.top,
        query_PHWC=laid.query_PHWC[:, rows, columns],
        ref_PHWC=laid.ref_PHWC[:, rows, columns],
    )


def _shape_hints(
    pairs: Sequence[tuple[Picture, Picture]],
    registration: Registration,
    laid: LaidOver,
    part: _Part,
) -> Iterator[Hint]:
    """Say how much of the reference's picture is left, and what is around the copy."""
    seen = _seen(laid, part)
    left = 1.0
    for axis, ends in enumerate(seen):
        start, end = ((end - registration.shift[axis]) / registration.scale[axis] for end in ends)
        left *= min(1.0, end) - max(0.0, start)
    if left <= _MAX_LEFT:
        yield Hint(kind="cropped", value=round(left, 3))
    share = (seen[0][1] - seen[0][0]) * (seen[1][1] - seen[1][0])
    if share > 1.0 - _MIN_ADDED:
        return
    around = surroundings(
        pairs,
        (seen[0][0], seen[1][0], seen[0][1], seen[1][1]),
        is_mirrored=registration.is_mirrored,
    )
    if around.footage >= _MIN_ADDED:
        spans = [end - start >= 1.0 - _AT_EDGE for start, end in seen]
        is_beside = any(spans) and around.num_sides == 1
        yield Hint(kind="stacked" if is_beside else "inset", value=round(share, 3))
    elif around.border >= _MIN_ADDED:
        yield Hint(kind="padded", value=round(around.border, 3))


def _seen(laid: LaidOver, part: _Part) -> list[tuple[float, float]]:
    """Say where the copy is seen in the query, in shares; a narrow edge belongs to it."""
    ends = []
    for first, stop, offset, whole in (
        (part.left, part.right, laid.left, laid.width_px),
        (part.top, part.bottom, laid.top, laid.height_px),
    ):
        start, end = (first + offset) / whole, (stop + offset) / whole
        start = 0.0 if start < _AT_EDGE / 2 else start
        ends.append((start, 1.0 if end > 1.0 - _AT_EDGE / 2 else end))
    return ends


def _surface_hints(inside: LaidOver) -> Iterator[Hint]:
    """Say what lies on the copy, and how its colour changed."""
    overlaid = overlaid_share(inside)
    if overlaid is not None:
        yield Hint(kind="overlaid", value=round(overlaid, 3))
    colour = colour_change(inside)
    if colour is not None:
        yield Hint(kind="colour", value=round(colour, 3))
