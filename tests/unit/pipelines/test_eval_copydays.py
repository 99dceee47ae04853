"""`vcd eval copydays` on files small enough to see through."""

import json

import pytest

from pipelines.eval_copydays import main
from tests.plain_tracks import write_rows


@pytest.fixture
def files(tmp_path):
    """The strong edit of 2001 lies nearer to a distractor; all else lies at its original."""
    write_rows(tmp_path / "q.npz", {"200005": [[0.0, 0]], "200105": [[9.0, 2]]})
    write_rows(tmp_path / "m.npz", {"crops/10/200100.jpg": [[9.0, 0]]})
    write_rows(tmp_path / "r.npz", {"200000": [[0.0, 0]], "200100": [[9.0, 0]]})
    write_rows(tmp_path / "d.npz", {"200199": [[9.0, 3]], "other": [[50.0, 50]]})
    return tmp_path


def measured(folder, capsys, *more: str):
    flags = ["--queries", str(folder / "q.npz"), "--refs", str(folder / "r.npz"), "--json"]
    assert main([*flags, *more]) == 0
    return json.loads(capsys.readouterr().out)


def test_without_distractors_every_original_comes_first(files, capsys):
    document = measured(files, capsys)

    assert document["strong_mean_ap"] == document["micro_ap"] == 1.0
    assert document["counts"]["distractors"] == 0


def test_a_distractor_is_never_right_whatever_it_is_called(files, capsys):
    """The trapezoid of the second query: precision 0 before its original, 1/2 at it."""
    document = measured(files, capsys, "--distractors", str(files / "d.npz"))

    assert document["strong_mean_ap"] == pytest.approx((1 + (0 + 1 / 2) / 2) / 2)
    assert document["micro_ap"] == pytest.approx((1 + (1 / 2 + 2 / 3) / 2) / 2)
    assert set(document["confidence_intervals"]) == {"strong_mean_ap", "micro_ap"}
    assert document["counts"]["distractors"] == 2


def test_more_queries_count_in_the_micro_ap_alone(files, capsys):
    flags = ["--distractors", str(files / "d.npz"), "--more-queries", str(files / "m.npz")]

    document = measured(files, capsys, *flags)

    assert document["strong_mean_ap"] == pytest.approx((1 + (0 + 1 / 2) / 2) / 2)
    assert document["micro_ap"] == pytest.approx((1 + 1 + (2 / 3 + 3 / 4) / 2) / 3)
    assert document["counts"] == {
        "queries": 3,
        "strong_queries": 2,
        "references": 2,
        "distractors": 2,
        "ranked_pairs": 12,
    }


def test_whitening_is_learnt_of_the_background(files, capsys):
    write_rows(files / "b.npz", {f"y{i}": [[i, i * i]] for i in range(5)})
    flags = ["--background", str(files / "b.npz"), "--codec", "PCAW2,L2norm,Flat"]

    document = measured(files, capsys, *flags)

    assert document["provenance"]["settings"] == {"whitening_dim": 2}
    assert set(document["provenance"]["spaces"]) == {"queries", "references", "background"}


def test_whitening_without_a_background_is_misuse(files, capsys):
    with pytest.raises(SystemExit):
        measured(files, capsys, "--codec", "PCAW2,L2norm,Flat")

    assert "needs --background" in capsys.readouterr().err
