"""`vcd eval vsc-descriptor`, `disc` and `copydays`: from small files of rows to their numbers."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.e2e.conftest import Run
from tests.plain_tracks import write_rows

pytestmark = pytest.mark.slow

_VSC_TRUTH = """query_id,ref_id,query_start,query_end,ref_start,ref_end
Q100001,R100001,0,1,0,1
Q100002,R100003,0,1,0,1
"""
_DISC_TRUTH = "Q00001,R000001\nQ00002,R000002\nQ00003,\n"


def _measured(vcd: Run, *words: object) -> dict[str, Any]:
    result = vcd("eval", *words, "--json")

    assert (result.returncode, result.stderr) == (0, "")
    document: dict[str, Any] = json.loads(result.stdout)
    return document


@pytest.mark.parametrize("are_integers", [False, True], ids=["text", "integers"])
def test_vsc_descriptor_ranks_pairs_of_videos(tmp_path: Path, vcd: Run, are_integers):
    """Q100001 scores highest, with its reference; the copy of Q100002 comes after a wrong pair."""
    ids = np.array([100001, 100002, 100003])
    queries = {"Q100001": [[2.0, 0]], "Q100002": [[0.0, 1]]}
    refs = {"R100001": [[3.0, 0]], "R100002": [[0.0, 2]], "R100003": [[0.0, 1]]}
    write_rows(tmp_path / "q.npz", queries, **({"video_ids": ids[:2]} if are_integers else {}))
    write_rows(tmp_path / "r.npz", refs, **({"video_ids": ids} if are_integers else {}))
    (tmp_path / "gt.csv").write_text(_VSC_TRUTH)
    files = ("--queries", tmp_path / "q.npz", "--refs", tmp_path / "r.npz")

    document = _measured(
        vcd,
        *("vsc-descriptor", *files, "--ground-truth", tmp_path / "gt.csv"),
        *("--candidates-out", tmp_path / "c.csv"),
    )

    assert document["micro_ap"] == pytest.approx((1 + 2 / 3) / 2)
    assert (tmp_path / "c.csv").read_text().splitlines()[:3] == [
        "query_id,ref_id,score",
        "Q100001,R100001,6.0",
        "Q100002,R100002,2.0",
    ]


def test_disc_ranks_images_with_and_without_a_background(tmp_path: Path, vcd: Run):
    """Without, Q00002 ties with a wrong reference; Q00003 copies nothing."""
    queries = {"Q00001": [[0.0, 1]], "Q00002": [[5.0, 0]], "Q00003": [[9.0, 9]]}
    refs = {"R000001": [[0.0, 1]], "R000002": [[4.0, 0]], "R000003": [[6.0, 0]]}
    write_rows(tmp_path / "q.npz", queries)
    write_rows(tmp_path / "r.npz", refs)
    write_rows(tmp_path / "b.npz", {f"T{i}": [[1.0, i]] for i in range(4)})
    (tmp_path / "gt.csv").write_text(_DISC_TRUTH)
    files = ("--queries", tmp_path / "q.npz", "--refs", tmp_path / "r.npz")
    words = ("disc", *files, "--ground-truth", tmp_path / "gt.csv")

    plain = _measured(vcd, *words)
    normalized = _measured(vcd, *words, "--background", tmp_path / "b.npz")

    assert plain["micro_ap"] == pytest.approx((1 + 2 / 3) / 2)
    assert (plain["recall_at_p90"], plain["accuracy_at_1"]) == (0.5, 0.5)
    assert plain["counts"]["ranked_pairs"] == normalized["counts"]["ranked_pairs"] == 9
    assert set(normalized["provenance"]["inputs"]) - set(plain["provenance"]["inputs"]) == {
        "background"
    }
    assert normalized["provenance"]["settings"]["score_norm"] == "1.0[0,2]"


def test_copydays_tells_strong_edits_from_all(tmp_path: Path, vcd: Run):
    """The strong edit of 2001 lies nearer to a distractor; all else lies at its original."""
    write_rows(tmp_path / "q.npz", {"200005": [[0.0, 0]], "200105": [[9.0, 2]]})
    write_rows(tmp_path / "m.npz", {"200100.crop": [[9.0, 0]]})
    write_rows(tmp_path / "r.npz", {"200000": [[0.0, 0]], "200100": [[9.0, 0]]})
    write_rows(tmp_path / "d.npz", {"200199": [[9.0, 3]], "other": [[50.0, 50]]})
    files = {"queries": "q", "more-queries": "m", "refs": "r", "distractors": "d"}
    flags = [
        word for role, name in files.items() for word in (f"--{role}", tmp_path / f"{name}.npz")
    ]

    document = _measured(vcd, "copydays", *flags)

    assert document["strong_mean_ap"] == pytest.approx((1 + (0 + 1 / 2) / 2) / 2)
    assert document["micro_ap"] == pytest.approx((1 + 1 + (2 / 3 + 3 / 4) / 2) / 3)
    assert document["counts"]["distractors"] == 2
