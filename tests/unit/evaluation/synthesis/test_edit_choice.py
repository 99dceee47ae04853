from collections import Counter

import numpy as np
import pytest

from vcd.evaluation.settings import SynthSettings
from vcd.evaluation.synthesis.edit_choice import MAX_SPEED, MIN_SPEED, Deck, EditChooser
from vcd.evaluation.synthesis.query_plan import LOW_BITRATE_CRF


def treatments(num=400, **changes):
    chooser = EditChooser(SynthSettings(**changes), np.random.default_rng(5))
    return [chooser.choose() for _ in range(num)]


def edit_names(**changes):
    return {edit.name for one in treatments(**changes) for edit in one.edits}


def test_a_deck_gives_every_item_once_before_any_again(rng):
    deck = Deck("abcde", rng)

    rounds = [sorted(deck.draw() for _ in range(5)) for _ in range(3)]

    assert rounds == [list("abcde")] * 3


def test_strength_zero_only_re_encodes():
    for one in treatments(strength=0.0, several_share=1.0):
        assert (one.edits, one.speed) == ((), 1.0)
        assert one.crf < LOW_BITRATE_CRF


def test_a_larger_strength_knows_all_edits_of_a_smaller_one_and_more():
    mild, usual, hard = (edit_names(strength=strength) for strength in (0.2, 0.5, 1.0))

    assert mild < usual < hard
    assert {"inset", "stack", "rotate10", "crop70"} <= usual
    assert hard - usual == {"crop45", "rotate90", "solarize"}


def test_single_edits_come_about_equally_often():
    counts = Counter(edit.name for one in treatments(several_share=0.0) for edit in one.edits)

    assert max(counts.values()) - min(counts.values()) <= 1


def test_the_share_of_several_at_once_is_what_was_asked_for():
    several = [len(one.edits) + (one.speed != 1.0) > 1 for one in treatments(several_share=0.4)]

    assert 0.25 < np.mean(several) < 0.5


def test_several_edits_are_applied_shape_first_and_composition_last():
    order = {"crop70": 0, "flip": 0, "grey": 1, "text": 2, "sticker": 2, "blur": 3, "inset": 4}

    for one in treatments(several_share=1.0):
        places = [order[edit.name] for edit in one.edits if edit.name in order]
        assert places == sorted(set(places))


def test_speeds_are_those_that_people_use_and_never_nearly_one():
    speeds = [one.speed for one in treatments(2000) if one.speed != 1.0]

    assert min(speeds) < 0.7
    assert max(speeds) > 1.35
    assert all(MIN_SPEED <= speed <= MAX_SPEED for speed in speeds)
    assert min(abs(speed - 1.0) for speed in speeds) >= 0.049


def test_a_low_bitrate_is_told_from_a_usual_one():
    qualities = {one.crf for one in treatments(2000)}

    assert min(qualities) >= 22
    assert {quality for quality in qualities if quality >= LOW_BITRATE_CRF}
    assert not {quality for quality in qualities if 30 < quality < LOW_BITRATE_CRF}


@pytest.mark.parametrize("seed", [1, 2])
def test_the_same_generator_gives_the_same_treatments(seed):
    one, other = (EditChooser(SynthSettings(), np.random.default_rng(seed)) for _ in range(2))

    assert [one.choose() for _ in range(30)] == [other.choose() for _ in range(30)]


def test_a_composition_is_seldom_among_several():
    composed = [
        any(edit.name in ("inset", "stack") for edit in one.edits)
        for one in treatments(several_share=1.0)
    ]

    assert 0.1 < np.mean(composed) < 0.4
