"""Files are compared only where that means something, and rows are derived as was learnt."""

import json

import numpy as np
import pytest

from tests.plain_tracks import write_rows
from vcd.core import InputError
from vcd.descriptors import Projection, read_descriptor_rows
from vcd.descriptors.score_norm import ScoreNorm
from vcd.evaluation import derived_rows
from vcd.evaluation.derived_rows import ScoreNormRule, SearchRows, check_same_space, derived

SSCD = ScoreNormRule(weight=1.0, first=0, stop=3)


@pytest.fixture
def rows_of(tmp_path):
    def make(name, videos, **members):
        return read_descriptor_rows(write_rows(tmp_path / f"{name}.npz", videos, **members))

    return make


def space(name: str, dim: int = 2) -> np.ndarray:
    return np.array(json.dumps({"name": name, "dim": dim, "fingerprint": name * 4}))


def test_files_that_do_not_say_their_space_compare_with_each_other(rows_of):
    check_same_space(rows_of("a", {"a": [[1, 2]]}), rows_of("b", {"b": [[1, 2]]}))


@pytest.mark.parametrize(
    "members",
    [{"space": space("other")}, {}],
    ids=["two that say", "one that says"],
)
def test_files_of_two_spaces_are_refused(rows_of, members):
    said = rows_of("a", {"a": [[1, 2]]}, space=space("sscd"))

    with pytest.raises(InputError, match=r"b\.npz: rows of space \w+ .*a\.npz, space sscd"):
        check_same_space(said, rows_of("b", {"b": [[1, 2]]}, **members))


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("1.0[0,2]", SSCD),
        ("1.2[0,0]", ScoreNormRule(weight=1.2, first=0, stop=1)),
        (".5[3,10]", ScoreNormRule(weight=0.5, first=3, stop=11)),
        ("2[0,2]", ScoreNormRule(weight=2.0, first=0, stop=3)),
    ],
)
def test_the_published_notation_counts_both_ends(text, rule):
    assert ScoreNormRule.from_text(text) == rule
    assert ScoreNormRule.from_text(str(rule)) == rule


@pytest.mark.parametrize("text", ["", "1.0", "1.0[0,2", "[0,2]", "-1[0,2]", "1.0[2,0]", "nan[0,1]"])
def test_what_is_not_of_that_form_is_refused(text):
    with pytest.raises(ValueError, match=r"1\.0\[0,2\]|a range of neighbours"):
        ScoreNormRule.from_text(text)


def test_the_bias_is_that_of_the_fitted_score_normalization(rows_of, rng):
    """`ScoreNorm` keeps its background in memory; this one need not."""
    query = rng.standard_normal((40, 8)).astype(np.float32)
    query[3] = 0.0
    background = rng.standard_normal((70, 8)).astype(np.float32)
    fitted = ScoreNorm(
        background=background, weight=0.7, first_neighbour=1, stop_neighbour=4, offset=0.25
    )

    rule = ScoreNormRule(weight=0.7, first=1, stop=4, offset=0.25)
    bias = rule.bias(query, rows_of("b", {"b": background}))

    assert bias[3] == 0.0
    np.testing.assert_allclose(bias, fitted.bias(query), atol=1e-5)


def test_the_mean_is_of_each_query_rows_own_neighbours(rows_of):
    query = np.array([[1, 0], [0, 1]], dtype=np.float32)
    background = rows_of("b", {"b": [[4, 1], [2, 0], [0, 5]]})

    bias = ScoreNormRule(weight=1.0, first=0, stop=2).bias(query, background)

    assert bias.tolist() == [-3.0, -3.0]


def test_a_background_with_too_few_rows_is_refused(rows_of):
    with pytest.raises(InputError, match=r"b\.npz: .* at least 3 rows, found 2"):
        SSCD.bias(np.eye(2, dtype=np.float32), rows_of("b", {"b": [[1, 0], [0, 1]]}))


def test_a_background_that_holds_references_is_refused(rows_of, tmp_path):
    refs = rows_of("r", {f"r{i}": [[1, i]] for i in range(9)})
    background = rows_of("b", {"x": [[0, 1]]} | {f"r{i}": [[1, 0]] for i in range(5, 1, -1)})
    rows = SearchRows(query=rows_of("q", {"q": [[1, 0]]}), ref=refs)

    with pytest.raises(InputError, match=r"b\.npz: .* found 4 of .*r\.npz: r2, r3, r4, \.\.\."):
        derived(rows, background, None, SSCD, tmp_path)


def test_a_background_of_another_space_is_refused(rows_of, tmp_path):
    rows = SearchRows(query=rows_of("q", {"q": [[1, 0]]}), ref=rows_of("r", {"r": [[1, 0]]}))
    background = rows_of("b", {"b": [[1, 0]]}, space=space("sscd"))

    with pytest.raises(InputError, match=r"b\.npz: rows of space sscd"):
        derived(rows, background, None, None, tmp_path)


def test_where_nothing_can_be_learnt_the_file_is_named(rows_of, tmp_path):
    rows = SearchRows(query=rows_of("q", {"q": [[1, 0]]}), ref=rows_of("r", {"r": [[1, 0]]}))

    with pytest.raises(InputError, match=r"b\.npz: background: .* at least one row"):
        derived(
            rows,
            rows_of("b", {}, features=np.empty((0, 2), np.float32)),
            Projection.dropping_lowest_variance,
            None,
            tmp_path,
        )


def test_all_files_are_projected_in_steps_as_in_one(rows_of, tmp_path, rng, monkeypatch):
    monkeypatch.setattr(derived_rows, "_ROWS_PER_STEP", 4)
    videos = {name: rng.standard_normal((11, 5)).astype(np.float16) for name in ("q", "r", "b")}
    query, ref, background = (rows_of(name, {name: rows}) for name, rows in videos.items())
    projection = Projection.dropping_lowest_variance(background.features)
    scratch = tmp_path / "scratch"
    scratch.mkdir()

    made = derived(
        SearchRows(query=query, ref=ref),
        background,
        Projection.dropping_lowest_variance,
        ScoreNormRule(weight=1.0, first=0, stop=1),
        scratch,
    )

    np.testing.assert_array_equal(made.query.features, projection.apply(videos["q"]))
    np.testing.assert_array_equal(made.ref.features, projection.apply(videos["r"]))
    product = made.query.features @ projection.apply(videos["b"]).T
    assert made.score_bias is not None
    assert made.score_bias.tolist() == pytest.approx((-product.max(axis=1)).tolist(), abs=1e-6)
    assert made.query.runs == query.runs


def test_a_reference_is_known_in_the_background_by_its_integer_too(rows_of):
    rows = SearchRows(query=rows_of("q", {"q": [[1, 0]]}), ref=rows_of("r", {"R100001": [[1, 0]]}))
    background = rows_of("b", {"100001": [[1, 2]] * 3})

    with pytest.raises(InputError, match=r"found 1 of .*: R100001"):
        derived(rows, background, None, SSCD, background.path.parent)
