"""`vcd eval disc` on files small enough to see through."""

import json

import pytest

from pipelines.eval_disc import main
from tests.plain_tracks import write_rows

TRUTH = "query_id,reference_id\nQ00001,R000001\nQ00002,R000002\nQ00003,\n"


@pytest.fixture
def files(tmp_path):
    """Q00001 finds R000001 at once; Q00002 ties with a wrong reference; Q00003 copies nothing."""
    queries = {"Q00001": [[0.0, 1]], "Q00002": [[5.0, 0]], "Q00003": [[9.0, 9]]}
    write_rows(tmp_path / "q.npz", queries)
    refs = {"R000001": [[0.0, 1]], "R000002": [[4.0, 0]], "R000003": [[6.0, 0]]}
    write_rows(tmp_path / "r.npz", refs)
    (tmp_path / "gt.csv").write_text(TRUTH)
    return tmp_path


def arguments(folder, *more: str) -> list[str]:
    named = {"queries": "q.npz", "refs": "r.npz", "ground-truth": "gt.csv"}
    given = [word for flag, name in named.items() for word in (f"--{flag}", str(folder / name))]
    return [*given, *more]


def measured(folder, capsys, *more: str):
    assert main(arguments(folder, "--json", *more)) == 0
    return json.loads(capsys.readouterr().out)


def test_metrics_have_ties_broken_for_the_worst(files, capsys):
    document = measured(files, capsys)

    assert document["micro_ap"] == pytest.approx((1 + 2 / 3) / 2)
    assert document["recall_at_p90"] == 0.5
    assert document["threshold_at_p90"] == 0.0
    assert document["accuracy_at_1"] == 0.5
    assert set(document["confidence_intervals"]) == {
        "micro_ap",
        "recall_at_p90",
        "accuracy_at_1",
    }
    assert document["counts"]["true_pairs"] == 2
    assert document["provenance"]["settings"]["score_norm"] is None


def test_a_precision_that_is_never_reached_has_no_recall(files, capsys):
    (files / "gt.csv").write_text("Q00003,R000001\n")

    document = measured(files, capsys)

    assert document["recall_at_p90"] is None
    assert document["threshold_at_p90"] is None


def test_only_so_many_references_of_each_query_are_ranked(files, capsys):
    assert measured(files, capsys)["counts"]["ranked_pairs"] == 9
    assert measured(files, capsys, "--candidates", "2")["counts"]["ranked_pairs"] == 6
    document = measured(files, capsys, "--candidates", "1,global")
    assert document["counts"]["ranked_pairs"] == 3
    assert document["provenance"]["settings"]["is_global"] is True


def test_a_background_normalizes_scores_unless_told_not_to(files, capsys):
    write_rows(files / "t.npz", {f"T{i}": [[1.0, i]] for i in range(4)})
    background = ["--background", str(files / "t.npz")]

    normalized = measured(files, capsys, *background)["provenance"]["settings"]
    other = measured(files, capsys, *background, "--score-norm", "0.5[1,1]")
    plain = measured(files, capsys, *background, "--score-norm", "none")

    assert normalized["score_norm"] == "1.0[0,2]"
    assert other["provenance"]["settings"]["score_norm"] == "0.5[1,1]"
    assert plain["provenance"]["settings"]["score_norm"] is None
    assert plain["threshold_at_p90"] == 0.0


def test_a_codec_whitens(files, capsys):
    write_rows(files / "t.npz", {f"T{i}": [[i, i * i]] for i in range(5)})
    flags = ["--background", str(files / "t.npz"), "--codec", "PCAW2,L2norm,Flat"]

    document = measured(files, capsys, *flags)

    assert document["provenance"]["settings"]["whitening_dim"] == 2


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--codec", "PCAW2,L2norm,Flat"], "--codec PCAW2,... needs --background"),
        (["--score-norm", "1.0[0,2]"], "--score-norm needs --background"),
        (["--score-norm", "x"], "wanted weight[first,last] as in 1.0[0,2], got 'x'"),
        (["--codec", "IVF"], "wanted Flat or PCAW<D>,L2norm,Flat, got 'IVF'"),
        (["--candidates", "0"], "wanted a number of references"),
    ],
)
def test_flags_that_make_no_sense_are_misuse(files, capsys, flags, sentence):
    with pytest.raises(SystemExit) as stop:
        main(arguments(files, *flags))

    assert stop.value.code == 2
    assert sentence in capsys.readouterr().err


def test_no_score_normalization_needs_no_background(files, capsys):
    assert measured(files, capsys, "--score-norm", "none")["accuracy_at_1"] == 0.5
