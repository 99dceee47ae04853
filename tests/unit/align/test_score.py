"""One scale for all matches."""

import numpy as np
import pytest

from vcd.align import AlignSettings
from vcd.align.score import weigh

SETTINGS = AlignSettings(min_similarity=0.3)


def _pair(rng, made, num, similarity, num_shots=None):
    """Rows of equal similarity to their partners, from so many different shots."""
    shots = made.unit(rng.normal(size=(num_shots or num, 512)))
    ref = np.repeat(shots, -(-num // len(shots)), axis=0)[:num]
    other = made.unit(rng.normal(size=(num, 512)))
    other = made.unit(other - (other * ref).sum(1, keepdims=True) * ref)
    query = similarity * ref + np.sqrt(1 - similarity**2) * other
    return made.unit(query), ref


def _score(rng, made, num, similarity, num_shots=None, num_rows=None):
    query, ref = _pair(rng, made, num, similarity, num_shots)
    return weigh(query, ref, (query * ref).sum(axis=1), num_rows or num, SETTINGS).score


def test_one_perfect_frame_scores_one_half(rng, made):
    assert _score(rng, made, 1, 1.0) == pytest.approx(0.5, abs=1e-6)


def test_a_cell_at_the_floor_scores_nothing(rng, made):
    assert _score(rng, made, 1, 0.3) == pytest.approx(0.0, abs=1e-6)


def test_score_rises_with_similarity(rng, made):
    scores = [_score(rng, made, 10, similarity) for similarity in (0.4, 0.5, 0.7, 0.9)]

    assert scores == sorted(scores)
    assert len(set(scores)) == 4


def test_score_rises_with_length_while_shots_differ(rng, made):
    scores = [_score(rng, made, num, 0.7) for num in (3, 6, 20, 60)]

    assert scores == sorted(scores)
    assert len(set(scores)) == 4


def test_a_still_shot_is_one_observation_however_long(rng, made):
    short, long = (_score(rng, made, num, 0.7, num_shots=1) for num in (3, 300))

    assert short == pytest.approx(long, abs=1e-3)
    assert long == pytest.approx(_score(rng, made, 1, 0.7), abs=1e-3)


def test_frames_of_one_shot_say_less_than_different_shots(rng, made):
    assert _score(rng, made, 24, 0.7, num_shots=4) < _score(rng, made, 24, 0.7)


def test_frames_that_do_not_match_weaken_a_match(rng, made):
    assert _score(rng, made, 10, 0.7, num_rows=20) < _score(rng, made, 10, 0.7)


def test_a_very_long_match_stays_below_one(rng, made):
    assert 0.98 < _score(rng, made, 4000, 0.95) < 1.0
