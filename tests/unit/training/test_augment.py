from collections import Counter

import numpy as np
import pytest
from PIL import Image, ImageOps

from vcd.training import augment
from vcd.training.augment import (
    HARD_KINDS,
    HARD_WEIGHTS,
    PUBLISHED_RECIPES,
    edited_view,
    hard_view,
)

EDITED_MEANS = [124.51, 114.87, 124.87, 104.94, 124.38, 128.71, 151.55, 156.35]
HARD_MEANS = [68.79, 127.57, 127.65, 134.18, 126.22, 123.22, 125.28, 128.18]


def photograph(seed, *, height=90, width=120):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, size=(height // 10, width // 10, 3), dtype=np.uint8)
    return coarse.repeat(10, axis=0).repeat(10, axis=1)


def view(seed, *, strength=1.0, size_px=48):
    rng = np.random.default_rng(seed)
    return edited_view(photograph(0), photograph(1), size_px=size_px, strength=strength, rng=rng)


def test_the_same_generator_makes_the_same_view():
    assert all(np.array_equal(view(seed), view(seed)) for seed in range(50))


def test_different_generators_make_different_views():
    assert len({view(seed).tobytes() for seed in range(50)}) > 45


@pytest.mark.parametrize("strength", [0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("size_px", [32, 80])
def test_every_view_is_a_square_of_the_size_asked_for(strength, size_px):
    for seed in range(60):
        edited = view(seed, strength=strength, size_px=size_px)

        assert edited.shape == (size_px, size_px, 3)
        assert edited.dtype == np.uint8


def test_strength_zero_only_squashes_the_photograph():
    views = {view(seed, strength=0.0).tobytes() for seed in range(20)}

    assert len(views) == 1


def test_more_strength_changes_more():
    plain = view(0, strength=0.0).astype(float)

    weak, strong = (
        np.mean([np.abs(view(seed, strength=strength) - plain).mean() for seed in range(100)])
        for strength in (0.2, 1.0)
    )

    assert weak < 0.6 * strong


@pytest.mark.parametrize("shape", [(1, 1), (2, 300), (300, 2)], ids=["a pixel", "wide", "high"])
def test_odd_shapes_are_edited_like_any_other(shape):
    odd = np.full((*shape, 3), 128, dtype=np.uint8)

    for seed in range(40):
        rng = np.random.default_rng(seed)

        assert edited_view(odd, odd, size_px=32, strength=1.0, rng=rng).shape == (32, 32, 3)


def test_a_hard_view_is_a_square_and_a_function_of_its_generator():
    def hard(seed):
        rng = np.random.default_rng(seed)
        return hard_view(photograph(0), photograph(1), size_px=48, rng=rng)

    assert {hard(seed).shape for seed in range(40)} == {(48, 48, 3)}
    assert all(np.array_equal(hard(seed), hard(seed)) for seed in range(40))


def test_the_photographs_are_not_changed():
    photo, other = photograph(0), photograph(1)
    before = photo.tobytes() + other.tobytes()

    for seed in range(50):
        edited_view(photo, other, size_px=48, strength=1.0, rng=np.random.default_rng(seed))

    assert photo.tobytes() + other.tobytes() == before


def test_the_views_of_copies_are_those_the_bundled_weights_are_trained_with():
    # Other numbers are other views: what was trained with these cannot be made again then.
    edited = [view(seed).mean() for seed in range(8)]
    hard = [
        hard_view(photograph(0), photograph(1), size_px=48, rng=np.random.default_rng(seed)).mean()
        for seed in range(8)
    ]

    assert edited == pytest.approx(EDITED_MEANS, abs=0.3)
    assert hard == pytest.approx(HARD_MEANS, abs=0.3)


def test_hard_edits_are_as_frequent_as_stated():
    assert len(HARD_KINDS) == len(HARD_WEIGHTS)
    assert sum(HARD_WEIGHTS) == pytest.approx(1.0)


@pytest.mark.parametrize("recipe", PUBLISHED_RECIPES)
@pytest.mark.parametrize("shape", [(90, 120), (10, 10), (1, 1), (1, 5000), (5000, 1)])
def test_published_views_are_squares_of_any_photograph(recipe, shape):
    photo = np.full((*shape, 3), 128, dtype=np.uint8)

    for seed in range(20):
        rng = np.random.default_rng(seed)
        made = PUBLISHED_RECIPES[recipe](photo, photo, size_px=24, rng=rng)

        assert made.shape == (24, 24, 3)
        assert made.dtype == np.uint8


class Recorder:
    """Stands in for the edits and writes down, view by view, which was done and how deep."""

    def __init__(self, monkeypatch):
        self.views = []
        for name in ("draw_text", "draw_emoji", "jittered", "stacked", "_inset"):
            monkeypatch.setattr(augment, name, self.note(name))
        monkeypatch.setattr(augment, "as_jpeg", self.note("as_jpeg", of=1))
        monkeypatch.setattr(augment, "random_crop", self.crop)
        monkeypatch.setattr(ImageOps, "mirror", self.note("mirror"))
        monkeypatch.setattr(ImageOps, "grayscale", self.note("grey"))
        monkeypatch.setattr(Image.Image, "rotate", self.note("rotate", of=1))
        monkeypatch.setattr(Image.Image, "filter", self.note("blur", of=1))

    def note(self, name, *, of=None):
        def edit(picture, *arguments):
            self.views[-1].append((name, arguments[of - 1] if of else None))
            return picture

        return edit

    def crop(self, picture, size_px, rng):
        self.views[-1].append(("crop", None))
        return Image.new("RGB", (size_px, size_px))

    def make(self, recipe, *, num=4000):
        photo = np.zeros((4, 4, 3), dtype=np.uint8)
        rng = np.random.default_rng(0)
        for _ in range(num):
            self.views.append([])
            PUBLISHED_RECIPES[recipe](photo, photo, size_px=2, rng=rng)

    def shares(self):
        counts = Counter(name for view in self.views for name in {name for name, _ in view})
        return {name: count / len(self.views) for name, count in counts.items()}

    def depths(self, name):
        return [depth for view in self.views for found, depth in view if found == name]


ADVANCED = {
    "mirror": 0.5,
    "draw_text": 0.1,
    "draw_emoji": 0.2,
    "rotate": 1 - 0.95**2,
    "crop": 1.0,
    "jittered": 0.8,
    "grey": 0.2,
    "blur": 0.5,
    "as_jpeg": 0.2,
}
STRONG_BLUR = {name: ADVANCED[name] for name in ("crop", "mirror", "jittered", "grey", "blur")}
VIDEO = ADVANCED | {"stacked": 0.1, "_inset": 0.1}


@pytest.mark.parametrize(
    ("recipe", "published"),
    [("strong_blur", STRONG_BLUR), ("advanced", ADVANCED), ("advanced_video", VIDEO)],
)
def test_every_edit_is_as_frequent_as_published(monkeypatch, recipe, published):
    recorder = Recorder(monkeypatch)

    recorder.make(recipe)

    assert recorder.shares() == pytest.approx(published, abs=0.025)


@pytest.mark.parametrize(
    ("recipe", "order"),
    [
        ("strong_blur", "crop mirror jittered grey blur"),
        (
            "advanced_video",
            "mirror rotate draw_text draw_emoji rotate crop jittered grey blur stacked _inset "
            "as_jpeg",
        ),
    ],
)
def test_the_edits_come_in_the_published_order(monkeypatch, recipe, order):
    recorder = Recorder(monkeypatch)

    recorder.make(recipe, num=1000)

    for done in recorder.views:
        rest = iter(order.split())
        assert all(name in rest for name, _ in done), done


def test_quarter_turns_and_any_turns_are_as_published(monkeypatch):
    recorder = Recorder(monkeypatch)

    recorder.make("advanced")

    degrees = recorder.depths("rotate")
    assert set(degrees) > {90, 180, 270}
    assert all(isinstance(turn, int) and 0 <= turn < 360 for turn in degrees)
    quarters = sum(turn in (90, 180, 270) for turn in degrees)
    assert quarters / len(recorder.views) == pytest.approx(0.05, abs=0.012)
    assert max(degrees) > 340


def test_blur_and_quality_are_as_published(monkeypatch):
    recorder = Recorder(monkeypatch)

    recorder.make("advanced")

    radii = [blur.radius for blur in recorder.depths("blur")]
    assert (min(radii), max(radii)) == pytest.approx((1.0, 5.0), abs=0.02)
    assert np.mean(radii) == pytest.approx(3.0, abs=0.1)
    qualities = recorder.depths("as_jpeg")
    assert (min(qualities), max(qualities)) == (0, 100)
    assert np.mean(qualities) == pytest.approx(50, abs=4)
