"""`vcd match`: match two descriptor files without their videos."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from pipelines import console
from pipelines.cli import verb_parser
from pipelines.file_matching import FileMatcher, open_file_matcher
from pipelines.results import results_document
from vcd.core import SetupError
from vcd.evaluation.files.vsc_files import write_candidates, write_matches
from vcd.evaluation.matching import Matching

__all__ = ["main"]

_ABOUT = """\
Say which stretches of the queries are copied from which references, from descriptor files alone.

  vcd describe uploads/ --out Q.npz
  vcd describe references/ --out R.npz
  vcd match --queries Q.npz --refs R.npz --out matches.csv

Says what `vcd check` says, but for bounds that only the video itself can tell more finely.
--config configs/vsc2022.toml is the published baseline of VSC2022, configs/vsc2022_best.toml
is ours under its budgets. What it was done with is written to FILE.provenance.json."""


def main(argv: Sequence[str]) -> int:
    """Run the verb; see ``vcd match --help``."""
    arguments = _parse(argv)
    overrides: dict[str, object] = {"align.min_score": arguments.min_score}
    if arguments.background is not None:
        overrides["fit.background"] = str(arguments.background)
    _refuse_missing_folder(arguments.out, arguments.candidates_out)
    matcher = open_file_matcher(arguments.queries, arguments.refs, arguments.config, overrides)
    matching = matcher.match(arguments.out.parent)
    document = _document(matcher, matching)
    if arguments.candidates_out is not None:
        write_candidates(arguments.candidates_out, matching.candidates)
    _write_provenance(arguments.out, document)
    write_matches(arguments.out, matching.matches)
    if arguments.json:
        console.print_json(document)
    num_with = len(set(matching.matches.query_ids.tolist()))
    found = console.counted(len(matching.matches), "match")
    console.say(
        f"{found} in {num_with} of {len(matcher.queries.runs)} queries "
        f"({console.counted(len(matcher.refs.runs), 'reference')}) in {arguments.out}"
    )
    return 0


def _document(matcher: FileMatcher, matching: Matching) -> dict[str, object]:
    counts = {
        "num_queries": len(matcher.queries.runs),
        "num_refs": len(matcher.refs.runs),
        "num_candidates": len(matching.candidates),
        "num_matches": len(matching.matches),
    }
    return results_document({}, {}, matcher.provenance(), counts=counts)


def _refuse_missing_folder(*files: Path | None) -> None:
    """Say so before the work and not after it."""
    for file in files:
        if file is not None and not file.parent.is_dir():
            raise SetupError(f"{file}: wanted a folder to write to, there is no {file.parent}")


def _write_provenance(out: Path, document: dict[str, object]) -> None:
    path = out.with_name(f"{out.name}.provenance.json")
    text = json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    try:
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise SetupError(f"{path}: cannot be written: {error.strerror or error}") from error


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = verb_parser("match", _ABOUT)
    parser.add_argument("--queries", required=True, type=Path, metavar="Q.npz")
    parser.add_argument("--refs", required=True, type=Path, metavar="R.npz")
    parser.add_argument("--out", required=True, type=Path, metavar="FILE.csv")
    parser.add_argument(
        "--background", type=Path, metavar="B.npz", help="descriptors of no reference, or a fit"
    )
    parser.add_argument(
        "--candidates-out",
        type=Path,
        metavar="FILE.csv",
        help="write the chosen pairs of videos too",
    )
    parser.add_argument(
        "--min-score",
        type=float,
        metavar="S",
        help="write matches from this score on; -inf writes all (default: the space's own)",
    )
    parser.add_argument("--json", action="store_true", help="print what was done as JSON")
    return parser.parse_args(argv)
