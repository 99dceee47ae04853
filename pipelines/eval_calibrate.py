"""`vcd eval calibrate`: from videos with known copies to the threshold of a wished precision."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines import console
from pipelines.cli import EXIT_DONE, EXIT_PARTLY_DONE, verb_parser
from pipelines.known_copies import CheckedSet, check_data_set
from pipelines.results import provenance, results_document
from vcd.config import load_settings
from vcd.core import (
    Calibration,
    InputError,
    SetupError,
    calibration_to_document,
    encode_calibration,
)
from vcd.evaluation.bootstrap import confidence_interval, ratio_of
from vcd.evaluation.calibration import (
    PrecisionCurve,
    Threshold,
    choose_threshold,
    found_scores,
    num_needed,
    precision_curve,
)

__all__ = ["main"]

_ABOUT = """\
Find the score from which matches are right as often as wished, on videos with known copies.

  vcd eval calibrate my-set --precision 0.99 --out calibration.json

DIR holds refs/, queries/ and ground_truth.csv, as `vcd synth` makes them; some queries must copy
nothing. They are indexed and checked as `vcd index add` and `vcd check` do it, every match
however weak; the same command again does only what is left. The result is a file for
`vcd index calibrate`, and holds for footage, edits and a share of copies like those of DIR."""

_WISHES = (0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999)
"""Rows of the table, beside the precision that was asked for."""

_MAX_WRONG = 5
"""Wrong matches that are shown: the ground truth may be what is wrong."""

_MAX_POINTS = 200
"""Thresholds of the curve that a calibration keeps."""


def main(argv: Sequence[str]) -> int:
    """Run the action; see ``vcd eval calibrate --help``."""
    arguments = _parse(argv)
    _refuse_other_background(arguments)
    checked = check_data_set(
        arguments.dir,
        arguments.work or arguments.dir / "calibrate",
        background=arguments.background,
        index_flags=_index_flags(arguments),
        config=arguments.config,
    )
    curve = precision_curve(checked.matches, checked.truth)
    if not arguments.json:
        print(_table(curve, wished=arguments.precision))
        print("\n".join(_surest_wrong(checked)))
    try:
        chosen = choose_threshold(curve, precision=arguments.precision)
    except InputError as error:
        raise InputError(f"{arguments.dir}: {error}") from error
    calibration = _calibration(checked, curve, chosen, arguments.precision)
    _write(arguments.out, encode_calibration(calibration))
    if arguments.json:
        console.print_json(_document(checked, curve, chosen, calibration))
    for sentence in _sentences(checked, curve, chosen, calibration):
        console.say(sentence)
    console.say(
        f"written to {arguments.out}; next: "
        f"{_fit_first(arguments.background)}"
        f"vcd index calibrate --index DIR --calibration {arguments.out}"
    )
    return EXIT_PARTLY_DONE if checked.num_refused else EXIT_DONE


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = verb_parser("eval calibrate", _ABOUT)
    parser.add_argument("dir", type=Path, metavar="DIR", help="the data set")
    parser.add_argument(
        "--precision",
        type=float,
        default=0.99,
        metavar="P",
        help="wished share of right ones (default 0.99)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("calibration.json"),
        metavar="FILE",
        help="where the threshold goes (default calibration.json)",
    )
    parser.add_argument("--weights", metavar="W", help="name of `vcd models list`, or a file")
    parser.add_argument("--fps", metavar="F", help="frames a second (default 2)")
    parser.add_argument(
        "--background", type=Path, metavar="B.npz", help="as for `vcd index calibrate`"
    )
    parser.add_argument(
        "--work", type=Path, metavar="DIR", help="index and reports (default DIR/calibrate)"
    )
    parser.add_argument("--json", action="store_true", help="print what was measured as JSON")
    arguments = parser.parse_args(argv)
    if not 0.0 < arguments.precision <= 1.0:
        parser.error(f"--precision wants a share above 0 and at most 1, got {arguments.precision}")
    return arguments


def _fit_first(background: Path | None) -> str:
    if background is None:
        return ""
    return f"vcd index calibrate --index DIR --background {background}, then "


def _refuse_other_background(arguments: argparse.Namespace) -> None:
    """A background of the settings goes before that of an index, where the flag's is stored."""
    named = load_settings(arguments.config, {}).fit.background
    flag: Path | None = arguments.background
    if flag is not None and named != "auto" and Path(named) != flag:
        raise SetupError(
            f"--background {flag}: would have no effect, because fit.background in the settings "
            f"is {named}: leave one of the two out"
        )


def _index_flags(arguments: argparse.Namespace) -> list[str]:
    given = {"--weights": arguments.weights, "--fps": arguments.fps}
    return [word for flag, value in given.items() if value is not None for word in (flag, value)]


def _calibration(
    checked: CheckedSet, curve: PrecisionCurve, chosen: Threshold, wished: float
) -> Calibration:
    at = chosen.row
    return Calibration(
        space=checked.info.space,
        rate_hz=checked.info.rate_hz,
        settings_digest=checked.summary["threshold_digest"],
        fit_digest=checked.summary["fit"],
        precision=wished,
        min_score=float(curve.min_score[at]),
        expected_precision=(
            float(curve.precision[at]),
            float(curve.low[at]),
            float(curve.high[at]),
        ),
        num_queries=len(checked.query_ids),
        num_true=curve.num_true,
        curve=curve.points(_MAX_POINTS),
        made={
            "data": checked.name,
            "is_shown": chosen.is_shown,
            "num_negatives": checked.num_negatives,
            "num_refused": checked.num_refused,
            "num_refs": len(checked.info.refs),
            **_provenance(checked),
        },
    )


