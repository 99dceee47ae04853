"""`vcd review`: evidence as a page that opens from the file system, for a person to decide on."""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipelines import console
from pipelines.cli import EXIT_DONE, EXIT_PARTLY_DONE, verb_parser
from vcd.core import InputError
from vcd.core.errors import SetupError
from vcd.evidence.page import PageOptions, PageSummary, write_page
from vcd.evidence.record import EvidenceRecord
from vcd.evidence.record_file import RECORD_NAME, read_record

__all__ = ["main"]

_ABOUT = """\
Make a page of evidence that opens from the file system, without a network or a server.

  vcd check uploads/ --index refs.index --evidence evidence/
  vcd review evidence/ --out review/        then open review/index.html

EVIDENCE is what `vcd check --evidence` wrote: the folder of one upload, or the folder of such
folders. What is decided on the page is exported there (Decisions) as a file, which `vcd feedback`
takes in."""


def main(argv: Sequence[str]) -> int:
    """Run the verb; see ``vcd review --help``."""
    arguments = _parse(argv)
    folders = _find_evidence(arguments.evidence)
    options = PageOptions(title=arguments.title, is_blurred=arguments.blur)
    with console.progress("writing the page", total=len(folders)) as progress:
        summary = write_page(arguments.out, _records(folders, progress), options)
    for folder, problems in summary.problems.items():
        for problem in problems:
            console.say(f"{folder}: {problem}")
    console.say(_closing_line(arguments.out, summary))
    return EXIT_PARTLY_DONE if summary.problems else EXIT_DONE


def _find_evidence(paths: Sequence[Path]) -> list[Path]:
    """List the evidence folders that are named, or that lie in folders that are; each once.

    Raises:
        SetupError: a path holds no evidence.
    """
    found: dict[Path, Path] = {}
    for named in paths:
        path = named.parent if named.name == RECORD_NAME else named
        inside = [path] if (path / RECORD_NAME).exists() else _folders_in(path)
        if not inside:
            raise SetupError(f"{named}: wanted a folder with {RECORD_NAME}, or a folder of such")
        found |= {folder.resolve(): folder for folder in inside}
    return list(found.values())


def _folders_in(path: Path) -> list[Path]:
    """List all folders where one has a record: one without was cut short, and gets named."""
    inside = sorted(path.glob("[!.]*/"))
    return inside if any((folder / RECORD_NAME).exists() for folder in inside) else []


def _records(
    folders: Sequence[Path], progress: console.Progress
) -> Iterator[tuple[Path, EvidenceRecord | InputError]]:
    for folder in folders:
        try:
            yield folder, read_record(folder)
        except InputError as error:
            yield folder, error
        progress.advance(folder.name)


def _closing_line(out: Path, summary: PageSummary) -> str:
    parts = [f"{console.counted(summary.num_uploads, 'upload')} on the page"]
    if summary.num_twice:
        parts.append(f"{summary.num_twice} given twice")
    if summary.problems:
        damaged = console.counted(len(summary.problems), "folder")
        parts.append(f"{damaged} not as the evidence says")
    return f"{', '.join(parts)}; open {out / 'index.html'}"


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = verb_parser("review", _ABOUT)
    parser.add_argument(
        "evidence", nargs="+", type=Path, metavar="EVIDENCE", help="folders of evidence"
    )
    parser.add_argument(
        "--out", required=True, type=Path, metavar="DIR", help="where the page goes"
    )
    parser.add_argument(
        "--title", default=PageOptions().title, metavar="T", help="what it is called"
    )
    parser.add_argument(
        "--blur",
        action="store_true",
        help="blur pictures and clips until somebody asks to see them",
    )
    return parser.parse_args(argv)
