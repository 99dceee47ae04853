"""Hostile files in a stream: each has one end with a class, and its neighbours notice nothing.

The full measure is `python -m tests.chaos.hostile --bad 300`.
"""

import pytest

from tests.chaos.hostile import Trial, run_trial

pytestmark = pytest.mark.slow

_NUM_BAD = 12


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    return run_trial(
        Trial(
            folder=folder,
            address=f"sqlite:{folder / 'bus.db'}",
            num_bad=_NUM_BAD,
            good_per_bad=5,
            hang_limit_s=3.0,
            laps=("before", "mixed"),
        )
    )


def test_every_upload_ends_as_it_must(result):
    assert result["faults"] == []
    assert result["num_good_found"] >= result["num_good_a_lap"]  # half of two laps


def test_every_hostile_file_has_one_dead_letter_or_one_report_in_part(result):
    families = {kind.partition("/")[0] for kind in result["ends"]}

    assert result["num_dead_letters"] + result["num_examined_in_part"] == _NUM_BAD
    assert result["num_examined_in_part"] > 0
    assert families == {"truncated", "flipped", "renamed", "bomb", "hang", "abort"}


def test_what_hostile_files_took_is_given_back(result):
    at_rest = result["laps"]["mixed"]["at_rest_mb"]

    assert result["growth_at_rest_main"] < 0.1
    assert at_rest["num_children"] <= result["cores"]
