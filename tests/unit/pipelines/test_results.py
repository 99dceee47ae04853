"""Results as JSON and as a table, and what says where they come from."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

import vcd
from pipelines.results import (
    checkout_commit,
    intervals_of,
    provenance,
    results_document,
    results_table,
)
from vcd.core import DescriptorSpace, InputError

_COMMIT = "0123456789abcdef0123456789abcdef01234567"


def test_metrics_are_the_top_level_keys_of_the_document():
    document = results_document(
        {"segment_ap": np.float64(0.5), "recall_at_p90": None},
        {"segment_ap": (0.4, 0.6)},
        {"vcd_version": "1"},
        counts={"queries": 3},
    )

    assert json.loads(json.dumps(document)) == {
        "segment_ap": 0.5,
        "recall_at_p90": None,
        "confidence_intervals": {"segment_ap": [0.4, 0.6]},
        "counts": {"queries": 3},
        "provenance": {"vcd_version": "1"},
    }


@pytest.mark.parametrize(
    ("metrics", "intervals"),
    [({"micro_ap": 1.0}, {"segment_ap": (0.0, 1.0)}), ({"provenance": 1.0}, {})],
)
def test_what_would_be_lost_in_the_document_is_refused(metrics, intervals):
    with pytest.raises(ValueError, match="metrics"):
        results_document(metrics, intervals, {})


def test_the_table_lines_up_values_intervals_and_counts():
    table = results_table(
        {"segment_ap": 0.91716, "recall_at_p90": None},
        {"segment_ap": (0.9, 0.93)},
        {"true_segments": 2707},
    )

    assert table.splitlines() == [
        "metric          value  95 % interval",
        "segment_ap     0.9172  0.9000 - 0.9300",
        "recall_at_p90    none",
        "",
        "true segments   2,707",
    ]


def test_provenance_names_inputs_by_their_digest_and_spaces_by_their_fingerprint(tmp_path):
    path = tmp_path / "gt.csv"
    path.write_bytes(b"x\n")
    space = DescriptorSpace(name="s", dim=3, fingerprint="f")

    origin = provenance(
        inputs={"ground_truth": path}, settings={"k": 10}, spaces={"queries": space}
    )

    assert origin["inputs"] == {
        "ground_truth": {"file": "gt.csv", "sha256": hashlib.sha256(b"x\n").hexdigest()}
    }
    assert origin["spaces"] == {"queries": {"name": "s", "dim": 3, "fingerprint": "f"}}
    assert (origin["settings"], origin["vcd_version"]) == ({"k": 10}, vcd.__version__)
    assert origin["resampling"] == {"unit": "query", "num_resamples": 1000, "seed": 0}
    assert str(tmp_path) not in json.dumps(origin)


def test_an_input_that_is_gone_is_named(tmp_path):
    with pytest.raises(InputError, match=r"gt\.csv: cannot be read"):
        provenance(inputs={"ground_truth": tmp_path / "gt.csv"}, settings={})


def test_intervals_of_several_metrics_come_from_the_same_resamples():
    def sum_of_squares(num_drawn: np.ndarray) -> np.ndarray:
        sums: np.ndarray = np.arange(40.0) ** 2 @ num_drawn
        return sums

    intervals = intervals_of({"one": sum_of_squares, "another": sum_of_squares}, 40)

    assert intervals["one"] == intervals["another"]
    assert intervals["one"][0] < intervals["one"][1]


def _checkout(tmp_path: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("files", "commit"),
    [
        pytest.param({".git/HEAD": f"{_COMMIT}\n"}, _COMMIT, id="detached"),
        pytest.param(
            {".git/HEAD": "ref: refs/heads/a\n", ".git/refs/heads/a": f"{_COMMIT}\n"},
            _COMMIT,
            id="branch",
        ),
        pytest.param(
            {
                ".git/HEAD": "ref: refs/heads/a\n",
                ".git/packed-refs": f"# pack\n{'f' * 40} refs/heads/b/refs/heads/a\n"
                f"{_COMMIT} refs/heads/a\n",
            },
            _COMMIT,
            id="packed",
        ),
        pytest.param(
            {
                ".git": "gitdir: real/worktrees/w\n",
                "real/worktrees/w/HEAD": "ref: refs/heads/a\n",
                "real/worktrees/w/commondir": "../..\n",
                "real/refs/heads/a": _COMMIT,
            },
            _COMMIT,
            id="worktree",
        ),
        pytest.param({".git/HEAD": "ref: refs/heads/a\n"}, None, id="no commit yet"),
        pytest.param({"README": ""}, None, id="no checkout"),
    ],
)
def test_the_commit_of_a_checkout_is_read_as_git_keeps_it(tmp_path, files, commit):
    assert checkout_commit(_checkout(tmp_path, files)) == commit
