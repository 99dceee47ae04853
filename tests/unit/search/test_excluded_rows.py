"""Excluded frames carry no evidence when a reference is handed out to be matched."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.factories import SPACE, make_descriptors, make_video
from vcd.core import Descriptors, DescriptorSpace, Interval
from vcd.search import (
    FaissIndex,
    IndexWriter,
    RowDerivation,
    SearchSettings,
    descriptor_digest,
    open_index,
)

HALVED = DescriptorSpace(name="two", dim=2, fingerprint="2" * 16)


def two_views(ref: Descriptors) -> Descriptors:
    """Describe every frame twice, as a view of another number."""
    return Descriptors(
        video_id=ref.video_id,
        timeline=ref.timeline,
        features=np.repeat(ref.features, 2, axis=0),
        frame=np.repeat(ref.frame, 2),
        view=np.tile(np.array([0, 1], dtype=np.int16), len(ref)),
        space=ref.space,
    )


def opened(
    path: Path,
    ref: Descriptors,
    *excluded: tuple[float, float],
    derivation: RowDerivation | None = None,
) -> FaissIndex:
    with IndexWriter.open(path, space=SPACE, rate_hz=2.0, weights="test") as writer:
        writer.add(make_video(ref.video_id), ref)
        writer.exclude(ref.video_id, [Interval(*stretch) for stretch in excluded])
    return open_index(path, SearchSettings(), derivation)


@pytest.fixture
def ref(rng) -> Descriptors:
    return make_descriptors("r", 10, rng)  # frames of half a second


def test_rows_of_excluded_frames_are_zero_and_the_others_as_they_were(tmp_path, ref):
    found = opened(tmp_path, ref, (1.0, 2.25)).descriptors("r")  # frames 2, 3 and 4

    assert found.is_informative.tolist() == [True, True, False, False, False, *[True] * 5]
    np.testing.assert_array_equal(found.features[:2], ref.features[:2])
    np.testing.assert_array_equal(found.features[5:], ref.features[5:])
    assert found.timeline == ref.timeline


@pytest.mark.parametrize(
    ("stretch", "silent"),
    [
        pytest.param((1.0, 1.5), [2], id="a whole frame"),
        pytest.param((1.1, 1.2), [2], id="a part of a frame"),
        pytest.param((1.4, 1.6), [2, 3], id="across a border"),
        pytest.param((0.0, 99.0), list(range(10)), id="everything"),
    ],
)
def test_a_frame_is_excluded_when_it_is_on_screen_at_any_time_of_the_stretch(
    tmp_path, ref, stretch, silent
):
    found = opened(tmp_path, ref, stretch).descriptors("r")

    assert np.flatnonzero(~found.is_informative).tolist() == silent


def test_every_view_of_an_excluded_frame_is_silent(tmp_path, ref):
    found = opened(tmp_path, two_views(ref), (0.0, 1.0)).descriptors("r")

    assert np.flatnonzero(~found.is_informative).tolist() == [0, 1, 2, 3]


def test_what_is_stored_stays_as_it_is_and_so_does_its_digest(tmp_path, ref):
    index = opened(tmp_path, ref, (1.0, 2.25))

    np.testing.assert_array_equal(index.stored_descriptors("r").features, ref.features)
    assert index.info.by_id["r"].digest == descriptor_digest(ref)


def test_nothing_is_copied_where_nothing_is_excluded(tmp_path, ref):
    index = opened(tmp_path, ref)

    found = index.descriptors("r")

    whole = next(index._references.blocks())[1]
    assert np.shares_memory(found.features, whole)


def test_derived_rows_of_excluded_frames_are_zero_too(tmp_path, ref):
    def first_two(features: np.ndarray) -> np.ndarray:
        rows = features[:, :2]
        unit: np.ndarray = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
        return unit

    index = opened(
        tmp_path, ref, (0.0, 0.5), derivation=RowDerivation(space=HALVED, derive=first_two)
    )

    found = index.descriptors("r")
    assert found.space == HALVED
    assert np.flatnonzero(~found.is_informative).tolist() == [0]
    assert index.stored_descriptors("r").is_informative.all()


def test_no_hit_is_in_a_row_that_is_silent_for_the_aligner_nor_the_other_way_round(tmp_path, ref):
    index = opened(tmp_path, ref, (0.7, 1.2), (3.0, 3.1))
    query = replace(ref, video_id="q")

    hits = {int(row) for chunk in index.hits(query, min_score=0.9) for row in chunk.ref_row}

    assert hits == set(np.flatnonzero(index.descriptors("r").is_informative).tolist())
