"""The descriptor track ranks what its rules say."""

import numpy as np
import pytest

from tests.plain_tracks import plain_descriptor_track, write_rows
from vcd.core import InputError
from vcd.descriptors import FitSettings, read_descriptor_rows
from vcd.evaluation import vsc2022
from vcd.evaluation.vsc2022 import descriptor_track, raw_rows, score_normalized_rows


def rows_of(path, videos, **members):
    return read_descriptor_rows(write_rows(path, videos, **members))


def ranking(candidates) -> list[tuple[str, str, float]]:
    columns = (candidates.query_ids, candidates.ref_ids, candidates.score)
    return list(zip(*(column.tolist() for column in columns), strict=True))


@pytest.fixture
def small_budgets(monkeypatch):
    """Two pairs of frames a query, and one of videos."""
    monkeypatch.setattr(vsc2022, "_FRAME_PAIRS_PER_QUERY", 2)
    monkeypatch.setattr(vsc2022, "_VIDEO_PAIRS_PER_QUERY", 1)


@pytest.fixture
def raw(tmp_path):
    def make(queries, refs, **members):
        return raw_rows(
            rows_of(tmp_path / "q.npz", queries, **members), rows_of(tmp_path / "r.npz", refs)
        )

    return make


def test_a_pair_of_videos_has_its_best_score_whatever_the_length_of_its_rows(raw):
    rows = raw({"q": [[1, 0], [0, 2]]}, {"a": [[1, 0], [3, 0]], "b": [[0, 5]], "c": [[-1, -1]]})

    found = ranking(descriptor_track(rows))

    assert found == [("q", "b", 10.0), ("q", "a", 3.0), ("q", "c", -1.0)]


def test_the_budget_of_frames_is_shared_by_all_queries(raw, small_budgets):
    """Four pairs of frames for two queries: all go to the first, and only they make pairs."""
    rows = raw({"q1": [[9], [8]], "q2": [[1]]}, {"a": [[1]], "b": [[0.5]], "c": [[0.2]]})

    found = ranking(descriptor_track(rows))

    assert found == [("q1", "a", 9.0), ("q1", "b", 4.5)]


def test_the_budget_of_frames_is_1200_for_each_query(raw):
    """One long reference leaves room for the best frame of one other."""
    refs = {"long": np.full((1199, 1), 2.0), "b": [[1.0]], "c": [[0.5]]}

    found = ranking(descriptor_track(raw({"q": [[1.0]]}, refs)))

    assert found == [("q", "long", 2.0), ("q", "b", 1.0)]


def test_the_budget_of_videos_is_shared_by_all_queries(raw, small_budgets):
    rows = raw({"q1": [[1, 0]], "q2": [[0, 0]]}, {"a": [[9, 0]], "b": [[8, 0]], "c": [[7, 0]]})

    found = ranking(descriptor_track(rows))

    assert found == [("q1", "a", 9.0), ("q1", "b", 8.0)]


def test_equal_pairs_are_in_the_order_of_the_files_and_fill_the_budget(raw, small_budgets):
    rows = raw({"q2": [[1]], "q1": [[1]]}, {"c": [[1]], "a": [[1]], "b": [[1]]})

    found = ranking(descriptor_track(rows))

    assert found == [("q2", "c", 1.0), ("q2", "a", 1.0)]


def test_the_track_equals_a_plain_one_object_by_object(raw, rng):
    def videos(letter, num_videos):
        return {
            f"{letter}{i}": rng.standard_normal((int(rng.integers(1, 9)), 6)).astype(np.float32)
            for i in range(num_videos)
        }

    queries, refs = videos("q", 12), videos("r", 500)

    found = ranking(descriptor_track(raw(queries, refs)))

    wanted = plain_descriptor_track(list(queries.items()), list(refs.items()))
    assert len(found) == 12 * 25
    assert [pair[:2] for pair in found] == [pair[:2] for pair in wanted]
    assert [pair[2] for pair in found] == pytest.approx([pair[2] for pair in wanted], rel=1e-5)


def test_half_precision_and_stretches_of_time_are_read_too(tmp_path, raw):
    whole = raw({"q": [[1, 0], [0, 1]]}, {"a": [[1, 2]], "b": [[2, 0]]})
    halves = raw_rows(
        rows_of(
            tmp_path / "h.npz",
            {"q": np.eye(2, dtype=np.float16)},
            timestamps=np.array([[0, 1], [1, 2]]),
        ),
        whole.ref,
    )

    assert ranking(descriptor_track(halves)) == ranking(descriptor_track(whole))


