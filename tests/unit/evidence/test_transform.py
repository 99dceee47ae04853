"""What pictures of a copy beside those of its original say of it."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from vcd.core import Hint
from vcd.evidence import merged_hints, transform_hints
from vcd.evidence.registration import register

WIDTH, HEIGHT = 240, 180
NUM_PAIRS = 3


def film(seed: int, num: int = NUM_PAIRS) -> list[np.ndarray]:
    """Pictures that no other seed resembles, another one each, full of shapes."""
    rng = np.random.default_rng(seed)
    pictures = []
    for _ in range(num):
        field = rng.integers(60, 196, (4, 5, 3)).astype(np.uint8)
        picture = Image.fromarray(field).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
        draw = ImageDraw.Draw(picture)
        for _ in range(60):
            left, top = int(rng.integers(-10, WIDTH)), int(rng.integers(-10, HEIGHT))
            wide, high = (int(length) for length in rng.integers(6, 40, 2))
            colour = tuple(int(level) for level in rng.integers(30, 226, 3))
            shape = (draw.ellipse, draw.rectangle)[int(rng.integers(2))]
            shape((left, top, left + wide, top + high), fill=colour)
        pictures.append(np.array(picture))
    return pictures


def resized(pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    return np.array(Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR))


def hints(edit, seed: int = 1) -> dict[str, float | None]:
    refs = film(seed)
    said = transform_hints([(edit(ref), ref) for ref in refs])
    assert [hint.kind for hint in said] == sorted({hint.kind for hint in said})
    return {hint.kind: hint.value for hint in said}


def padded(ref: np.ndarray) -> np.ndarray:
    border = np.zeros((HEIGHT // 3, WIDTH, 3), dtype=np.uint8)
    return np.concatenate([border, ref, border])


def in_another(ref: np.ndarray) -> np.ndarray:
    host = film(99, 1)[0]
    host[60:150, 100:220] = resized(ref, 120, 90)
    return host


def beside_another(ref: np.ndarray) -> np.ndarray:
    return np.concatenate([ref, film(98, 1)[0]], axis=1)


def with_sticker(ref: np.ndarray) -> np.ndarray:
    covered = ref.copy()
    covered[40:90, 60:150] = (255, 0, 255)
    return covered


def cropped_and_padded(ref: np.ndarray) -> np.ndarray:
    part = ref[:, 48:192]
    border = np.zeros((HEIGHT, 48, 3), dtype=np.uint8)
    return np.concatenate([border, part, border], axis=1)


def turned(ref: np.ndarray) -> np.ndarray:
    return np.array(Image.fromarray(ref).rotate(15.0, Image.Resampling.BILINEAR))


def test_an_untouched_copy_has_nothing_to_say() -> None:
    assert hints(lambda ref: ref) == {}


def test_exchanging_left_and_right_is_told() -> None:
    assert hints(lambda ref: ref[:, ::-1].copy()) == {"mirrored": None}


def test_a_crop_tells_how_much_of_the_picture_is_left() -> None:
    said = hints(lambda ref: ref[18:162, 12:204])

    assert said == {"cropped": pytest.approx(144 * 192 / (180 * 240), abs=0.03)}


def test_a_mirrored_crop_tells_both() -> None:
    said = hints(lambda ref: ref[18:162, 12:204][:, ::-1].copy())

    assert said == {"cropped": pytest.approx(0.64, abs=0.03), "mirrored": None}


def test_a_border_tells_its_share_of_the_copy() -> None:
    assert hints(padded) == {"padded": pytest.approx(0.4, abs=0.02)}


def test_a_crop_between_borders_tells_both() -> None:
    said = hints(cropped_and_padded)

    assert said == {
        "cropped": pytest.approx(0.6, abs=0.04),
        "padded": pytest.approx(0.4, abs=0.04),
    }


def test_a_picture_in_a_picture_tells_the_share_that_it_covers() -> None:
    assert hints(in_another) == {"inset": pytest.approx(0.25, abs=0.02)}


def test_a_picture_beside_another_one_is_a_stack() -> None:
    assert hints(beside_another) == {"stacked": pytest.approx(0.5, abs=0.02)}


def test_something_that_lies_on_the_copy_tells_its_share() -> None:
    said = hints(with_sticker)

    assert said == {"overlaid": pytest.approx(50 * 90 / (180 * 240), abs=0.03)}


def test_a_copy_in_grey_tells_how_far_its_colours_are_off() -> None:
    refs = film(1)
    grey = [np.repeat(ref.mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2) for ref in refs]
    off = np.mean([np.abs(a.astype(int) - b) for a, b in zip(grey, refs, strict=True)]) / 255

    said = {hint.kind: hint.value for hint in transform_hints([*zip(grey, refs, strict=True)])}

    assert said == {"colour": pytest.approx(off, abs=0.02)}


def test_another_shape_of_picture_alone_is_no_change() -> None:
    assert hints(lambda ref: resized(ref, 150, 180)) == {}


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(turned, id="turned: what would be said of it would be wrong"),
        pytest.param(lambda ref: film(50, 1)[0], id="another picture"),
        pytest.param(np.zeros_like, id="black"),
        pytest.param(lambda ref: ref[:1, :1], id="one pixel"),
        pytest.param(lambda ref: ref[:, :3], id="three columns"),
    ],
)
def test_where_pictures_cannot_be_laid_over_each_other_nothing_is_said(edit) -> None:
    assert hints(edit) == {}


@pytest.mark.parametrize(
    ("edit", "is_turned"),
    [
        pytest.param(turned, True, id="turned"),
        pytest.param(in_another, False, id="inset"),
        pytest.param(lambda ref: ref, False, id="as it was"),
    ],
)
def test_a_turned_picture_is_known_as_one(edit, is_turned: bool) -> None:
    found = register([(edit(ref), ref) for ref in film(1)])

    assert found is not None
    assert found.is_turned is is_turned


def test_no_pictures_say_nothing() -> None:
    assert transform_hints([]) == ()


def test_the_same_pictures_say_the_same_twice_and_stay_as_they_are() -> None:
    pairs = [(in_another(ref), ref) for ref in film(4)]
    before = [(query.copy(), ref.copy()) for query, ref in pairs]

    first, second = transform_hints(pairs), transform_hints(pairs)

    assert first == second
    for (query, ref), (old_query, old_ref) in zip(pairs, before, strict=True):
        np.testing.assert_array_equal(query, old_query)
        np.testing.assert_array_equal(ref, old_ref)


def test_the_value_that_pictures_measured_wins() -> None:
    merged = merged_hints([Hint(kind="padded", value=0.2)], [Hint(kind="padded", value=0.3)])

    assert merged == (Hint(kind="padded", value=0.3),)


def test_where_pictures_say_nothing_the_views_count() -> None:
    by_views = [Hint(kind="speed", value=1.5), Hint(kind="mirrored")]

    merged = merged_hints(by_views, [Hint(kind="cropped", value=0.7)])

    assert merged == (
        Hint(kind="cropped", value=0.7),
        Hint(kind="mirrored"),
        Hint(kind="speed", value=1.5),
    )


def test_a_value_is_not_lost_to_a_hint_without_one() -> None:
    merged = merged_hints([Hint(kind="inset", value=0.3)], [Hint(kind="inset")])

    assert merged == (Hint(kind="inset", value=0.3),)
