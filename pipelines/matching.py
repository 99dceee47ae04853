"""Put a detector together that matches: with which fit, and from which score on.

    thresholds   weights < fit < calibration of the index < file < environment < flags

A detector that only describes needs none of this: `pipelines.detection.open_detector`.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from pipelines import console
from pipelines.detection import profile_defaults, start_detector
from vcd.config import Settings, load_settings, settings_digest
from vcd.core import Calibration, DescriptorSpace, InputError, SetupError
from vcd.descriptors import Describer, Fit, load_fit, read_fit
from vcd.detector import Detector
from vcd.search import IndexCalibration, RowDerivation, fit_path, read_calibration

__all__ = ["Matcher", "open_matcher", "row_derivation", "threshold_digest"]

_MAX_TRIES = 3
_AUTO = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class Matcher:
    """A detector with all that its thresholds come from.

    Attributes:
        detector: describes and matches.
        settings: those that it was made with.
        derivation: how the searched rows are made of the stored ones: hand it to `open_index`.
        threshold: the calibration that ``align.min_score`` comes from; None where it comes from
            somewhere else.
        threshold_digest: of every setting that can change a match but ``align.min_score``, as a
            calibration names it.
    """

    detector: Detector
    settings: Settings
    derivation: RowDerivation | None
    threshold: Calibration | None
    threshold_digest: str


@contextmanager
def open_matcher(
    config: Path | None,
    overrides: Mapping[str, object],
    *,
    index: Path | None = None,
    factory: str = "Flat",
) -> Iterator[Matcher]:
    """Load the weights and the fit, start the decoding children; stop them on the way out.

    A threshold of the index that was measured under other terms is not used, and a sentence says
    why.

    Args:
        config: settings file.
        overrides: what flags and the index decide, by dotted key.
        index: directory of the index whose fit and threshold count; None where there is none,
            as for one that follows a log.
        factory: of the index that will be searched.

    Raises:
        InputError: the file that ``fit.background`` names cannot be used.
        SetupError: the weights, the fit or what is stored with the index cannot be used.
    """
    chosen = load_settings(config, overrides)
    describer = Describer(chosen.describe)
    stored, of_index = _stored(index, chosen)
    fit = load_fit(chosen.fit, describer.space, calibrated=of_index)
    profile = describer.profile if fit is None else fit.profile(describer.profile)
    defaults = profile_defaults(profile)
    settings = load_settings(config, overrides, defaults=defaults)
    terms = threshold_digest(settings, factory=factory)
    threshold = stored.threshold
    if threshold is not None:
        calibrated = load_settings(
            config, overrides, defaults={**defaults, "align.min_score": threshold.min_score}
        )
        is_wanted = calibrated.align.min_score == threshold.min_score
        if is_wanted and _agrees(threshold, settings, describer.space, fit, terms):
            settings = calibrated
        else:
            threshold = None
    digest = settings_digest(settings, factory=factory, fit_digest=fit.digest if fit else None)
    with start_detector(settings, describer, digest, fit=fit) as detector:
        yield Matcher(
            detector=detector,
            settings=settings,
            derivation=row_derivation(fit),
            threshold=threshold,
            threshold_digest=terms,
        )


def threshold_digest(settings: Settings, *, factory: str = "Flat") -> str:
    """Digest every setting that can change a match but the threshold; the fit is named apart."""
    any_score = replace(settings, align=replace(settings.align, min_score=0.0))
    return settings_digest(any_score, factory=factory)


def row_derivation(fit: Fit | None) -> RowDerivation | None:
    """Say how a fit makes the searched rows of the stored ones; None where it leaves them."""
    if fit is None or fit.projection is None:
        return None
    return RowDerivation(space=fit.fitted_space, derive=fit.project)


def _stored(index: Path | None, settings: Settings) -> tuple[IndexCalibration, Fit | None]:
    """Read what belongs together, also while another process stores something else."""
    if index is None:
        return IndexCalibration(), None
    stored = read_calibration(index)
    if settings.fit.background != _AUTO:
        return stored, None
    for _ in range(_MAX_TRIES):
        try:
            return stored, _stored_fit(index, stored)
        except SetupError:
            newer = read_calibration(index)
            if newer == stored:
                raise
            stored = newer
    raise SetupError(f"{index}: its calibration changed {_MAX_TRIES} times while it was read")


def _stored_fit(index: Path, stored: IndexCalibration) -> Fit | None:
    """Read the fit that is stored with an index; None where there is none."""
    if stored.fit_digest is None:
        return None
    path = fit_path(index, stored.fit_digest)
    advice = f"`vcd index calibrate --index {index}` stores another"
    try:
        fit = read_fit(path)
    except InputError as error:
        raise SetupError(f"{error}: {advice}") from error
    if fit.digest != stored.fit_digest:
        raise SetupError(f"{path}: wanted the fit {stored.fit_digest[:12]}, got another: {advice}")
    return fit


def _agrees(
    threshold: Calibration,
    settings: Settings,
    space: DescriptorSpace,
    fit: Fit | None,
    terms: str,
) -> bool:
    """Tell whether a threshold was measured under these terms; say what differs."""
    found = (
        (f"descriptors of {threshold.space}", f"these are of {space}", threshold.space != space),
        (
            f"{threshold.rate_hz:g} frames a second",
            f"now it is {settings.media.rate_hz:g}",
            threshold.rate_hz != settings.media.rate_hz,
        ),
        (
            _named(threshold.fit_digest),
            f"now there is {_named(fit.digest if fit else None)}",
            threshold.fit_digest != (fit.digest if fit else None),
        ),
        (
            f"settings of digest {threshold.settings_digest}",
            f"now it is {terms}",
            threshold.settings_digest != terms,
        ),
    )
    differing = next(((was, now) for was, now, differs in found if differs), None)
    if differing is not None:
        console.say(
            f"the index's threshold {threshold.min_score:.4g} is not used: it was measured with "
            f"{differing[0]}, {differing[1]}; `vcd eval calibrate` measures it again"
        )
    return differing is None


def _named(fit_digest: str | None) -> str:
    return "no fit" if fit_digest is None else f"the fit {fit_digest[:12]}"