def test_integer_ids_get_their_letter_as_in_the_ground_truth(raw):
    found = descriptor_track(raw({"100001": [[1]]}, {"100002": [[1]]}))

    assert ranking(found) == [("Q100001", "R100002", 1.0)]


@pytest.mark.parametrize(("queries", "refs"), [({}, {"a": [[1]]}), ({"q": [[1]]}, {}), ({}, {})])
def test_without_rows_nothing_is_ranked(raw, queries, refs):
    assert ranking(descriptor_track(raw(queries, refs))) == []


def test_score_normalization_is_the_published_one(tmp_path):
    """Dimension 1 never varies; what is left of each row is brought to length 1."""
    query = rows_of(tmp_path / "q.npz", {"q": [[3, 7, 4], [0, 9, -2]]})
    ref = rows_of(tmp_path / "r.npz", {"r": [[6, 0, 8]]})
    background = rows_of(tmp_path / "b.npz", {"b": [[5, 1, 0], [0, 1, 9], [-4, 1, 3]]})

    rows = score_normalized_rows(query, ref, background, FitSettings(), tmp_path)
    found = ranking(descriptor_track(rows))

    assert rows.query.features.ravel().tolist() == pytest.approx([0.6, 0.8, 0, -1], abs=1e-6)
    assert rows.score_bias is not None
    assert rows.score_bias.tolist() == pytest.approx([-1.2 * 0.8, 0.0], abs=1e-6)
    ((*pair, score),) = found
    assert pair == ["q", "r"]
    assert score == pytest.approx(1.0 - 1.2 * 0.8, abs=1e-6)


@pytest.mark.parametrize(
    ("settings", "bias"),
    [
        (FitSettings(weight=2.0), -1.6),
        (FitSettings(stop_neighbour=2), -1.2 * (0.8 + 0.6) / 2),
        (FitSettings(first_neighbour=1, stop_neighbour=2), -1.2 * 0.6),
        (FitSettings(offset=0.5), 0.5 - 1.2 * 0.8),
    ],
    ids=["weight", "mean of two", "second only", "offset"],
)
def test_settings_change_the_score_normalization(tmp_path, settings, bias):
    query = rows_of(tmp_path / "q.npz", {"q": [[3, 7, 4]]})
    ref = rows_of(tmp_path / "r.npz", {"r": [[6, 0, 8]]})
    background = rows_of(tmp_path / "b.npz", {"b": [[5, 1, 0], [0, 1, 9], [-4, 1, 3]]})

    rows = score_normalized_rows(query, ref, background, settings, tmp_path)

    assert rows.score_bias is not None
    assert rows.score_bias.tolist() == pytest.approx([bias], abs=1e-6)


def test_settings_whiten_or_leave_rows_as_they_are(tmp_path, rng):
    query = rows_of(tmp_path / "q.npz", {"q": [[3, 7, 4]]})
    background = rows_of(tmp_path / "b.npz", {"b": rng.standard_normal((20, 3))})

    plain = score_normalized_rows(
        query, query, background, FitSettings(drop_lowest_variance=False), tmp_path
    )
    white = score_normalized_rows(query, query, background, FitSettings(whitening_dim=2), tmp_path)

    np.testing.assert_array_equal(plain.query.features, [[3, 7, 4]])
    assert white.query.features.shape == (1, 2)


def test_files_of_different_spaces_are_refused(tmp_path):
    query = rows_of(tmp_path / "q.npz", {"q": [[1, 2]]})
    ref = rows_of(tmp_path / "r.npz", {"r": [[1, 2, 3]]})

    with pytest.raises(InputError, match=r"q\.npz: rows of 2 dimensions .* 3 of .*r\.npz"):
        raw_rows(query, ref)


@pytest.mark.parametrize("side", ["q", "r"])
def test_two_spellings_of_one_video_in_a_file_are_refused(tmp_path, side):
    letter = side.upper()
    videos = {"q": {"q": [[1, 0]]}, "r": {"r": [[1, 0]]}}
    videos[side] = {"100001": [[1, 0]], f"{letter}100001": [[0, 1]]}
    query, ref = (rows_of(tmp_path / f"{name}.npz", videos[name]) for name in "qr")
    background = rows_of(tmp_path / "b.npz", {"b": [[1, 2]]})

    sentence = rf"{side}\.npz: videos 100001 and {letter}100001 are one video of VSC2022"
    with pytest.raises(InputError, match=sentence):
        raw_rows(query, ref)
    with pytest.raises(InputError, match=sentence):
        score_normalized_rows(query, ref, background, FitSettings(), tmp_path)
