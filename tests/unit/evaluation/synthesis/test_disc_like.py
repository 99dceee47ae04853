import numpy as np
import pytest

from vcd.evaluation import IMAGE_EDITS, make_disc_like, score_by_edit, score_disc_like
from vcd.evaluation.synthesis.disc_like import stranger_quantiles

PHOTOS = [np.full((16, 16, 3), level, dtype=np.uint8) for level in range(30)]


def small_set(seed=0):
    return make_disc_like(PHOTOS, num_refs=10, num_queries=51, seed=seed)


def perfect(disc):
    return (disc.truth[:, None] == np.arange(len(disc.refs))).astype(np.float32)


def test_one_third_of_the_queries_copy_a_reference_each_edit_equally_often():
    disc = small_set()

    copies = disc.truth < len(disc.refs)
    assert copies.sum() == 17
    assert sorted(np.array(disc.edits)[copies]) == sorted(IMAGE_EDITS)
    assert len(disc.refs) == 10


def test_queries_without_an_edit_show_their_reference_or_a_stranger():
    disc = small_set()
    ref_levels = {int(ref[0, 0, 0]) for ref in disc.refs}

    for query, edit, ref in zip(disc.queries, disc.edits, disc.truth, strict=True):
        if edit == "none":
            assert (int(query[0, 0, 0]) in ref_levels) == (ref < 10)


def test_the_set_is_a_function_of_its_seed():
    one, same, other = small_set(), small_set(), small_set(seed=1)

    assert all(np.array_equal(a, b) for a, b in zip(one.queries, same.queries, strict=True))
    assert not np.array_equal(one.truth, other.truth)


def test_a_perfect_similarity_scores_one_everywhere():
    disc = small_set()

    scores = score_disc_like(disc, perfect(disc))

    assert scores["micro_ap"] == scores["recall_at_p90"] == scores["accuracy_at_1"] == 1.0
    assert all(row["recall_at_p90"] == 1.0 for row in score_by_edit(disc, perfect(disc)).values())


def test_equal_similarities_find_nothing_first():
    disc = small_set()

    scores = score_disc_like(disc, np.zeros((51, 10), dtype=np.float32))

    assert scores["accuracy_at_1"] == 0.0
    assert scores["recall_at_p90"] == 0.0
    assert np.isnan(scores["threshold_at_p90"])


def test_quantiles_are_of_strangers_alone():
    disc = small_set()

    assert stranger_quantiles(disc, perfect(disc), (0.5, 1.0)) == [0.0, 0.0]


def test_strangers_are_needed():
    with pytest.raises(ValueError, match="30 references need more than 30 photographs"):
        make_disc_like(PHOTOS, num_refs=30, num_queries=51, seed=0)