def _provenance(checked: CheckedSet) -> dict[str, Any]:
    return provenance(
        inputs={"ground_truth": checked.truth_file},
        settings={
            "weights": checked.info.weights,
            "rate_hz": checked.info.rate_hz,
            "index_version": checked.info.version,
            "settings_digest": checked.summary["settings_digest"],
            "fit": checked.summary["fit"],
        },
        spaces={"index": checked.info.space},
    )


def _document(
    checked: CheckedSet, curve: PrecisionCurve, chosen: Threshold, calibration: Calibration
) -> dict[str, Any]:
    at = chosen.row
    document = results_document(
        {
            "min_score": calibration.min_score,
            "precision": float(curve.precision[at]),
            "recall": float(curve.recall[at]),
        },
        {
            "precision": (float(curve.low[at]), float(curve.high[at])),
            "recall": _recall_interval(checked, calibration.min_score),
        },
        _provenance(checked),
        counts={
            "queries": len(checked.query_ids),
            "negatives": checked.num_negatives,
            "refused": checked.num_refused,
            "references": len(checked.info.refs),
            "true_segments": curve.num_true,
            "matches": int(curve.num_matches[at]),
        },
    )
    return {
        **document,
        "is_shown": chosen.is_shown,
        "calibration": calibration_to_document(calibration),
    }


def _recall_interval(checked: CheckedSet, min_score: float) -> tuple[float, float]:
    """Resample the queries, each with all its true segments."""
    _, best = found_scores(checked.matches, checked.truth)
    query = np.searchsorted(checked.query_ids, checked.truth.query_ids)
    num_queries = len(checked.query_ids)
    found = np.bincount(query[best >= min_score], minlength=num_queries)
    there = np.bincount(query, minlength=num_queries)
    return confidence_interval(ratio_of(found, there), num_queries)


def _table(curve: PrecisionCurve, *, wished: float) -> str:
    """Lay out what other wishes would give, a line each; the one that was asked for is marked."""
    lines = ["  wished  min_score  precision  95 % interval  recall  matches"]
    for wish in sorted({*_WISHES, wished}):
        mark = ">" if wish == wished else " "
        try:
            chosen = choose_threshold(curve, precision=wish)
        except InputError:
            lines.append(f"{mark} {wish:<6g}  none")
            continue
        at = chosen.row
        lines.append(
            f"{mark} {wish:<6g}  {curve.min_score[at]:9.4f}  {curve.precision[at]:9.3f}  "
            f"{curve.low[at]:.3f} - {curve.high[at]:.3f}  {curve.recall[at]:6.3f}  "
            f"{curve.num_matches[at]:7,}{'' if chosen.is_shown else '  measured, not shown'}"
        )
    return "\n".join(lines)


def _surest_wrong(checked: CheckedSet) -> list[str]:
    """Show the wrong matches of highest score, for somebody to look at."""
    matches = checked.matches
    is_right, _ = found_scores(matches, checked.truth)
    wrong = np.flatnonzero(~is_right)
    rows = wrong[np.argsort(-matches.score[wrong], kind="stable")][:_MAX_WRONG].tolist()
    lines = [
        f"  {matches.score[row]:.4f}  {matches.query_ids[row]} {_span(matches.query_s[row])} "
        f"from {matches.ref_ids[row]} {_span(matches.ref_s[row])}"
        for row in rows
    ]
    return ["", "surest matches that the ground truth calls wrong:", *(lines or ["  none"])]


def _span(bounds_s: NDArray[np.float64]) -> str:
    return f"{bounds_s[0]:.1f}-{bounds_s[1]:.1f} s"


def _sentences(
    checked: CheckedSet, curve: PrecisionCurve, chosen: Threshold, calibration: Calibration
) -> list[str]:
    """Say what to expect and what it rests on."""
    sentences = [calibration.sentence]
    if not chosen.is_shown:
        needed = num_needed(calibration.precision)
        takes = "no number of them can" if needed is None else f"that takes {needed} or more"
        sentences.append(
            f"the matches of these queries cannot show a precision of {calibration.precision:g} "
            f"({takes} queries with matches, all right): the threshold is the lowest at which it "
            f"was measured; what is shown is {curve.low[chosen.row]:.3f}"
        )
    copying = len(checked.query_ids) - checked.num_negatives
    sentences.append(
        f"{copying} of {len(checked.query_ids)} queries copy something, of "
        f"{len(checked.info.refs)} references: with fewer copies among uploads, or more "
        "references, precision is lower"
    )
    if checked.num_refused:
        refused = console.counted(checked.num_refused, "video")
        sentences.append(f"named above and left out: {refused} that could not be used")
    return sentences


def _write(path: Path, text: str) -> None:
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise SetupError(f"{path}: cannot be written: {error.strerror or error}") from error
