"""What `vcd eval calibrate` says and writes, with commands that only pretend to look at videos."""

import json

import pytest

from pipelines import eval_calibrate
from tests.factories import SPACE
from tests.unit.pipelines.known_world import KnownWorld
from vcd.core import InputError, SetupError, decode_calibration


@pytest.fixture
def world(tmp_path, monkeypatch):
    world = KnownWorld(tmp_path / "known")
    world.stand_in(lambda name, fake: monkeypatch.setattr(f"pipelines.known_copies.{name}", fake))
    monkeypatch.chdir(tmp_path)
    return world


def _calibrated(world, *words):
    if not world.folder.exists():
        world.write()
    return eval_calibrate.main([str(world.folder), *words])


def test_the_threshold_is_written_with_all_that_it_rests_on(world, tmp_path):
    assert _calibrated(world, "--precision", "0.45", "--out", "made/c.json") == 0

    calibration = decode_calibration((tmp_path / "made/c.json").read_text())
    assert (calibration.space, calibration.rate_hz) == (SPACE, 2.0)
    assert (calibration.settings_digest, calibration.fit_digest) == ("terms", "f" * 64)
    assert (calibration.precision, calibration.min_score) == (0.45, 0.3)
    assert calibration.expected_precision[0] == 7 / 8
    assert (calibration.num_queries, calibration.num_true) == (9, 7)
    assert (len(calibration.curve), calibration.curve[0]) == (9, (0.2, 7 / 9, 1.0))
    made = calibration.made
    assert (made["data"], made["is_shown"], made["num_negatives"]) == ("known", True, 2)
    assert made["settings"]["index_version"] == "5e" * 32
    assert not list((tmp_path / "made").glob("*.part"))


def test_without_another_word_it_wishes_for_0_99_and_writes_calibration_json(world, tmp_path):
    assert _calibrated(world) == 0

    calibration = decode_calibration((tmp_path / "calibration.json").read_text())
    assert calibration.precision == 0.99
    assert world.commands[0][-1] == str(world.folder / "calibrate/refs.index")


def test_the_table_has_a_row_for_every_wish_and_marks_the_one_that_was_asked_for(world, capsys):
    _calibrated(world, "--precision", "0.97")

    rows = capsys.readouterr().out.splitlines()[1:9]
    assert [row.split()[0] for row in rows if row[0] == " "] == [
        *("0.5", "0.8", "0.9", "0.95", "0.98", "0.99", "0.999")
    ]
    (marked,) = (row for row in rows if row[0] == ">")
    assert marked.split()[:8] == [">", "0.97", "0.5000", "1.000", "0.590", "-", "1.000", "1.000"]
    assert marked.endswith("7  measured, not shown")


def test_what_is_shown_is_told_from_what_is_only_measured(world, capsys):
    world.scores = [0.9 - number / 1000 for number in range(40)]

    _calibrated(world, "--precision", "0.9")

    out, err = capsys.readouterr()
    (marked,) = (row for row in out.splitlines() if row.startswith(">"))
    assert marked.endswith(" 40")
    assert "cannot show" not in err
    assert "at 0.861: precision 1.000 (0.912-1.000) expected, measured on 42 queries of kn" in err


def test_what_so_few_queries_cannot_show_is_said(world, capsys):
    _calibrated(world)

    err = capsys.readouterr().err
    assert "cannot show a precision of 0.99 (that takes 368 or more queries" in err
    assert "what is shown is 0.590" in err
    assert "7 of 9 queries copy something, of 7 references" in err
    assert "next: vcd index calibrate --index DIR --calibration calibration.json" in err


def test_perfection_cannot_be_shown_by_any_number(world, capsys):
    _calibrated(world, "--precision", "1")

    assert "cannot show a precision of 1 (no number of them can" in capsys.readouterr().err


def test_a_wish_that_no_threshold_fulfils_has_no_numbers_in_the_table(world, capsys):
    world.scores = [0.9 - number / 100 for number in range(20)]
    world.false_scores = [0.95, 0.1]

    _calibrated(world, "--precision", "0.9")

    assert "  0.99    none" in capsys.readouterr().out.splitlines()


def test_the_surest_wrong_matches_are_shown_best_first(world, capsys):
    world.false_scores = [0.1, 0.3, 0.2, 0.15, 0.12, 0.14]

    _calibrated(world)

    _, _, wrong = capsys.readouterr().out.partition("the ground truth calls wrong:\n")
    lines = wrong.splitlines()
    assert lines[0] == "  0.3000  N1 0.0-5.0 s from R0 7.0-12.0 s"
    assert [line.split()[0] for line in lines] == ["0.3000", "0.2000", "0.1500", "0.1400", "0.1200"]


