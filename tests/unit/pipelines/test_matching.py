"""Which fit a detector gets, and from which score on it reports."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines import matching
from pipelines.matching import Matcher, open_matcher, row_derivation, threshold_digest
from tests.factories import SPACE, make_descriptors
from tests.unit.core.test_calibration import CALIBRATION
from vcd.config import load_settings
from vcd.core import Calibration, InputError, SetupError
from vcd.descriptors import (
    Fit,
    FitSettings,
    Floors,
    SpaceProfile,
    fit_background,
    write_descriptors,
    write_fit,
)
from vcd.search import IndexCalibration, change_calibration, fit_path, read_calibration

PROFILE = SpaceProfile(hit_floor=0.5, min_similarity=0.3, min_score=0.4)


@dataclass
class WeightsOfSpace:
    """Stands for a describer whose weights were measured."""

    space: Any = SPACE
    profile: SpaceProfile = PROFILE


@pytest.fixture(autouse=True)
def _no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "Describer", lambda _: WeightsOfSpace())


@pytest.fixture
def fit() -> Fit:
    rng = np.random.default_rng(1)
    videos = [make_descriptors(name, 20, rng) for name in "xyz"]
    fitted = fit_background(videos, FitSettings())
    return replace(fitted, floors=Floors(hit_floor=0.45, min_similarity=0.25))


def opened(index: Path | None = None, config: Path | None = None, **overrides: object) -> Matcher:
    dotted = {name.replace("__", "."): value for name, value in overrides.items()}
    with open_matcher(config, dotted, index=index) as matcher:
        return matcher


def store_fit(index: Path, fit: Fit) -> None:
    change_calibration(
        index,
        lambda stored: replace(stored, fit_digest=fit.digest),
        write_fit=lambda path: write_fit(path, fit),
    )


def store_threshold(index: Path, matcher: Matcher, **changes: Any) -> Calibration:
    """Store a threshold that was measured as this matcher would measure it."""
    fit = matcher.detector.fit
    terms: Mapping[str, Any] = {
        "space": SPACE,
        "rate_hz": matcher.settings.media.rate_hz,
        "settings_digest": matcher.threshold_digest,
        "fit_digest": fit.digest if fit else None,
        **changes,
    }
    calibration = replace(CALIBRATION, **terms)
    change_calibration(index, lambda stored: replace(stored, threshold=calibration))
    return calibration


def test_without_an_index_of_its_own_thresholds_are_those_of_the_weights():
    matcher = opened()

    assert matcher.detector.fit is None
    assert matcher.derivation is None
    assert matcher.threshold is None
    assert matcher.detector.search.min_score == matcher.detector.search.min_pair_score == 0.5
    assert (matcher.detector.align.min_similarity, matcher.detector.align.min_score) == (0.3, 0.4)


def test_the_fit_of_the_index_is_taken_and_its_floors_with_it(tmp_path, fit):
    store_fit(tmp_path, fit)

    matcher = opened(tmp_path)

    assert matcher.detector.fit is not None
    assert matcher.detector.fit.digest == fit.digest
    assert matcher.derivation is not None
    assert matcher.derivation.space == fit.fitted_space
    assert matcher.detector.search.min_score == matcher.detector.search.min_pair_score == 0.45
    assert (matcher.detector.align.min_similarity, matcher.detector.align.min_score) == (0.25, 0.4)


def test_a_floor_that_somebody_set_stays(tmp_path, fit):
    store_fit(tmp_path, fit)

    matcher = opened(tmp_path, search__min_score=0.6)

    assert matcher.detector.search.min_score == 0.6
    assert matcher.detector.search.min_pair_score == 0.45


def test_a_fit_changes_the_digest_of_the_settings(tmp_path, fit):
    same_floors = replace(fit, floors=None)
    store_fit(tmp_path, same_floors)

    fitted, plain = opened(tmp_path), opened()

    assert fitted.detector.settings_digest != plain.detector.settings_digest
    assert fitted.threshold_digest == plain.threshold_digest  # which names the fit apart


def test_none_takes_no_fit_though_the_index_has_one(tmp_path, fit):
    store_fit(tmp_path, fit)

    assert opened(tmp_path, fit__background="none").detector.fit is None


@pytest.mark.parametrize("form", ["fit", "descriptors"])
def test_a_file_goes_before_the_fit_of_the_index(tmp_path, fit, form):
    rng = np.random.default_rng(2)
    videos = [make_descriptors(name, 30, rng) for name in "uvw"]
    wanted = fit_background(videos, FitSettings(weight=0.5))
    file = tmp_path / "mine.npz"
    if form == "fit":
        write_fit(file, wanted)
    else:
        write_descriptors(file, videos, space=SPACE)
    store_fit(tmp_path, fit)

    matcher = opened(tmp_path, fit__background=str(file), fit__weight=0.5)

    assert matcher.detector.fit is not None
    assert matcher.detector.fit.digest == wanted.digest


def test_a_fit_without_a_projection_leaves_the_rows(fit):
    assert row_derivation(None) is None
    assert row_derivation(replace(fit, projection=None, score_norm=None)) is None
    assert row_derivation(fit) is not None


def test_the_threshold_of_the_index_counts_where_it_was_measured_alike(tmp_path, fit, capsys):
    store_fit(tmp_path, fit)
    calibration = store_threshold(tmp_path, opened(tmp_path, align__min_score=-np.inf))

    matcher = opened(tmp_path)

    assert matcher.detector.align.min_score == 0.47
    assert matcher.threshold == calibration
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "text", ["[align]\nmin_score = 0.2\n", "[align]\nmin_score = -inf\n"], ids=["0.2", "-inf"]
)
def test_a_threshold_that_somebody_set_goes_before_and_nothing_is_said_of_the_other(
    tmp_path, text, capsys
):
    store_threshold(tmp_path, opened(), settings_digest="another")
    config = tmp_path / "c.toml"
    config.write_text(text)

    matcher = opened(tmp_path, config)

    assert matcher.detector.align.min_score == float(text.split()[-1])
    assert matcher.threshold is None
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"space": replace(SPACE, fingerprint="other")},
            "it was measured with descriptors of DescriptorSpace(name='test', dim=64, "
            "fingerprint='other'), these are of",
        ),
        ({"rate_hz": 4.0}, "it was measured with 4 frames a second, now it is 2;"),
        ({"fit_digest": None}, "it was measured with no fit, now there is the fit "),
        ({"settings_digest": "0123"}, "it was measured with settings of digest 0123, now it is "),
    ],
    ids=["space", "rate", "fit", "settings"],
)
def test_a_threshold_that_was_measured_otherwise_is_not_used_and_a_sentence_says_why(
    tmp_path, fit, changes, sentence, capsys
):
    store_fit(tmp_path, fit)
    store_threshold(tmp_path, opened(tmp_path), **changes)

    matcher = opened(tmp_path)

    assert matcher.threshold is None
    assert matcher.detector.align.min_score == 0.4
    said = capsys.readouterr().err
    assert said.startswith(f"the index's threshold 0.47 is not used: {sentence}")
    assert said.endswith("; `vcd eval calibrate` measures it again\n")


def test_every_setting_but_the_threshold_is_in_its_terms():
    def terms(factory: str = "Flat", **align: float) -> str:
        overrides = {f"align.{name}": value for name, value in align.items()}
        return threshold_digest(load_settings(None, overrides), factory=factory)

    assert terms(min_score=0.9) == terms()
    assert terms(min_length_s=9.0) != terms()
    assert terms(factory="SQ8") != terms()


@pytest.mark.parametrize("damage", ["missing", "nonsense", "another"])
def test_a_stored_fit_that_cannot_be_used_is_a_sentence(tmp_path, fit, damage):
    store_fit(tmp_path, fit)
    file = fit_path(tmp_path, fit.digest)
    if damage == "another":
        write_fit(file, replace(fit, floors=None))
    elif damage == "nonsense":
        file.write_text("nonsense")
    else:
        file.unlink()

    with pytest.raises(SetupError, match=r"fit-.*`vcd index calibrate --index .*` stores another"):
        opened(tmp_path)

    assert opened(tmp_path, fit__background="none").detector.fit is None


def test_a_fit_that_is_replaced_while_it_is_read_is_read_anew(tmp_path, fit, monkeypatch):
    other = replace(fit, floors=None)
    store_fit(tmp_path, fit)
    stale = [read_calibration(tmp_path)]
    store_fit(tmp_path, other)
    monkeypatch.setattr(
        matching, "read_calibration", lambda path: stale.pop() if stale else read_calibration(path)
    )

    matcher = opened(tmp_path)

    assert matcher.detector.fit is not None
    assert matcher.detector.fit.digest == other.digest


def test_a_calibration_that_never_stays_is_given_up(tmp_path, monkeypatch):
    digests = iter("123456")
    monkeypatch.setattr(
        matching, "read_calibration", lambda _: IndexCalibration(fit_digest=next(digests) * 64)
    )

    with pytest.raises(SetupError, match="its calibration changed 3 times while it was read"):
        opened(tmp_path)


def test_a_background_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.npz"):
        opened(fit__background=str(tmp_path / "none.npz"))


def test_a_fit_of_another_space_is_refused(tmp_path, fit):
    other = Fit(space=replace(SPACE, fingerprint="other"), projection=fit.projection)
    store_fit(tmp_path, other)

    with pytest.raises(SetupError, match="the fit of the index: wanted a background of descriptor"):
        opened(tmp_path)
