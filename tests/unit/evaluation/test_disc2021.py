"""DISC2021 is searched as SSCD's evaluation does."""

from typing import Any

import numpy as np
import pytest

from tests.plain_tracks import write_rows
from vcd.core import InputError
from vcd.descriptors import read_descriptor_rows
from vcd.evaluation.derived_rows import ScoreNormRule
from vcd.evaluation.disc2021 import (
    FLAT,
    SSCD_SCORE_NORM,
    Budget,
    Codec,
    Training,
    ranked_pairs,
    searched_rows,
)
from vcd.search.index import load_faiss


@pytest.fixture
def rows_of(tmp_path):
    def make(name, features, **members):
        videos = {f"{name}{i}": row[None] for i, row in enumerate(np.asarray(features))}
        return read_descriptor_rows(write_rows(tmp_path / f"{name}.npz", videos, **members))

    return make


def ranking(candidates) -> list[tuple[str, str, float]]:
    columns = (candidates.query_ids, candidates.ref_ids, candidates.score)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def faiss_scores(index: Any, query: np.ndarray, num_refs: int) -> dict[tuple[str, str], float]:
    """The pairs that FAISS finds; a larger distance of an L2 index is a lower score."""
    found, refs = index.search(query, num_refs)
    sign = -1.0 if index.metric_type == load_faiss().METRIC_L2 else 1.0
    return {
        (f"q{row}", f"r{ref}"): sign * float(score)
        for row, (scores, near) in enumerate(zip(found, refs, strict=True))
        for score, ref in zip(scores, near, strict=True)
    }


def test_without_a_background_rows_rank_by_l2_distance(rows_of, tmp_path):
    """By inner product the long reference r1 would win everywhere."""
    query, ref = rows_of("q", [[1.0, 0], [0, 2]]), rows_of("r", [[1.0, 1], [5, 5], [0, 2]])

    rows = searched_rows(query, ref, None, FLAT, tmp_path)
    found = ranking(ranked_pairs(rows, Budget(num_refs=2)))

    assert found == [("q1", "r2", 0.0), ("q0", "r0", -1.0), ("q1", "r0", -2.0), ("q0", "r2", -5.0)]


def test_with_a_background_rows_rank_by_normalized_inner_product(rows_of, tmp_path):
    query, ref = rows_of("q", [[1.0, 0], [0, 2]]), rows_of("r", [[1.0, 1], [5, 5], [0, 2]])
    training = Training(rows=rows_of("t", [[1.0, 0], [0.5, 1], [0, 2], [-9, -9]]))

    rows = searched_rows(query, ref, training, FLAT, tmp_path)
    found = ranking(ranked_pairs(rows, Budget(num_refs=1)))

    assert ScoreNormRule(weight=1.0, first=0, stop=3) == SSCD_SCORE_NORM
    assert found == [("q1", "r1", 10.0 - (4 + 2 + 0) / 3), ("q0", "r1", 4.5)]


def test_a_global_budget_lets_queries_lend_to_each_other(rows_of, tmp_path):
    query, ref = rows_of("q", [[0.0], [50.0]]), rows_of("r", [[0.0], [1.0], [2.0], [3.0]])

    rows = searched_rows(query, ref, None, FLAT, tmp_path)
    found = ranking(ranked_pairs(rows, Budget(num_refs=2, is_global=True)))

    assert [pair[:2] for pair in found] == [("q0", f"r{i}") for i in range(4)]


def test_an_id_with_several_rows_has_its_best_score_once(tmp_path):
    query = read_descriptor_rows(write_rows(tmp_path / "q.npz", {"q": [[1.0], [2.0]]}))
    ref = read_descriptor_rows(write_rows(tmp_path / "r.npz", {"a": [[2.0], [1.5]], "b": [[9.0]]}))

    rows = searched_rows(query, ref, None, FLAT, tmp_path)
    found = ranking(ranked_pairs(rows, Budget(num_refs=3)))

    assert found == [("q", "a", 0.0), ("q", "b", -49.0)]


