"""`vcd index calibrate`: what it stores, what it says, what it refuses."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines import index as index_verb
from tests.factories import SPACE, make_descriptors, make_video
from tests.unit.core.test_calibration import CALIBRATION
from vcd.core import Calibration, Descriptors, InputError, SetupError, encode_calibration
from vcd.descriptors import read_fit, write_descriptors, write_fit
from vcd.search import IndexWriter, fit_path, read_calibration, read_info

UNFITTED = replace(CALIBRATION, fit_digest=None)


@pytest.fixture
def index(tmp_path: Path, rng: np.random.Generator) -> Path:
    path = tmp_path / "refs.index"
    with IndexWriter.open(path, space=SPACE, rate_hz=2.0, weights="test") as writer:
        for ref_id in ("a", "b"):
            writer.add(make_video(ref_id), make_descriptors(ref_id, 5, rng))
    return path


def videos(*ids: str, num_frames: int = 20, **changes: Any) -> list[Descriptors]:
    rng = np.random.default_rng(7)
    return [make_descriptors(video_id, num_frames, rng, **changes) for video_id in ids]


@pytest.fixture
def background(tmp_path: Path) -> Path:
    return written(tmp_path / "background.npz", videos("x", "y", "z"))


def written(path: Path, descriptors: Sequence[Descriptors]) -> Path:
    write_descriptors(path, descriptors, space=descriptors[0].space)
    return path


def measured(path: Path, calibration: Calibration) -> Path:
    path.write_text(encode_calibration(calibration))
    return path


def calibrate(index: Path, *words: object) -> int:
    return index_verb.main(["calibrate", "--index", str(index), *map(str, words)])


def info_of(index: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    capsys.readouterr()
    index_verb.main(["info", "--index", str(index), "--json"])
    return json.loads(capsys.readouterr().out)


def test_a_background_is_fitted_and_the_fit_is_stored(index, background, capsys):
    before = read_info(index)

    code = calibrate(index, "--background", background)

    stored = read_calibration(index)
    fit = read_fit(fit_path(index, stored.fit_digest or ""))
    assert code == 0
    assert stored.fit_digest == fit.digest
    assert fit.space == SPACE
    assert fit.fitted_space.dim == SPACE.dim - 1
    assert fit.score_norm is not None
    assert len(fit.score_norm.background) == 60
    assert read_info(index) == before
    said = capsys.readouterr().err
    assert "calibrated: projected to 63 dimensions, score normalization by 60 background" in said
    assert fit.digest[:12] in said


def test_the_settings_say_what_is_fitted(index, background, tmp_path):
    config = tmp_path / "c.toml"
    config.write_text("[fit]\ndrop_lowest_variance = false\nweight = 1.0\nstop_neighbour = 3\n")

    calibrate(index, "--background", background, "--config", config)

    fit = read_fit(fit_path(index, read_calibration(index).fit_digest or ""))
    assert fit.projection is None
    assert fit.score_norm is not None
    assert (fit.score_norm.weight, fit.score_norm.stop_neighbour) == (1.0, 3)


def test_a_fit_that_was_written_before_is_stored_as_it_is(index, background, tmp_path):
    calibrate(index, "--background", background)
    digest = read_calibration(index).fit_digest
    write_fit(tmp_path / "fit.npz", read_fit(fit_path(index, digest or "")))
    calibrate(index, "--clear")

    calibrate(index, "--background", tmp_path / "fit.npz")

    assert read_calibration(index).fit_digest == digest


def test_a_threshold_is_stored_and_said(index, tmp_path, capsys):
    code = calibrate(index, "--calibration", measured(tmp_path / "c.json", UNFITTED))

    assert code == 0
    assert read_calibration(index).threshold == UNFITTED
    assert capsys.readouterr().err == f"calibrated: {UNFITTED.sentence}\n"


def test_a_threshold_of_a_fit_that_the_index_does_not_have_is_stored_with_a_word(
    index, tmp_path, capsys
):
    code = calibrate(index, "--calibration", measured(tmp_path / "c.json", CALIBRATION))

    assert code == 0
    assert read_calibration(index).threshold == CALIBRATION
    assert (
        f"it counts where scores are made with the fit {(CALIBRATION.fit_digest or '')[:12]}, "
        "and this index has none" in capsys.readouterr().err
    )


def test_info_shows_what_is_stored(index, background, tmp_path, capsys):
    calibrate(index, "--background", background)
    digest = read_calibration(index).fit_digest or ""
    fitted = replace(CALIBRATION, fit_digest=digest)
    calibrate(index, "--calibration", measured(tmp_path / "c.json", fitted))

    document = info_of(index, capsys)
    index_verb.main(["info", "--index", str(index)])

    assert document["fit"] == digest
    assert document["min_score"] == 0.47
    assert document["expected_precision"] == [0.99, 0.981, 0.996]
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2:] == [
        f"fit {digest[:12]}: scores are made with background footage",
        f"threshold {fitted.sentence}",
    ]


def test_info_of_an_index_that_was_not_calibrated_says_nothing_of_it(index, capsys):
    document = info_of(index, capsys)

    assert [document[name] for name in ("fit", "min_score", "expected_precision")] == [None] * 3


def test_clear_removes_both(index, background, tmp_path, capsys):
    calibrate(index, "--background", background)
    calibrate(index, "--clear")
    calibrate(index, "--calibration", measured(tmp_path / "c.json", UNFITTED))

    code = calibrate(index, "--clear")

    assert code == 0
    assert info_of(index, capsys)["min_score"] is None
    assert not list(index.glob("*.npz"))


def test_another_fit_takes_the_threshold_away_and_says_so(index, background, tmp_path, capsys):
    calibrate(index, "--calibration", measured(tmp_path / "c.json", UNFITTED))

    calibrate(index, "--background", background)

    assert read_calibration(index).threshold is None
    said = capsys.readouterr().err
    assert "the threshold 0.47 was measured without this fit and is removed" in said
    assert f"`vcd eval calibrate --background {background}` measures it again" in said


def test_the_same_fit_once_more_leaves_the_threshold(index, background, tmp_path):
    calibrate(index, "--background", background)
    fitted = replace(CALIBRATION, fit_digest=read_calibration(index).fit_digest)
    calibrate(index, "--calibration", measured(tmp_path / "c.json", fitted))

    calibrate(index, "--background", background)

    assert read_calibration(index).threshold == fitted


def test_background_that_is_a_reference_is_refused_by_its_ids(index, tmp_path):
    path = written(tmp_path / "b.npz", videos("x", "b", "a"))

    with pytest.raises(
        InputError,
        match=r"b\.npz: wanted footage that is no reference, but 2 of its videos have the id of "
        r"one: a, b$",
    ):
        calibrate(index, "--background", path)

    assert read_calibration(index).fit_digest is None


def test_background_of_another_space_is_refused(index, tmp_path):
    other = replace(SPACE, name="other", fingerprint="0" * 16)
    path = written(tmp_path / "b.npz", videos("x", "y", space=other))

    with pytest.raises(SetupError, match=r"b\.npz: wanted a background of descriptor space test"):
        calibrate(index, "--background", path)


@pytest.mark.parametrize(
    ("words", "settings", "sentence"),
    [
        (["x"], "stop_neighbour = 50", r"b\.npz: .*50 neighbours want as many rows"),
        (["x"], "", r"b\.npz: .*measuring the offset wants more than 1 rows of several videos"),
        (["x", "y"], "whitening_dim = 64", r"b\.npz: .*whitening to 64 dimensions wants more"),
        (["x", "y"], "weight = 0\ndrop_lowest_variance = false", "ask for neither a projection"),
    ],
    ids=["neighbours", "one video", "whitening", "nothing to fit"],
)
def test_background_that_is_too_little_is_refused_by_name(
    index, tmp_path, words, settings, sentence
):
    path = written(tmp_path / "b.npz", videos(*words))
    config = tmp_path / "c.toml"
    config.write_text(f"[fit]\n{settings}\n")

    with pytest.raises((InputError, SetupError), match=sentence):
        calibrate(index, "--background", path, "--config", config)

    assert read_calibration(index).fit_digest is None


def test_what_is_no_descriptor_file_is_refused(index, tmp_path):
    path = tmp_path / "b.npz"
    path.write_text("nonsense")

    with pytest.raises(InputError, match=r"b\.npz"):
        calibrate(index, "--background", path)
    with pytest.raises(InputError, match=r"none\.npz"):
        calibrate(index, "--background", tmp_path / "none.npz")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"space": replace(SPACE, fingerprint="other")},
            r"c\.json: wanted a threshold for descriptors of .*'ffff.*got one for .*other",
        ),
        (
            {"rate_hz": 4.0},
            r"c\.json: wanted a threshold for 2 frames a second, got one for 4",
        ),
    ],
    ids=["space", "rate"],
)
def test_a_threshold_for_other_descriptors_is_refused(index, tmp_path, changes, sentence):
    path = measured(tmp_path / "c.json", replace(UNFITTED, **changes))

    with pytest.raises(InputError, match=sentence):
        calibrate(index, "--calibration", path)

    assert read_calibration(index).threshold is None


@pytest.mark.parametrize(("fit_digest", "named"), [(None, "none"), ("ab" * 32, "ababababab")])
def test_a_threshold_of_another_fit_than_the_indexs_is_refused(
    index, background, tmp_path, fit_digest, named
):
    calibrate(index, "--background", background)
    path = measured(tmp_path / "c.json", replace(CALIBRATION, fit_digest=fit_digest))

    with pytest.raises(InputError, match=rf"measured with the fit of the index, .*with {named}"):
        calibrate(index, "--calibration", path)

    assert read_calibration(index).threshold is None


def test_what_is_no_calibration_is_refused(index, tmp_path):
    (tmp_path / "c.json").write_text("{}")

    with pytest.raises(InputError, match=r"c\.json: wanted a calibration as `vcd eval calibrate`"):
        calibrate(index, "--calibration", tmp_path / "c.json")
    with pytest.raises(InputError, match=r"none\.json: cannot be read: No such file"):
        calibrate(index, "--calibration", tmp_path / "none.json")


@pytest.mark.parametrize(
    "words",
    [[], ["--clear", "--background", "b.npz"], ["--background", "b", "--calibration", "c"]],
    ids=["nothing", "clear and more", "two"],
)
def test_exactly_one_thing_is_asked_for(index, words, capsys):
    with pytest.raises(SystemExit) as stop:
        calibrate(index, *words)

    assert stop.value.code == 2


def test_without_an_index_there_is_nothing_to_calibrate(tmp_path, background):
    with pytest.raises(SetupError, match="wanted an index, found nothing there"):
        calibrate(tmp_path / "none", "--background", background)
