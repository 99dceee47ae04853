"""Segment AP and pair micro-AP of recipes on the real and on a drawn ground truth."""

import csv
import json
import os
from pathlib import Path

import pytest

from tests.golden.vsc2022.recipes import (
    ORACLES,
    RECIPES,
    drawn_truth,
    late_and_wrong,
    late_by_1s,
)
from tests.plain_metrics import as_table
from vcd.evaluation import ScoredPairs, micro_ap, segment_ap

COLUMNS = ("query_start", "query_end", "ref_start", "ref_end")
ON_TRAIN = dict(
    zip(
        ORACLES,
        (0.8667, 0.9264, 0.9611, 0.9804, 0.9199, 0.9590, 0.9794, 0.9301, 0.8762, 0.7966, 0.6807),
        strict=True,
    )
)
DRAWN = json.loads((Path(__file__).parent / "drawn.json").read_text())


@pytest.fixture(scope="module")
def train_rows():
    """The rows of VSC2022's train ground truth, from VCD_DATA or from beside the checkout."""
    beside = Path(__file__).resolve().parents[4] / "shared" / "data"
    path = Path(os.environ.get("VCD_DATA", beside)) / "vsc2022" / "train_ground_truth.csv"
    if not path.is_file():
        pytest.skip("no vsc2022/train_ground_truth.csv: set VCD_DATA to the folder of vsc2022")
    with path.open(newline="") as file:
        return [
            (row["query_id"], row["ref_id"], *(float(row[name]) for name in COLUMNS), 1.0)
            for row in csv.DictReader(file)
        ]


def pair_micro_ap(predictions, truth):
    tables = as_table(predictions), as_table(truth)
    return micro_ap(ScoredPairs.from_candidates(*(table.pairs() for table in tables)))


@pytest.mark.data
def test_the_truth_itself_scores_one(train_rows):
    truth = as_table(train_rows)

    assert segment_ap(truth, truth) == pytest.approx(1.0, abs=4e-16)


@pytest.mark.data
def test_starts_late_by_a_second_score_as_published(train_rows):
    predictions = late_by_1s(train_rows)

    found = segment_ap(as_table(predictions), as_table(train_rows))

    assert found == pytest.approx(0.91715877, abs=1e-8)
    assert pair_micro_ap(predictions, train_rows) == pytest.approx(1.0, abs=1e-8)


@pytest.mark.data
def test_late_starts_among_wrong_pairs_score_as_published(train_rows):
    predictions = late_and_wrong(train_rows)

    found = segment_ap(as_table(predictions), as_table(train_rows))

    assert len(predictions) == 5211
    assert found == pytest.approx(0.44274619, abs=1e-8)
    assert pair_micro_ap(predictions, train_rows) == pytest.approx(0.50312988, abs=1e-8)


@pytest.mark.data
@pytest.mark.parametrize("name", ORACLES)
def test_inexact_bounds_cost_what_is_published(train_rows, name):
    predictions = ORACLES[name](train_rows)

    found = segment_ap(as_table(predictions), as_table(train_rows))

    assert len(predictions) == len(train_rows)
    assert found == pytest.approx(ON_TRAIN[name], abs=5.0001e-5)


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_on_the_drawn_truth_score_as_the_plain_version_did(name):
    rows = drawn_truth()
    predictions = RECIPES[name](rows)

    found = segment_ap(as_table(predictions), as_table(rows))

    assert found == pytest.approx(DRAWN[name]["segment_ap"], abs=1e-10)
    assert pair_micro_ap(predictions, rows) == pytest.approx(DRAWN[name]["micro_ap"], abs=1e-10)
