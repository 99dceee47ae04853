"""`vcd describe`: write the descriptors of videos to a VSC2022 descriptor file."""

import argparse
import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipelines import console
from pipelines.cli import verb_parser
from pipelines.detection import open_detector, requests_for, unseen_seconds
from pipelines.items import Item, Items, find_items
from vcd.config import load_settings
from vcd.core import Descriptors, DescriptorSpace, Examination, SetupError
from vcd.descriptors import read_descriptor_rows, write_descriptors
from vcd.descriptors.store_format import descriptors_from
from vcd.detector import Detector

__all__ = ["main"]

_ABOUT = """\
Describe videos, images or folders and write the vectors to one .npz file in the form of
VSC2022: video_ids, features, timestamps (and view, space), in the order of the ids.

  vcd describe videos/ --out descriptors.npz

The file is written whole, when all are described, or not at all."""


def main(argv: Sequence[str]) -> int:
    """Run the verb; see ``vcd describe --help``."""
    arguments = _parse(argv)
    overrides: dict[str, object] = {}
    if arguments.views is not None:
        overrides["views.mode"] = arguments.views
    if arguments.weights is not None:
        overrides["describe.weights"] = arguments.weights
    if arguments.fps is not None:
        overrides["media.rate_hz"] = arguments.fps
    rate_hz = load_settings(arguments.config, overrides).media.rate_hz
    items = find_items(arguments.paths)
    run = _Describing()
    with contextlib.ExitStack() as stack:
        detector = stack.enter_context(open_detector(arguments.config, overrides))
        progress = stack.enter_context(console.progress("describing", total=len(items)))
        described = run.describe(detector, items, rate_hz, progress)
        _write_in_order(arguments.out, described, detector.describer.space)
    note = f"{run.num_vectors} descriptors in {arguments.out}"
    console.say(run.outcome.closing_line(done="described", note=note))
    return run.outcome.exit_code


@dataclass
class _Describing:
    """One pass over the files.

    Attributes:
        outcome: counts for the closing line.
        num_vectors: written so far.
    """

    outcome: console.Outcome = field(default_factory=console.Outcome)
    num_vectors: int = 0

    def describe(
        self, detector: Detector, items: Items, rate_hz: float, progress: console.Progress
    ) -> Iterator[Descriptors]:
        """Yield the descriptors of each video that can be decoded, and name the others."""

        def on_refused(examination: Examination) -> None:
            self.outcome.refuse(examination.video_id, examination.refused or "")
            progress.advance(examination.video_id)

        requests = requests_for(
            items, detector, rate_hz=rate_hz, is_wanted=_say_note, on_refused=on_refused
        )
        for examination, descriptors in detector.describe(requests):
            if examination.refused is not None:
                on_refused(examination)
                continue
            self.outcome.num_done += 1
            self.outcome.miss(examination.video_id, unseen_seconds(examination))
            self.num_vectors += len(descriptors)
            progress.advance(examination.video_id)
            yield descriptors


def _write_in_order(out: Path, described: Iterator[Descriptors], space: DescriptorSpace) -> None:
    """Write videos in the order of their ids; they come in the order in which they are done."""
    try:
        folder = tempfile.TemporaryDirectory(dir=out.parent, prefix=".vcd-")
    except OSError as error:
        raise SetupError(f"{out}: cannot be written: {error.strerror}") from error
    with folder as name:
        as_done = Path(name) / "as_done.npz"
        write_descriptors(as_done, described, space=space)
        rows = read_descriptor_rows(as_done)
        runs = sorted(rows.runs, key=lambda run: str(rows.video_ids[run[0]]))
        ordered = (descriptors_from(rows, first, stop) for first, stop in runs)
        write_descriptors(out, ordered, space=space)


def _say_note(item: Item, _sha256: str) -> bool:
    if item.note is not None:
        console.say(item.note)
    return True


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = verb_parser("describe", _ABOUT)
    parser.add_argument(
        "paths", nargs="+", type=Path, metavar="PATH", help="videos, images or folders"
    )
    parser.add_argument("--out", required=True, type=Path, metavar="FILE.npz")
    parser.add_argument("--weights", metavar="W", help="name of `vcd models list`, or a file")
    parser.add_argument("--fps", type=float, metavar="F", help="frames a second (default 2)")
    parser.add_argument(
        "--views",
        choices=("auto", "off"),
        help="describe also the parts of a frame, as for queries (default off)",
    )
    return parser.parse_args(argv)
