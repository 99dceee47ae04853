import numpy as np
import pytest
from PIL import Image

from pipelines.timeline_picture import Panel, Strip, draw_timelines
from tests.factories import make_match
from vcd.core import Interval, Match

_BLUE = (0, 114, 178)


def _panel(*found: Match, num_refs: int = 1, thumbnails: bool = False) -> Panel:
    def thumbnail(time_s: float) -> Image.Image:
        return Image.new("RGB", (32, 18), (int(time_s) % 256, 90, 90))

    shown = thumbnail if thumbnails else None
    return Panel(
        about="",
        verdict="",
        query=Strip(id="q", duration_s=40.0, thumbnail=shown),
        refs=tuple(
            Strip(id="r" if i == 0 else f"r{i}", duration_s=100.0, thumbnail=shown)
            for i in range(num_refs)
        ),
        found=found,
        true=(("r", Interval(12.4, 31.0), Interval(80.1, 99.0)),) if num_refs else (),
    )


def _num_blue(picture: Image.Image) -> int:
    away = np.abs(np.asarray(picture, dtype=int) - _BLUE).sum(axis=2)
    return int((away < 40).sum())


def test_a_match_is_drawn_in_colour_and_nothing_is_not():
    with_match = draw_timelines("t", "s", [_panel(make_match())])
    without = draw_timelines("t", "s", [_panel()])

    assert _num_blue(with_match) > 200
    assert _num_blue(without) == 0


def test_a_match_twice_as_long_is_drawn_twice_as_wide():
    def width(query: tuple[float, float]) -> int:
        picture = draw_timelines("t", "s", [_panel(make_match(query=query, ref=(0.0, 1.0)))])
        away = np.abs(np.asarray(picture, dtype=int) - _BLUE).sum(axis=2) < 40
        rows = away[: 96 + 130]
        columns = np.flatnonzero(rows.any(axis=0))
        return int(columns[-1] - columns[0])

    assert width((0.0, 20.0)) == pytest.approx(2 * width((0.0, 10.0)), abs=8)


@pytest.mark.parametrize(
    "panels",
    [
        pytest.param([], id="no query"),
        pytest.param([_panel(num_refs=0)], id="no reference"),
        pytest.param([_panel(make_match(), num_refs=9)], id="more references than colours"),
        pytest.param([_panel(make_match(), thumbnails=True)] * 3, id="odd number"),
        pytest.param([_panel(make_match(query=(39.0, 60.0)))], id="beyond the end"),
        pytest.param(
            [Panel(about="", verdict="", query=Strip(id="q", duration_s=0.0), refs=(), found=())],
            id="no length",
        ),
    ],
)
def test_any_result_can_be_drawn(panels):
    assert draw_timelines("title", "subtitle", panels).width > 400
