"""What is stored with an index beside its contents: whole, and refused when damaged."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.factories import SPACE, make_descriptors, make_video
from tests.unit.core.test_calibration import CALIBRATION
from vcd.core import SetupError
from vcd.search import (
    IndexCalibration,
    IndexWriter,
    RowDerivation,
    SearchSettings,
    change_calibration,
    clear_calibration,
    fit_path,
    open_index,
    read_calibration,
    read_info,
)

FIRST, SECOND = "1a" * 32, "2b" * 32


@pytest.fixture
def index(tmp_path: Path, rng: np.random.Generator) -> Path:
    path = tmp_path / "refs.index"
    with IndexWriter.open(path, space=SPACE, rate_hz=2.0, weights="test") as writer:
        writer.add(make_video("r"), make_descriptors("r", 5, rng))
    return path


def write_words(path: Path) -> None:
    path.write_text("a fit")


def store(index: Path, stored: IndexCalibration) -> IndexCalibration:
    return change_calibration(index, lambda _: stored, write_fit=write_words)


def names(index: Path) -> set[str]:
    return {each.name for each in index.iterdir()} - {"lock", "shards", "derived", "manifest.json"}


@pytest.mark.parametrize(
    "stored",
    [
        IndexCalibration(),
        IndexCalibration(fit_digest=FIRST),
        IndexCalibration(threshold=CALIBRATION),
        IndexCalibration(fit_digest=FIRST, threshold=replace(CALIBRATION, fit_digest=None)),
    ],
    ids=["nothing", "fit", "threshold", "both"],
)
def test_what_was_stored_is_read_back(index, stored):
    assert store(index, stored) == stored
    assert read_calibration(index) == stored


def test_an_index_that_was_never_calibrated_has_neither(index):
    assert read_calibration(index) == IndexCalibration()


def test_the_version_of_the_index_stays(index):
    before = read_info(index)

    store(index, IndexCalibration(fit_digest=FIRST, threshold=CALIBRATION))

    assert read_info(index) == before


def test_a_change_is_told_what_is_stored(index):
    store(index, IndexCalibration(fit_digest=FIRST))

    change_calibration(index, lambda stored: replace(stored, threshold=CALIBRATION))

    assert read_calibration(index) == IndexCalibration(fit_digest=FIRST, threshold=CALIBRATION)


def test_only_the_fit_that_is_named_stays(index):
    store(index, IndexCalibration(fit_digest=FIRST))
    store(index, IndexCalibration(fit_digest=SECOND))

    assert names(index) == {"calibration.json", fit_path(index, SECOND).name}
    assert fit_path(index, SECOND).read_text() == "a fit"


def test_clearing_leaves_the_index_as_it_was(index):
    before = names(index)
    store(index, IndexCalibration(fit_digest=FIRST, threshold=CALIBRATION))

    clear_calibration(index)

    assert names(index) == before
    assert read_calibration(index) == IndexCalibration()


def test_rows_that_were_derived_for_another_fit_go_with_it(index):
    small = replace(SPACE, name="one", dim=1, fingerprint="1")
    derivation = RowDerivation(space=small, derive=lambda rows: np.sign(rows[:, :1]))
    store(index, IndexCalibration(fit_digest=FIRST))
    open_index(index, SearchSettings(), derivation)
    kept = list((index / "derived").iterdir())

    store(index, IndexCalibration(fit_digest=FIRST, threshold=CALIBRATION))
    with_the_same_fit = list((index / "derived").iterdir())
    store(index, IndexCalibration(fit_digest=SECOND))

    assert len(kept) == 1
    assert with_the_same_fit == kept
    assert list((index / "derived").iterdir()) == []


def test_a_failure_to_write_the_fit_leaves_what_was_there(index):
    store(index, IndexCalibration(fit_digest=FIRST))

    def full(_: Path) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(SetupError, match="could not be changed: No space left on device"):
        change_calibration(index, lambda _: IndexCalibration(fit_digest=SECOND), write_fit=full)

    assert read_calibration(index) == IndexCalibration(fit_digest=FIRST)
    assert fit_path(index, FIRST).exists()


def test_a_refused_change_leaves_what_was_there_and_lets_go_of_the_index(index):
    def refuse(_: IndexCalibration) -> IndexCalibration:
        raise SetupError("no")

    with pytest.raises(SetupError, match="no"):
        change_calibration(index, refuse)

    assert store(index, IndexCalibration(threshold=CALIBRATION)).threshold == CALIBRATION


@pytest.mark.parametrize("change", [store, lambda index, _: clear_calibration(index)])
def test_nothing_is_changed_while_somebody_writes_in_the_index(index, change):
    with (
        IndexWriter.open(index, space=SPACE, rate_hz=2.0, weights="test"),
        pytest.raises(SetupError, match="the index is being written by process"),
    ):
        change(index, IndexCalibration(fit_digest=FIRST))

    assert read_calibration(index) == IndexCalibration()


@pytest.mark.parametrize("change", [store, lambda index, _: clear_calibration(index)])
def test_an_index_that_follows_a_log_is_left_to_its_worker(index, change):
    (index / "log.json").write_text(json.dumps({"address": "sqlite:bus.db"}))

    with pytest.raises(
        SetupError,
        match=r"follows the log sqlite:bus.db: its worker takes the fit from the setting "
        r"fit.background and the threshold from align.min_score",
    ):
        change(index, IndexCalibration(fit_digest=FIRST))

    assert names(index) == {"log.json"}


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('"min_score": 0.47', '"min_score": 0.17', "its checksum is wrong"),
        ('"version": 1\n}', '"version": 2\n}', "wanted vcd index calibration of version 1, got"),
        ("{", "[", "Expecting"),
        ('"format"', '"form"', "'format'"),
    ],
    ids=["a digit", "version", "no JSON", "no format"],
)
def test_damage_is_a_sentence_that_says_what_helps(index, old, new, sentence):
    store(index, IndexCalibration(fit_digest=FIRST, threshold=CALIBRATION))
    path = index / "calibration.json"
    text = path.read_text()
    path.write_text(new.join(text.rsplit(old, 1)) if old != "{" else text.replace(old, new))
    assert path.read_text() != text

    with pytest.raises(SetupError, match=f"calibration.json: damaged .*{sentence}.*--clear"):
        read_calibration(index)

    clear_calibration(index)
    assert read_calibration(index) == IndexCalibration()


def test_what_cannot_be_read_is_a_sentence(index):
    (index / "calibration.json").mkdir()

    with pytest.raises(SetupError, match=r"calibration.json: cannot be read: Is a directory"):
        read_calibration(index)
