import numpy as np
import pytest

from vcd.training.augment import edited_view, hard_view


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
