r"""Draw what was found: for each query its film strip, and ribbons to where it was copied from.

    query     |##|##|##|##|##|
                  \ ribbon \            filled: found        outlined: true, when known
    reference    |##|##|##|##|##|##|

It knows records and pictures; where the pictures come from is for the caller.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PIL import Image

from pipelines.canvas import COLOURS, FAINT, INK, Canvas, Colour
from vcd.core import Interval, Match

__all__ = ["Panel", "Strip", "draw_timelines"]

Thumbnail = Callable[[float], Image.Image]
"""Picture of a video at a time in seconds."""

_PANEL_WIDTH = 820
_PANEL_HEIGHT = 238
_SILENT_PANEL_HEIGHT = 134
_MARGIN = 26
_HEADER_HEIGHT = 96
_STRIP_HEIGHT = 44
_QUERY_TOP = 68
_REF_TOP = 162
_STRIP_GAP = 18
_NUM_COLUMNS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """One video as a film strip.

    Attributes:
        id: its name.
        duration_s: its length.
        thumbnail: its picture at a time; None draws a plain bar.
    """

    id: str
    duration_s: float
    thumbnail: Thumbnail | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One query with the references it was matched to.

    Attributes:
        about: what is known of it, in a few words; may be empty.
        verdict: what is said of it, in a few words.
        query: the query.
        refs: references that a match or a true stretch names.
        found: the matches.
        true: (reference id, query stretch, reference stretch) that is known to be copied.
    """

    about: str
    verdict: str
    query: Strip
    refs: tuple[Strip, ...]
    found: tuple[Match, ...]
    true: tuple[tuple[str, Interval, Interval], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Placed:
    """A strip on the page: seconds become pixels here and nowhere else."""

    strip: Strip
    left_px: float
    top_px: float
    px_per_s: float

    def x(self, time_s: float) -> float:
        return self.left_px + min(max(time_s, 0.0), self.strip.duration_s) * self.px_per_s

    def box(self, interval: Interval) -> tuple[float, float, float, float]:
        bottom = self.top_px + _STRIP_HEIGHT
        return (self.x(interval.start_s), self.top_px, self.x(interval.end_s), bottom)

    @property
    def whole(self) -> tuple[float, float, float, float]:
        return self.box(Interval(0.0, max(self.strip.duration_s, 1e-6)))


def draw_timelines(title: str, subtitle: str, panels: Sequence[Panel]) -> Image.Image:
    """Draw one card for each query, two in a row.

    Args:
        title: headline of the page.
        subtitle: the line under it.
        panels: the queries, in the order in which they are shown.
    """
    num_columns = min(_NUM_COLUMNS, max(1, len(panels)))
    rows = [panels[first : first + num_columns] for first in range(0, len(panels), num_columns)]
    heights = [_row_height(row) for row in rows]
    width = num_columns * (_PANEL_WIDTH + _MARGIN) + _MARGIN
    page = Canvas(width, _HEADER_HEIGHT + sum(heights) + _MARGIN * len(rows))
    page.text((_MARGIN, 50), title, 30)
    page.text((_MARGIN, 78), subtitle, 16, FAINT)
    top = float(_HEADER_HEIGHT)
    for row, height in zip(rows, heights, strict=True):
        for column, panel in enumerate(row):
            left = _MARGIN + column * (_PANEL_WIDTH + _MARGIN)
            page.card((left, top, left + _PANEL_WIDTH, top + height))
            _draw_panel(page, panel, left, top)
        top += height + _MARGIN
    return page.reduced()


def _row_height(row: Sequence[Panel]) -> int:
    return _PANEL_HEIGHT if any(panel.refs for panel in row) else _SILENT_PANEL_HEIGHT


def _draw_panel(page: Canvas, panel: Panel, left: float, top: float) -> None:
    right = left + _PANEL_WIDTH
    page.text((left + 18, top + 32), panel.query.id, 19)
    page.text((right - 18, top + 32), panel.verdict, 14, INK, "rs")
    page.text((left + 18, top + 51), panel.about, 13, FAINT)
    query, refs = _place(panel, left + 18, top)
    colours = dict(zip(refs, COLOURS * (1 + len(refs) // len(COLOURS)), strict=False))
    for match in panel.found:
        _draw_ribbon(page, query, refs[match.ref_id], match, colours[match.ref_id])
    for placed in (query, *refs.values()):
        _draw_strip(page, placed, is_query=placed is query)
    for match in panel.found:
        _draw_found(page, query.box(match.query), colours[match.ref_id])
        _draw_found(page, refs[match.ref_id].box(match.ref), colours[match.ref_id])
    for ref_id, query_stretch, ref_stretch in panel.true:
        _draw_true(page, query.box(query_stretch), above=True)
        _draw_true(page, refs[ref_id].box(ref_stretch), above=False)


def _place(panel: Panel, left: float, top: float) -> tuple[_Placed, dict[str, _Placed]]:
    """Lay the query above its references, all on one scale."""
    room = _PANEL_WIDTH - 36
    refs_s = sum(strip.duration_s for strip in panel.refs)
    room_refs = room - _STRIP_GAP * max(0, len(panel.refs) - 1)
    px_per_s = min(room / max(panel.query.duration_s, 1e-6), room_refs / max(refs_s, 1e-6), 40.0)
    query = _Placed(strip=panel.query, left_px=left, top_px=top + _QUERY_TOP, px_per_s=px_per_s)
    refs: dict[str, _Placed] = {}
    for strip in panel.refs:
        refs[strip.id] = _Placed(
            strip=strip, left_px=left, top_px=top + _REF_TOP, px_per_s=px_per_s
        )
        left += strip.duration_s * px_per_s + _STRIP_GAP
    return query, refs


def _draw_strip(page: Canvas, placed: _Placed, *, is_query: bool) -> None:
    left, top, right, bottom = placed.whole
    page.box(placed.whole, fill=(232, 231, 226), edge=None, px=1)
    if placed.strip.thumbnail is not None:
        num_pictures = max(1, round((right - left) / (_STRIP_HEIGHT * 1.6)))
        step = (right - left) / num_pictures
        for i in range(num_pictures):
            picture = placed.strip.thumbnail((i + 0.5) * placed.strip.duration_s / num_pictures)
            page.picture(picture, (left + i * step, top, left + (i + 1) * step - 1, bottom))
    if not is_query:
        label = f"{placed.strip.id}  {placed.strip.duration_s:.0f} s"
        page.text((left, bottom + 22), label, 13, FAINT)


def _draw_ribbon(page: Canvas, query: _Placed, ref: _Placed, match: Match, colour: Colour) -> None:
    q_left, _, q_right, q_bottom = query.box(match.query)
    r_left, r_top, r_right, _ = ref.box(match.ref)
    page.ribbon((q_left, q_bottom, q_right, q_bottom, r_right, r_top, r_left, r_top), colour)
    middle = ((q_left + q_right + r_left + r_right) / 4, (q_bottom + r_top) / 2 + 4)
    words = (
        f"{match.query.start_s:.1f} - {match.query.end_s:.1f} s   is   "
        f"{match.ref.start_s:.1f} - {match.ref.end_s:.1f} s"
    )
    page.text(middle, words, 12, anchor="ms")


def _draw_found(page: Canvas, box: tuple[float, float, float, float], colour: Colour) -> None:
    page.box(box, fill=(*colour, 60), edge=colour, px=3)


def _draw_true(page: Canvas, box: tuple[float, float, float, float], *, above: bool) -> None:
    """Draw a bracket beside the strip: it stays visible under an exact match."""
    left, top, right, bottom = box
    edge, tip = (top - 6, top - 1) if above else (bottom + 6, bottom + 1)
    for ends in ((left, edge, right, edge), (left, edge, left, tip), (right, edge, right, tip)):
        page.line(ends, INK, 2)