def test_where_no_match_is_wrong_it_says_so(world, capsys):
    world.false_scores = [None, None]

    _calibrated(world)

    assert capsys.readouterr().out.endswith("the ground truth calls wrong:\n  none\n")


def test_as_json_it_is_one_object_with_intervals_and_provenance(world, capsys):
    _calibrated(world, "--json")

    document = json.loads(capsys.readouterr().out)
    assert (document["min_score"], document["precision"], document["recall"]) == (0.5, 1.0, 1.0)
    assert document["is_shown"] is False
    assert document["counts"] == {
        "queries": 9,
        "negatives": 2,
        "refused": 0,
        "references": 7,
        "true_segments": 7,
        "matches": 7,
    }
    assert document["confidence_intervals"]["precision"] == pytest.approx([0.025 ** (1 / 7), 1.0])
    assert document["confidence_intervals"]["recall"] == [1.0, 1.0]
    assert document["provenance"]["settings"]["fit"] == "f" * 64
    assert document["calibration"]["min_score"] == 0.5


def test_recall_counts_what_the_threshold_leaves_and_its_interval_resamples_queries(world, capsys):
    world.scores = (*(0.9 - number / 100 for number in range(15)), 0.2, 0.2, 0.2, 0.2, 0.2)
    world.false_scores = [0.3 - number / 1000 for number in range(20)]

    _calibrated(world, "--json")

    document = json.loads(capsys.readouterr().out)
    low, high = document["confidence_intervals"]["recall"]
    assert document["recall"] == 0.75
    assert 0.4 < low < 0.65
    assert 0.85 < high < 1.0


def test_videos_that_were_refused_make_it_partly_done(world, capsys):
    world.undecodable = {"Q6"}

    assert _calibrated(world, "--precision", "0.5") == 3

    assert "named above and left out: 1 video that could not be used" in capsys.readouterr().err


def test_too_little_evidence_is_told_with_the_data_set(world, tmp_path):
    world.scores = (0.9, 0.8)

    with pytest.raises(InputError, match="known: too few right matches to choose a threshold by"):
        _calibrated(world)

    assert not (tmp_path / "calibration.json").exists()


def test_what_was_measured_is_shown_where_no_threshold_can_be_chosen(world, capsys):
    world.scores = (0.9, 0.8)

    with pytest.raises(InputError, match="too few right matches"):
        _calibrated(world)

    lines = capsys.readouterr().out.splitlines()
    assert "> 0.99    none" in lines
    assert lines[-2:] == [
        "  0.3000  N0 0.0-5.0 s from R0 7.0-12.0 s",
        "  0.2000  N1 0.0-5.0 s from R0 7.0-12.0 s",
    ]


def test_as_json_nothing_is_printed_where_no_threshold_can_be_chosen(world, capsys):
    world.scores = (0.9, 0.8)

    with pytest.raises(InputError, match="too few right matches"):
        _calibrated(world, "--json")

    assert capsys.readouterr().out == ""


def test_a_file_that_cannot_be_written_is_named(world, tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(SetupError, match=r"file/c\.json: cannot be written"):
        _calibrated(world, "--out", "file/c.json")


@pytest.mark.parametrize("flag", ["--weights", "--fps"])
def test_weights_and_rate_go_to_the_index(world, flag):
    _calibrated(world, flag, "7")

    assert world.commands[0][-2:] == [flag, "7"]


@pytest.mark.parametrize("named", ["none", "bundled", "other.npz"])
def test_a_background_that_the_settings_overrule_is_refused_before_any_work(
    world, monkeypatch, named
):
    monkeypatch.setenv("VCD_FIT__BACKGROUND", named)

    with pytest.raises(
        SetupError, match=rf"--background b\.npz: .* fit\.background in the settings is {named}"
    ):
        _calibrated(world, "--background", "b.npz")

    assert world.commands == []


@pytest.mark.parametrize("named", ["auto", "b.npz"])
def test_a_background_that_the_settings_name_too_or_leave_open_is_used(world, monkeypatch, named):
    monkeypatch.setenv("VCD_FIT__BACKGROUND", named)

    assert _calibrated(world, "--background", "b.npz") == 0

    assert world.commands[1][:3] == ["calibrate", "--background", "b.npz"]


@pytest.mark.parametrize("wish", ["0", "1.01", "nan", "99"])
def test_a_precision_is_a_share(world, capsys, wish):
    with pytest.raises(SystemExit) as stop:
        _calibrated(world, "--precision", wish)

    assert stop.value.code == 2
    assert "--precision wants a share above 0 and at most 1" in capsys.readouterr().err
