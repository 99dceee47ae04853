"""Draw a pre-flight: the film strip, how common each second is, and what is proposed to go.

|##|##|##|##|##|##|##|     film strip             hatched: proposed to be excluded
====.       .=             other videos that match here
- - - - - - - - - -        from so many on a stretch is common
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from pipelines import console
from pipelines.canvas import COLOURS, EDGE, FAINT, INK, Canvas, Colour
from pipelines.preflight_findings import Finding, finding_lines, plain, seconds_of
from vcd.core import Interval, SetupError

__all__ = ["NUM_PICTURES", "draw_preflight", "save_preflight"]

NUM_PICTURES = 16
"""Pictures of a film strip."""

_WIDTH, _MARGIN = 1240, 26
_LEFT, _RIGHT = 84, 1184
_STRIP_TOP, _STRIP_BOTTOM = 132, 188
_CURVE_TOP, _CURVE_BOTTOM = 204, 364
_LEGEND_TOP, _LINES_TOP, _LINE_HEIGHT = 416, 462, 21
_MAX_LINES, _MAX_LETTERS = 24, 150
_HATCH_PX = 8
_HEADROOM = 1.15
"""The highest count stays this far below the upper edge."""
_BLUE, _ORANGE, _GREEN, _PURPLE = COLOURS
_REASONS: dict[str, Colour] = {"common": _ORANGE, "still": _PURPLE, "uninformative": FAINT}
_TICKS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600)
_MAX_TICKS = 14

_Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class _Axes:
    """Seconds and counts become pixels here and nowhere else."""

    duration_s: float
    most: float

    def x(self, time_s: float) -> float:
        share = min(max(time_s / self.duration_s, 0.0), 1.0)
        return _LEFT + share * (_RIGHT - _LEFT)

    def y(self, count: float) -> float:
        return _CURVE_BOTTOM - min(count / self.most, 1.0) * (_CURVE_BOTTOM - _CURVE_TOP)

    def y_of_score(self, score: float) -> float:
        return self.y(min(max(score, 0.0), 1.0) * self.most)

    def column(self, stretch: Interval, top: float, bottom: float) -> _Box:
        return (self.x(stretch.start_s), top, self.x(stretch.end_s), bottom)


def draw_preflight(
    finding: Finding, pictures: Sequence[tuple[Interval, Image.Image]]
) -> Image.Image:
    """Draw one reference, 1240 pixels wide.

    Args:
        finding: what was found of it.
        pictures: of the strip, each with the time that it stands for; none draws a plain bar.
    """
    lines = finding_lines(finding)[1:]
    shown = lines[:_MAX_LINES]
    if len(shown) < len(lines):
        shown.append(f"   {len(lines) - len(shown)} more lines in the table")
    page = Canvas(_WIDTH, _LINES_TOP + _LINE_HEIGHT * len(shown) + 30)
    seconds = seconds_of(finding.comparison)
    counts = [second.num_matching for second in seconds]
    most = max([finding.settings.min_videos, *counts]) * _HEADROOM
    end_s = max([finding.video.duration_s, *(second.interval.end_s for second in seconds)])
    axes = _Axes(max(end_s, 1e-3), most)
    _draw_head(page, finding)
    page.card((_MARGIN, 88, _WIDTH - _MARGIN, _LEGEND_TOP + 24))
    _draw_strip(page, axes, pictures)
    _draw_curve(page, axes, finding)
    _draw_axes(page, axes, finding.settings.min_videos)
    _draw_proposals(page, axes, finding)
    _draw_legend(page)
    for row, line in enumerate(shown):
        at = (_MARGIN + 8, _LINES_TOP + _LINE_HEIGHT * (row + 0.5))
        ink = _ORANGE if "DOUBTFUL" in line else INK
        page.text(at, _cut(line), 13, ink, "lm")
    return page.reduced()


def save_preflight(
    path: Path, finding: Finding, pictures: Sequence[tuple[Interval, Image.Image]]
) -> None:
    """Write the picture as PNG, whole or not at all; its folder is made when missing.

    Raises:
        SetupError: it cannot be written.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draw_preflight(finding, pictures).save(part, format="PNG")
        part.replace(path)
    except OSError as error:
        raise SetupError(f"{path}: cannot be written: {error.strerror or error}") from error


def _draw_head(page: Canvas, finding: Finding) -> None:
    comparison = finding.comparison
    page.text((_MARGIN, 44), f"Pre-flight of {plain(finding.video.id)[:60]}", 24)
    others = sum(comparison.num_others.values())
    about = f"{finding.video.duration_s:.1f} s, held against {others} other videos; "
    about += f"{console.counted(len(comparison.proposals), 'proposal')} to exclude, "
    about += f"{comparison.excluded_share:.0%} of the frames that carry evidence"
    page.text((_MARGIN, 70), about, 14, FAINT)


def _draw_strip(
    page: Canvas, axes: _Axes, pictures: Sequence[tuple[Interval, Image.Image]]
) -> None:
    page.box((_LEFT, _STRIP_TOP, _RIGHT, _STRIP_BOTTOM), fill=(232, 231, 226), edge=None, px=1)
    for stretch, picture in pictures:
        left, top, right, bottom = axes.column(stretch, _STRIP_TOP, _STRIP_BOTTOM)
        page.picture(picture, (left, top, right - 1, bottom))


