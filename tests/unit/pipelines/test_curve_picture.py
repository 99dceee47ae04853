"""Precision over recall as a picture."""

import numpy as np
import pytest
from PIL import Image

from pipelines.curve_picture import Curve, draw_curves, save_curves
from vcd.core import SetupError

_BLUE = (0, 114, 178)
_ORANGE = (213, 94, 0)
_LEFT, _TOP, _RIGHT, _BOTTOM = 76, 92, 770, 572


def _curve(recall: list[float], precision: list[float]) -> Curve:
    return Curve(name="it", recall=np.array(recall), precision=np.array(precision), ap=0.5)


def _where(picture: Image.Image, colour: tuple[int, int, int]) -> np.ndarray:
    """Pixels (y, x) of the colour inside the plot."""
    inside = np.asarray(picture.convert("RGB"), dtype=int)[: _BOTTOM + 4]
    return np.argwhere(np.abs(inside - colour).sum(axis=2) < 60)


def test_the_line_stands_at_the_precision_of_each_step_of_recall():
    picture = draw_curves("t", [_curve([0.5, 1.0], [1.0, 0.25])])

    y, x = _where(picture, _BLUE).T
    middle = (_LEFT + _RIGHT) / 2
    assert np.abs(y[x < middle - 4] - _TOP).max() <= 2
    assert np.abs(y[x > middle + 4] - (_BOTTOM - 0.25 * (_BOTTOM - _TOP))).max() <= 2
    assert (x.min(), x.max()) == (pytest.approx(_LEFT, abs=3), pytest.approx(_RIGHT, abs=3))


def test_recall_that_does_not_rise_draws_nothing():
    picture = draw_curves("t", [_curve([0.5, 0.5, 0.5], [1.0, 0.6, 0.1])])

    y, _ = _where(picture, _BLUE).T
    assert np.abs(y - _TOP).max() <= 2


def test_each_curve_has_a_colour_and_a_row_in_the_legend():
    one, two = (_curve([1.0], [level]) for level in (0.8, 0.4))

    alone, both = draw_curves("t", [one]), draw_curves("t", [one, two])

    assert len(_where(alone, _ORANGE)) == 0
    assert len(_where(both, _ORANGE)) > 500
    assert both.height > alone.height
    assert (alone.width, both.width) == (800, 800)


def test_a_million_steps_are_drawn_as_a_thousand_are(rng):
    recall = np.linspace(1e-6, 1.0, 1_000_000)
    fine = Curve(name="fine", recall=recall, precision=1 - recall / 2, ap=0.75)
    coarse = Curve(name="fine", recall=recall[::1000], precision=1 - recall[::1000] / 2, ap=0.75)

    difference = np.abs(
        np.asarray(draw_curves("t", [fine]), dtype=int)
        - np.asarray(draw_curves("t", [coarse]), dtype=int)
    )

    assert (difference.max(axis=2) > 120).mean() < 1e-3


def test_a_dip_that_is_narrower_than_a_pixel_is_seen():
    recall = np.linspace(1e-6, 1.0, 100_000)
    precision = np.ones_like(recall)
    precision[50_007] = 0.25

    picture = draw_curves("t", [Curve(name="it", recall=recall, precision=precision, ap=1.0)])

    y, _ = _where(picture, _BLUE).T
    assert y.max() == pytest.approx(_BOTTOM - 0.25 * (_BOTTOM - _TOP), abs=3)


@pytest.mark.parametrize(
    "curves",
    [
        pytest.param([], id="no curve"),
        pytest.param([_curve([], [])], id="nothing ranked"),
        pytest.param([_curve([0.0, 0.0], [0.0, 0.0])], id="nothing found"),
        pytest.param([_curve([1e-9], [1.0])], id="next to nothing found"),
        pytest.param([_curve([1.0], [1.0])] * 6, id="more curves than colours"),
    ],
)
def test_any_result_can_be_drawn(curves):
    assert draw_curves("title", curves).width == 800


@pytest.mark.parametrize(
    ("recall", "precision", "complaint"),
    [
        ([0.5], [1.5], r"must be \(G,\) in \[0, 1\]"),
        ([0.5], [float("nan")], r"must be \(G,\) in \[0, 1\]"),
        ([0.5, 0.4], [1.0, 1.0], "recall falls"),
        ([0.5, 0.6], [1.0], r"must be \(G,\) in \[0, 1\]"),
    ],
)
def test_a_curve_that_is_none_cannot_exist(recall, precision, complaint):
    with pytest.raises(ValueError, match=complaint):
        _curve(recall, precision)


def test_the_picture_is_a_png_whatever_its_file_is_called(tmp_path):
    save_curves(tmp_path / "curves", "t", [_curve([1.0], [0.5])])

    with Image.open(tmp_path / "curves") as picture:
        assert (picture.format, picture.width) == ("PNG", 800)


def test_a_picture_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(SetupError, match=r"none/a\.png: cannot be written: No such file"):
        save_curves(tmp_path / "none/a.png", "t", [])
