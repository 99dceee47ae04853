"""The oracle, checked by hand."""

from dataclasses import replace

import pytest

from tests.factories import SPACE, make_descriptors
from tests.unit.search.test_index import flat_video, hits_of
from vcd.core import InputError, SetupError
from vcd.search import ExactIndex


def test_scores_are_cosines():
    index = ExactIndex([flat_video("far", [180.0]), flat_video("near", [60.0, 0.0])])

    found = hits_of(index, flat_video("q", [0.0]), 0.1)

    assert found == {(0, "near", 0): pytest.approx(0.5), (0, "near", 1): pytest.approx(1.0)}


def test_two_references_of_one_id_are_refused(rng):
    with pytest.raises(ValueError, match="the same id"):
        ExactIndex([make_descriptors("r", 2, rng), make_descriptors("r", 3, rng)])


def test_spaces_do_not_mix(rng):
    other = replace(SPACE, fingerprint="other")
    stranger = make_descriptors("s", 2, rng, space=other)

    with pytest.raises(SetupError, match="of one space"):
        ExactIndex([make_descriptors("r", 2, rng), stranger])
    with pytest.raises(SetupError, match="the query is of"):
        list(ExactIndex([make_descriptors("r", 2, rng)]).hits(stranger, min_score=0.1))


def test_an_empty_one_needs_a_space():
    with pytest.raises(ValueError, match="needs a space"):
        ExactIndex([])

    assert len(ExactIndex([], space=SPACE)) == 0


def test_an_unknown_id_is_named(rng):
    with pytest.raises(InputError, match="nobody: the index has no reference"):
        ExactIndex([make_descriptors("r", 2, rng)]).descriptors("nobody")
