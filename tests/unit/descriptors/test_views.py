import numpy as np
import pytest

from tests.unit.descriptors.moving_pictures import footage, with_inset
from vcd.descriptors import WHOLE_CUT, Area, Cut, View, ViewSettings
from vcd.descriptors.views import BLOCK_FRAMES, ViewChooser
from vcd.descriptors.views_edges import grey_grid

INSET_PX = (60, 50, 200, 150)


def chosen(frames, *, chooser=None, **settings):
    """The views of each block of the frames."""
    chooser = chooser or ViewChooser(ViewSettings(**settings))
    answers = [chooser.choose(grey_grid(frame)) for frame in frames]
    return [[cut.view for cut in each] for each in (*answers, chooser.finish()) if each]


def test_numbers_of_views_are_those_that_are_in_files():
    assert {view.name: view.value for view in View} == {
        "WHOLE": 0,
        "MIRRORED": 1,
        "INNER": 2,
        "LEFT": 3,
        "RIGHT": 4,
        "TOP": 5,
        "BOTTOM": 6,
        "INSET": 7,
        "BESIDE": 8,
    }


def test_footage_that_fills_the_frame_is_mirrored_and_nothing_else():
    assert chosen(footage(8, 1)) == [[View.MIRRORED]] * 2


def test_an_inset_is_described_with_what_lies_beside_it():
    chooser = ViewChooser(ViewSettings())
    frames = with_inset(4, INSET_PX)
    *_, cuts = [chooser.choose(grey_grid(frame)) or () for frame in frames]

    assert [cut.view for cut in cuts] == [View.INSET, View.BESIDE, View.MIRRORED]
    inset, beside, _ = (cut.area for cut in cuts)
    np.testing.assert_allclose(
        (inset.left, inset.top, inset.right, inset.bottom),
        np.array(INSET_PX) / (320, 240, 320, 240),
        atol=0.015,
    )
    assert beside.left >= inset.right
    assert (beside.top, beside.right, beside.bottom) == (0.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("is_upright", "expected"),
    [(True, [View.LEFT, View.RIGHT]), (False, [View.TOP, View.BOTTOM])],
)
def test_both_parts_of_a_stack_are_described(is_upright, expected):
    frames, other = footage(4, 1), footage(4, 21)
    half = (slice(None), slice(None), slice(160, None)) if is_upright else (slice(None), slice(120))
    frames[half] = other[half]

    assert chosen(frames) == [[*expected, View.MIRRORED]]


def test_what_borders_leave_is_described():
    frames = footage(4, 1)
    frames[:, :40] = frames[:, 200:] = 0

    assert chosen(frames) == [[View.INNER, View.MIRRORED]]


def test_a_strip_too_thin_to_show_anything_is_not_described():
    (views,) = chosen(with_inset(4, (0, 0, 290, 210)))

    assert View.INSET in views
    assert View.BESIDE not in views


@pytest.mark.parametrize("num_frames", [1, 2, 3, 5, 9])
def test_frames_that_fill_no_block_have_views_too(num_frames):
    blocks = chosen(with_inset(num_frames, INSET_PX))

    assert len(blocks) == -(-num_frames // BLOCK_FRAMES)
    assert all(View.INSET in block for block in blocks)


def test_no_frames_have_no_views():
    assert chosen([]) == []
    assert ViewChooser(ViewSettings()).finish() == ()


@pytest.mark.parametrize("max_per_frame", [0.0, 0.5, 1.0, 2.0, 2.5])
def test_the_budget_is_kept_at_every_frame(max_per_frame):
    chooser = ViewChooser(ViewSettings(max_per_frame=max_per_frame))
    num_frames = num_views = 0
    for frame in with_inset(64, INSET_PX):
        num_frames += 1
        num_views += BLOCK_FRAMES * len(chooser.choose(grey_grid(frame)) or ())

        assert num_views <= num_frames * max_per_frame + 8

    assert num_views >= num_frames * max_per_frame


def test_a_short_budget_goes_to_the_likeliest_views():
    *_, last = chosen(with_inset(64, INSET_PX), max_per_frame=1.0)

    assert last == [View.INSET]


def test_an_image_has_all_its_views_on_the_smallest_budget():
    assert chosen(with_inset(1, INSET_PX), max_per_frame=0.0) == [
        [View.INSET, View.BESIDE, View.MIRRORED]
    ]


def test_mirroring_can_be_given_up():
    chooser = ViewChooser(ViewSettings())
    chooser.skip_mirrored()

    assert chosen(footage(4, 1), chooser=chooser) == []


@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 5, 3), (240, 320, 3)])
def test_a_cut_has_at_least_one_pixel(shape):
    area = Area(left=0.995, top=0.0, right=1.0, bottom=0.004)

    assert min(Cut(view=View.INSET, area=area).of(np.zeros(shape, np.uint8)).shape) >= 1


def test_a_cut_is_the_part_of_the_frame_that_it_says():
    pixels = np.arange(8 * 4 * 3, dtype=np.uint8).reshape(4, 8, 3)
    area = Area(left=0.25, top=0.5, right=1.0, bottom=0.75)

    np.testing.assert_array_equal(Cut(view=View.INSET, area=area).of(pixels), pixels[2:3, 2:8])


def test_the_mirrored_frame_has_left_and_right_exchanged():
    pixels = np.arange(8 * 4 * 3, dtype=np.uint8).reshape(4, 8, 3)
    cut = Cut(view=View.MIRRORED, area=WHOLE_CUT.area)

    np.testing.assert_array_equal(cut.of(pixels), pixels[:, ::-1])


@pytest.mark.parametrize("sides", [(0.5, 0.0, 0.5, 1.0), (-0.1, 0.0, 1.0, 1.0), (0, 0, 1, 1.01)])
def test_an_area_that_is_no_rectangle_of_a_frame_is_refused(sides):
    left, top, right, bottom = sides

    with pytest.raises(ValueError, match="not a rectangle of a frame"):
        Area(left=left, top=top, right=right, bottom=bottom)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"mode": "on"}, "mode must be auto or off"),
        ({"max_per_frame": -1.0}, "max_per_frame must be a number from 0 on"),
        ({"max_per_frame": float("inf")}, "max_per_frame must be a number from 0 on"),
        ({"max_similarity": 0.0}, "max_similarity must be in"),
    ],
)
def test_settings_of_views_out_of_range_are_refused(setting, message):
    with pytest.raises(ValueError, match=message):
        ViewSettings(**setting)