def _draw_curve(page: Canvas, axes: _Axes, finding: Finding) -> None:
    """Draw the counts as bars, and the best scores as a line on a scale of its own."""
    seconds = seconds_of(finding.comparison)
    for number, run in itertools.groupby(seconds, key=lambda second: second.num_matching):
        stretches = [second.interval for second in run]
        span = Interval(stretches[0].start_s, stretches[-1].end_s)
        if number:
            box = axes.column(span, axes.y(number), _CURVE_BOTTOM)
            page.box(box, fill=(*_BLUE, 150), edge=None, px=0)
    if not finding.comparison.num_others:
        return
    corners: list[float] = []
    for second in seconds:
        height = axes.y_of_score(second.best_score or 0.0)
        corners += [axes.x(second.interval.start_s), height, axes.x(second.interval.end_s), height]
    page.line(corners, _GREEN, 2)
    for share in (0.0, 0.5, 1.0):
        page.text((_RIGHT + 8, axes.y_of_score(share)), f"{share:.1f}", 13, _GREEN, "lm")


def _draw_axes(page: Canvas, axes: _Axes, limit: int) -> None:
    page.line((_LEFT, _CURVE_BOTTOM, _RIGHT, _CURVE_BOTTOM), EDGE, 1)
    for left in range(_LEFT, _RIGHT, 14):
        page.line((left, axes.y(limit), min(left + 8, _RIGHT), axes.y(limit)), INK, 1)
    page.text((_LEFT - 8, axes.y(limit)), f"limit {limit}", 13, INK, "rm")
    highest = round(axes.most / _HEADROOM)
    if axes.y(limit) - axes.y(highest) > 18:
        page.text((_LEFT - 8, axes.y(highest)), str(highest), 13, FAINT, "rm")
    page.text((_LEFT - 8, _CURVE_BOTTOM), "0", 13, FAINT, "rm")
    step_s = next((s for s in _TICKS_S if axes.duration_s / s <= _MAX_TICKS), 7200)
    for number in range(int(axes.duration_s // step_s) + 1):
        time_s = number * step_s
        page.line((axes.x(time_s), _CURVE_BOTTOM, axes.x(time_s), _CURVE_BOTTOM + 5), FAINT, 1)
        page.text((axes.x(time_s), _CURVE_BOTTOM + 21), _clock(time_s), 13, FAINT, "ms")


def _draw_proposals(page: Canvas, axes: _Axes, finding: Finding) -> None:
    comparison = finding.comparison
    for stretch in comparison.candidate.excluded:
        box = axes.column(stretch, _STRIP_TOP, _CURVE_BOTTOM)
        page.box(box, fill=(*INK, 60), edge=None, px=0)
    for number, proposal in enumerate(comparison.proposals, start=1):
        colour = _REASONS[proposal.reason]
        box = axes.column(proposal.interval, _STRIP_TOP, _CURVE_BOTTOM)
        page.box(box, fill=(*colour, 28), edge=colour, px=1)
        _hatch(page, axes.column(proposal.interval, _CURVE_TOP, _CURVE_BOTTOM), colour)
        middle = ((box[0] + box[2]) / 2, _STRIP_TOP - 8)
        words = f"{number} {proposal.reason}"
        is_wide = box[2] - box[0] > 8 * len(words)
        page.text(middle, words if is_wide else str(number), 13, colour, "ms")


def _hatch(page: Canvas, box: _Box, colour: Colour) -> None:
    """Fill a box with slanted lines that end at its edges."""
    left, top, right, bottom = box
    height = bottom - top
    foot = left - height
    while foot < right:
        low, high = max(foot, left), min(foot + height, right)
        if high > low:
            page.line((low, bottom - (low - foot), high, bottom - (high - foot)), colour, 1)
        foot += _HATCH_PX


def _draw_legend(page: Canvas) -> None:
    left, middle = float(_LEFT), _LEGEND_TOP
    page.box((left, middle - 7, left + 16, middle + 7), fill=(*_BLUE, 150), edge=None, px=0)
    page.text((left + 24, middle), "other videos that match here", 13, INK, "lm")
    left += 240
    page.line((left, middle, left + 18, middle), _GREEN, 2)
    page.text((left + 26, middle), "score of the most similar frame elsewhere", 13, INK, "lm")
    left += 320
    for words, colour in (*_REASONS.items(), ("excluded already", INK)):
        box = (left, middle - 7, left + 16, middle + 7)
        page.box(box, fill=(*colour, 40), edge=colour, px=1)
        if words in _REASONS:
            _hatch(page, box, colour)
        page.text((left + 24, middle), words, 13, INK, "lm")
        left += 56 + 7.2 * len(words)


def _cut(line: str) -> str:
    words = " ".join(line.split())
    return words if len(words) <= _MAX_LETTERS else f"{words[: _MAX_LETTERS - 4]} ..."


def _clock(time_s: int) -> str:
    return f"{time_s} s" if time_s < 60 else f"{time_s // 60}:{time_s % 60:02}"