@pytest.mark.parametrize("is_normalized", [False, True])
def test_flat_search_finds_what_faiss_finds(rows_of, tmp_path, rng, is_normalized):
    raw = {name: rng.standard_normal((40, 16)).astype(np.float32) for name in "qrt"}
    query, ref, train = (rows_of(name, rows) for name, rows in raw.items())
    training = Training(rows=train) if is_normalized else None
    faiss = load_faiss()
    index = faiss.IndexFlatL2(16)
    if is_normalized:
        index, background = faiss.IndexFlatIP(17), faiss.IndexFlatIP(16)
        background.add(raw["t"])
        bias = -background.search(raw["q"], 3)[0].mean(axis=1, keepdims=True)
        raw["q"] = np.hstack([raw["q"], bias])
        raw["r"] = np.hstack([raw["r"], np.ones((40, 1), np.float32)])
    index.add(raw["r"])

    rows = searched_rows(query, ref, training, FLAT, tmp_path)
    found = {pair[:2]: pair[2] for pair in ranking(ranked_pairs(rows, Budget()))}

    assert found == pytest.approx(faiss_scores(index, raw["q"], 10), abs=1e-4)


def test_a_whitening_codec_finds_what_faiss_finds(rows_of, tmp_path, rng):
    raw = {name: rng.standard_normal((60, 8)).astype(np.float32) for name in "qrt"}
    raw["t"] *= np.arange(1, 9, dtype=np.float32)
    query, ref, train = (rows_of(name, rows) for name, rows in raw.items())
    index = load_faiss().index_factory(8, "PCAW5,L2norm,Flat")
    index.train(raw["t"])
    index.add(raw["r"])

    training = Training(rows=train, score_norm=None)
    codec = Codec.from_text("PCAW5,L2norm,Flat")
    rows = searched_rows(query, ref, training, codec, tmp_path)
    found = {pair[:2]: pair[2] for pair in ranking(ranked_pairs(rows, Budget()))}

    assert found == pytest.approx(faiss_scores(index, raw["q"], 10), abs=1e-4)


def test_whitening_and_score_normalization_go_together(rows_of, tmp_path, rng):
    query, ref = (rows_of(name, rng.standard_normal((6, 4))) for name in "qr")
    train = rows_of("t", rng.standard_normal((30, 4)))

    rows = searched_rows(query, ref, Training(rows=train), Codec(whitening_dim=3), tmp_path)

    assert rows.query.features.shape == (6, 3)
    assert rows.score_bias is not None
    assert np.abs(rows.score_bias).max() <= 1.0 + 1e-6


@pytest.mark.parametrize(
    ("text", "codec"), [("Flat", FLAT), ("PCAW512,L2norm,Flat", Codec(whitening_dim=512))]
)
def test_codecs_have_their_published_names(text, codec):
    assert Codec.from_text(text) == codec


@pytest.mark.parametrize("text", ["", "flat", "PCAW512", "PCAW0,L2norm,Flat", "PCA8,L2norm,Flat"])
def test_other_codecs_are_refused(text):
    with pytest.raises(ValueError, match="wanted Flat or PCAW<D>,L2norm,Flat"):
        Codec.from_text(text)


@pytest.mark.parametrize(
    ("text", "budget"),
    [("10", Budget()), ("3,global", Budget(num_refs=3, is_global=True))],
)
def test_a_budget_is_a_number_for_each_query_or_for_all(text, budget):
    assert Budget.from_text(text) == budget


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "10,all", "ten", "9999999999"])
def test_other_budgets_are_refused(text):
    with pytest.raises(ValueError, match="wanted a number of references"):
        Budget.from_text(text)


def test_whitening_without_a_background_is_refused(rows_of, tmp_path):
    rows = rows_of("q", [[1.0, 2.0]])

    with pytest.raises(InputError, match="needs a background"):
        searched_rows(rows, rows, None, Codec(whitening_dim=2), tmp_path)
