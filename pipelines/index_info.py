"""`vcd index info`: list what an index holds, what of it never matches, how it is searched."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipelines import console, index_calibrate
from pipelines.cli import EXIT_DONE, verb_parser
from pipelines.index_exclude import excluded_sentence
from vcd.core.finding_documents import interval_to_document
from vcd.search import IndexCalibration, IndexInfo, RefInfo, read_calibration, read_info

__all__ = ["main"]


def main(argv: Sequence[str]) -> int:
    """Run the verb; see ``vcd index info --help``."""
    arguments = _parse(argv)
    info = read_info(arguments.index)
    calibration = read_calibration(arguments.index)
    if arguments.json:
        console.print_json(_info_document(info) | index_calibrate.calibration_document(calibration))
    else:
        print("\n".join(_lines(info, calibration)))
    return EXIT_DONE


def _lines(info: IndexInfo, calibration: IndexCalibration) -> list[str]:
    lines = []
    for ref in info.references:
        video = ref.video
        size = f"{video.width_px}x{video.height_px}"
        lines.append(f"{video.id:<32} {video.duration_s:>9.2f} s  {size:>9}  {video.uri}")
        lines += [f"  {sentence}" for sentence in _limits(ref, info.rate_hz)]
    lines.append(
        f"{len(info.refs)} references, {info.num_vectors} descriptors "
        f"({info.num_bytes / 1e6:.1f} MB), weights {info.weights}, "
        f"{info.rate_hz:g} frames a second, {info.factory}, version {info.version[:12]}"
    )
    return lines + index_calibrate.calibration_lines(calibration)


def _limits(ref: RefInfo, rate_hz: float) -> list[str]:
    """Say which stretches of a reference cannot match: a sentence for what is of one kind."""
    sentences = [
        f"not seen {skip.interval.start_s:.2f}-{skip.interval.end_s:.2f} s ({skip.reason})"
        for skip in ref.skipped
    ]
    excluded = excluded_sentence(ref, rate_hz)
    return [*sentences, excluded] if excluded else sentences


def _info_document(info: IndexInfo) -> dict[str, Any]:
    return {
        "version": info.version,
        "space": {
            "name": info.space.name,
            "dim": info.space.dim,
            "fingerprint": info.space.fingerprint,
        },
        "weights": info.weights,
        "rate_hz": info.rate_hz,
        "factory": info.factory,
        "num_refs": len(info.refs),
        "num_vectors": info.num_vectors,
        "num_bytes": info.num_bytes,
        "references": [_ref_document(ref) for ref in info.references],
    }


def _ref_document(ref: RefInfo) -> dict[str, Any]:
    video = ref.video
    return {
        "id": video.id,
        "uri": video.uri,
        "sha256": video.sha256,
        "duration_s": video.duration_s,
        "width_px": video.width_px,
        "height_px": video.height_px,
        "excluded": [interval_to_document(each) for each in ref.excluded],
        "skipped": [
            {**interval_to_document(skip.interval), "reason": skip.reason} for skip in ref.skipped
        ],
    }


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = verb_parser("index info", "List what an index holds, and what of it never matches.")
    parser.add_argument("--index", required=True, type=Path, metavar="DIR")
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    return parser.parse_args(argv)
