from collections import Counter

import numpy as np
import pytest

from vcd.core import InputError, Interval
from vcd.evaluation.settings import SynthSettings
from vcd.evaluation.synthesis.footage_roles import Role, Source, assign_roles, find_twins


def sources(num, *, length_s=20.0):
    return [
        Source(id=f"video{n}", usable=Interval(0.0, length_s), size=(160, 90)) for n in range(num)
    ]


def roles_of(videos, **changes):
    return assign_roles(videos, SynthSettings(**changes), min_source_s=4.5)


def test_a_large_collection_is_divided_as_the_shares_say():
    counts = Counter(roles_of(sources(2000)).values())

    assert counts[Role.COPIED] == pytest.approx(1000, abs=60)
    assert counts[Role.STRANGER] == pytest.approx(600, abs=60)
    assert counts[Role.DISTRACTOR] == pytest.approx(400, abs=60)


def test_roles_stay_when_videos_are_added():
    few, many = roles_of(sources(200)), roles_of(sources(400))

    assert {id_: many[id_] for id_ in few} == few


def test_another_seed_gives_other_roles():
    assert roles_of(sources(100), seed=1) != roles_of(sources(100), seed=2)


def test_roles_do_not_depend_on_the_order():
    videos = sources(30)

    assert roles_of(videos[::-1]) == roles_of(videos)


@pytest.mark.parametrize("num", [6, 7, 15])
@pytest.mark.parametrize(
    ("distractor_share", "stranger_share"), [(0.2, 0.3), (0.0, 0.0), (0.9, 0.05), (0.05, 0.9)]
)
def test_every_role_is_there_whatever_the_lots_say(num, distractor_share, stranger_share):
    for seed in range(20):
        counts = Counter(
            roles_of(
                sources(num),
                seed=seed,
                distractor_share=distractor_share,
                stranger_share=stranger_share,
            ).values()
        )

        assert counts[Role.COPIED] >= 2
        assert counts[Role.STRANGER] >= 2
        assert counts[Role.DISTRACTOR] >= 1


def test_no_role_of_a_dozen_videos_falls_far_below_its_share():
    fewest = min(
        Counter(roles_of(sources(16), seed=seed).values())[Role.COPIED] for seed in range(50)
    )

    assert fewest >= 6


def test_a_video_too_short_to_copy_stands_by():
    short = Source(id="blink", usable=Interval(0.0, 4.4), size=(160, 90))

    for seed in range(10):
        assert roles_of([*sources(6), short], seed=seed)["blink"] is Role.DISTRACTOR


def test_too_few_videos_are_refused_with_what_is_needed():
    short = [Source(id=f"s{n}", usable=Interval(0.0, 1.0), size=(160, 90)) for n in range(9)]

    with pytest.raises(InputError, match=r"wanted at least 6 videos .* of 4.5 s .*; found 5"):
        roles_of([*sources(5), *short])


def thumbnails(seed, num=20):
    return np.random.default_rng(seed).integers(0, 256, (num, 256)).astype(np.uint8)


def noisy(pixels, rng):
    return np.clip(pixels + rng.normal(0.0, 6.0, pixels.shape), 0, 255).astype(np.uint8)


def test_a_re_encoding_is_a_twin_of_what_comes_first(rng):
    original = thumbnails(1)

    twins = find_twins({"a": original, "b": thumbnails(2), "c": noisy(original, rng)})

    assert twins == {"c": "a"}


def test_a_short_cut_of_a_long_video_is_its_twin(rng):
    original = thumbnails(1, num=100)
    cut = noisy(original[40:48], rng)

    assert find_twins({"a": original, "cut": cut}) == {"cut": "a"}
    assert find_twins({"cut": cut, "a": original}) == {"a": "cut"}


def test_a_shared_title_makes_no_twins(rng):
    one, other = thumbnails(1), thumbnails(2)
    other[:3] = noisy(one[:3], rng)

    assert find_twins({"a": one, "b": other}) == {}


def test_flat_frames_make_no_twins():
    black = np.full((20, 256), 16, dtype=np.uint8)

    assert find_twins({"a": black, "b": black.copy()}) == {}
