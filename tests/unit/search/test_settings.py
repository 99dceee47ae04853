"""Settings that make no sense are refused when they are made."""

import pytest

from vcd.search import SearchSettings


@pytest.mark.parametrize(
    "changes",
    [
        {"min_pair_hits": 0},
        {"max_pairs": 0},
        {"max_hits_per_query_row": 0},
        {"max_kept_hits": 0},
        {"max_chunk_hits": 0},
        {"num_probes": 0},
        {"max_rejected": -1},
        {"approximate_slack": -0.1},
        {"min_score": float("nan")},
        {"min_pair_score": float("nan")},
    ],
)
def test_nonsense_is_refused(changes):
    with pytest.raises(ValueError, match=r"search\."):
        SearchSettings(**changes)
