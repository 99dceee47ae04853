"""`vcd index calibrate`: store a fit to background footage, or a measured threshold, with an index.

Nothing is decoded or described again, and the version of the index stays.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipelines import console
from pipelines.cli import EXIT_DONE, verb_parser
from vcd.config import load_settings
from vcd.core import Calibration, InputError, SetupError, decode_calibration
from vcd.descriptors import Fit, FitSettings, load_fit, open_arrays, read_descriptor_rows, write_fit
from vcd.search import (
    IndexCalibration,
    IndexInfo,
    change_calibration,
    clear_calibration,
    read_calibration,
    read_info,
)

__all__ = ["calibration_document", "calibration_lines", "main", "store_threshold"]

_ABOUT = """\
Store with an index how its scores are made and from which one on matches are reported.

  vcd describe background/ --out background.npz
  vcd index calibrate --index refs.index --background background.npz
  vcd index calibrate --index refs.index --calibration calibration.json

Background is footage of the kind that is uploaded and that holds no copy of any reference. What
is fitted to it is set in the room [fit]. `vcd eval calibrate` measures a threshold; with a
background, it needs the same one."""
_MAX_NAMES = 5


def main(argv: Sequence[str]) -> int:
    """Run the verb; see ``vcd index calibrate --help``."""
    arguments = _parse(argv)
    info = read_info(arguments.index)
    if arguments.clear:
        clear_calibration(arguments.index)
        console.say("cleared: the index has neither a fit nor a threshold of its own")
    elif arguments.background is not None:
        settings = load_settings(arguments.config, {}).fit
        _store_fit(arguments.index, info, arguments.background, settings)
    else:
        file = arguments.calibration
        store_threshold(arguments.index, _read_threshold(file), origin=str(file))
    return EXIT_DONE


def calibration_document(stored: IndexCalibration) -> dict[str, Any]:
    """Say in JSON what is stored with an index."""
    threshold = stored.threshold
    return {
        "fit": stored.fit_digest,
        "min_score": None if threshold is None else threshold.min_score,
        "expected_precision": None if threshold is None else list(threshold.expected_precision),
    }


def calibration_lines(stored: IndexCalibration) -> list[str]:
    """Say in sentences what is stored with an index; nothing where nothing is."""
    lines = []
    if stored.fit_digest is not None:
        lines.append(f"fit {stored.fit_digest[:12]}: scores are made with background footage")
    if stored.threshold is not None:
        lines.append(f"threshold {stored.threshold.sentence}")
    return lines


def _store_fit(index: Path, info: IndexInfo, background: Path, settings: FitSettings) -> None:
    _refuse_references(background, info)
    fit = load_fit(replace(settings, background=str(background)), info.space)
    if fit is None or (fit.projection is None and fit.score_norm is None):
        raise SetupError(
            f"{background}: the settings in [fit] ask for neither a projection nor a score "
            "normalization, so there is nothing to store"
        )
    before = read_calibration(index)
    after = change_calibration(
        index,
        lambda stored: _with_fit(stored, fit),
        write_fit=lambda path: write_fit(path, fit),
    )
    console.say(f"calibrated: {_about(fit)}; digest {fit.digest[:12]}")
    if before.threshold is not None and after.threshold is None:
        console.say(
            f"the threshold {before.threshold.min_score:.4g} was measured without this fit and is "
            f"removed: `vcd eval calibrate --background {background}` measures it again"
        )


def _with_fit(stored: IndexCalibration, fit: Fit) -> IndexCalibration:
    """Keep a threshold only with the fit that it was measured with."""
    threshold = stored.threshold
    if threshold is not None and threshold.fit_digest != fit.digest:
        threshold = None
    return IndexCalibration(fit_digest=fit.digest, threshold=threshold)


def store_threshold(index: Path, calibration: Calibration, *, origin: str) -> None:
    """Store a measured threshold with an index, and say so.

    Args:
        index: its directory.
        calibration: the threshold.
        origin: where it comes from, for the message of an error.

    Raises:
        InputError: it was measured with other descriptors, another rate or another fit.
        SetupError: the index follows a log, is being written, or the disk says no.
    """
    _refuse_other_terms(origin, calibration, read_info(index))
    change_calibration(index, lambda stored: _with_threshold(stored, calibration, origin, index))
    console.say(f"calibrated: {calibration.sentence}")
    if read_calibration(index).fit_digest is None and calibration.fit_digest is not None:
        console.say(
            f"it counts where scores are made with the fit {calibration.fit_digest[:12]}, and this "
            "index has none: `vcd index calibrate --background` stores one"
        )


def _read_threshold(file: Path) -> Calibration:
    try:
        return decode_calibration(file.read_bytes(), origin=str(file))
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}") from error


def _refuse_other_terms(origin: str, calibration: Calibration, info: IndexInfo) -> None:
    """Refuse a threshold of other descriptors than the index has.

    Raises:
        InputError: says what differs.
    """
    if calibration.space != info.space:
        raise InputError(
            f"{origin}: wanted a threshold for descriptors of {info.space}, "
            f"got one for {calibration.space}"
        )
    if calibration.rate_hz != info.rate_hz:
        raise InputError(
            f"{origin}: wanted a threshold for {info.rate_hz:g} frames a second, "
            f"got one for {calibration.rate_hz:g}"
        )


def _with_threshold(
    stored: IndexCalibration, calibration: Calibration, origin: str, index: Path
) -> IndexCalibration:
    if stored.fit_digest is not None and calibration.fit_digest != stored.fit_digest:
        measured = calibration.fit_digest
        raise InputError(
            f"{origin}: wanted a threshold that was measured with the fit of the index, "
            f"{stored.fit_digest[:12]}, got one with {measured[:12] if measured else 'none'}: "
            f"measure it again, or `vcd index calibrate --clear --index {index}`"
        )
    return replace(stored, threshold=calibration)


def _refuse_references(background: Path, info: IndexInfo) -> None:
    """Refuse a background that has references in it: their own copies would lose their scores.

    Raises:
        InputError: names them; or the file is no descriptor file.
    """
    if "video_ids" not in open_arrays(background):
        return
    rows = read_descriptor_rows(background)
    ids = {str(rows.video_ids[first]) for first, _ in rows.runs}
    both = sorted(ids & info.by_id.keys())
    if both:
        named = ", ".join(both[:_MAX_NAMES]) + (", ..." if len(both) > _MAX_NAMES else "")
        raise InputError(
            f"{background}: wanted footage that is no reference, but {len(both)} of its videos "
            f"have the id of one: {named}"
        )


def _about(fit: Fit) -> str:
    parts = []
    if fit.projection is not None:
        parts.append(f"projected to {fit.projection.dim} dimensions")
    if fit.score_norm is not None:
        norm = fit.score_norm
        parts.append(
            f"score normalization by {len(norm.background)} background rows "
            f"(weight {norm.weight:g}, offset {norm.offset:.3f})"
        )
    return ", ".join(parts)


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = verb_parser("index calibrate", _ABOUT)
    parser.add_argument("--index", required=True, type=Path, metavar="DIR")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--background", type=Path, metavar="B.npz", help="descriptors to fit to, or a fit"
    )
    what.add_argument(
        "--calibration", type=Path, metavar="FILE", help="what `vcd eval calibrate` wrote"
    )
    what.add_argument("--clear", action="store_true", help="remove fit and threshold")
    return parser.parse_args(argv)
