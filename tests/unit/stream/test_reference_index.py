"""A followed index holds what was announced, whatever its worker makes of it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.factories import SPACE, make_descriptors, make_video
from vcd.core import Descriptors
from vcd.search import RowDerivation, SearchSettings, open_index, read_info
from vcd.stream.messages.records import ReferenceChange
from vcd.stream.references.descriptor_store import descriptor_file_of
from vcd.stream.references.index import IndexTerms, ReferenceIndex

SMALL = replace(SPACE, name="one", dim=1, fingerprint="1" * 16)
DERIVATION = RowDerivation(space=SMALL, derive=lambda rows: np.sign(rows[:, :1]))


@pytest.fixture
def announced(rng: np.random.Generator) -> tuple[ReferenceChange, Descriptors]:
    descriptors = make_descriptors("r", 5, rng)
    change = ReferenceChange(
        video=make_video("r"),
        descriptors=descriptor_file_of(descriptors),
        space=SPACE,
        rate_hz=2.0,
    )
    return change, descriptors


def opened(path: Path, derivation: RowDerivation | None) -> ReferenceIndex:
    terms = IndexTerms(space=SPACE, rate_hz=2.0, weights="test", derivation=derivation)
    return ReferenceIndex(path, terms, SearchSettings())


def test_a_derivation_changes_what_is_searched_and_not_what_is_held(tmp_path, announced):
    change, descriptors = announced
    index = opened(tmp_path, DERIVATION)
    index.add(change, descriptors)
    index.publish()
    index.close()

    assert index.published.space == SMALL
    assert read_info(tmp_path).space == SPACE
    stored = open_index(tmp_path, SearchSettings()).descriptors("r")
    assert np.array_equal(stored.features, descriptors.features)


@pytest.mark.parametrize("derivation", [None, DERIVATION], ids=["stored rows", "derived rows"])
def test_an_announced_reference_that_is_there_already_is_recognized(
    tmp_path, announced, derivation
):
    change, descriptors = announced
    index = opened(tmp_path, derivation)
    index.add(change, descriptors)
    index.publish()
    index.close()

    again = opened(tmp_path, derivation)
    again.close()

    assert again.reflects(change)
    assert again.published.version == index.published.version
    assert again.published.space == index.published.space


def test_another_derivation_opens_the_same_references(tmp_path, announced):
    change, descriptors = announced
    index = opened(tmp_path, DERIVATION)
    index.add(change, descriptors)
    index.publish()
    index.close()

    plain = opened(tmp_path, None)
    plain.close()

    assert plain.published.space == SPACE
    assert plain.published.version == index.published.version
