"""`vcd eval validate`: hold a file against the limits of the VSC2022 challenge."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from pipelines import console
from pipelines.cli import EXIT_DONE, EXIT_FAILED, verb_parser
from vcd.config import load_settings
from vcd.evaluation.files.validation import read_durations, validate_file

__all__ = ["main"]

_ABOUT = """\
Say all that the VSC2022 challenge would refuse a file for; exit code 1 when there is anything.

FILE holds descriptors (.npz), matches or candidates (.csv); its content says which. With the
metadata of the split (video_id and duration_sec), the number of descriptors is checked too, and
whether every id exists."""


def main(argv: Sequence[str]) -> int:
    """Run the action; see ``vcd eval validate --help``."""
    arguments = _parse(argv)
    load_settings(arguments.config, {})
    durations_s = read_durations(arguments.metadata) if arguments.metadata else None
    validation = validate_file(arguments.file, durations_s)
    if arguments.json:
        console.print_json(
            {
                "file": str(arguments.file),
                "kind": validation.kind,
                "num_rows": validation.num_rows,
                "valid": not validation.violations,
                "violations": list(validation.violations),
            }
        )
    else:
        for sentence in validation.violations:
            print(sentence)
    verdict = "some limit is not kept" if validation.violations else "every limit is kept"
    console.say(f"{arguments.file}: {validation.num_rows} {_NOUNS[validation.kind]}, {verdict}")
    return EXIT_FAILED if validation.violations else EXIT_DONE


_NOUNS = {
    "descriptors": "descriptors",
    "matches": "matches",
    "candidates": "candidates",
    "unknown": "rows of no known kind",
}


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = verb_parser("eval validate", _ABOUT)
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("--metadata", type=Path, nargs="+", metavar="FILE.csv")
    parser.add_argument("--json", action="store_true", help="print what was found as JSON")
    return parser.parse_args(argv)
