"""`vcd index`: add, remove and list reference videos, and calibrate how they are searched."""

import argparse
import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipelines import console, index_calibrate, index_exclude, index_info, index_preflight
from pipelines.cli import verb_parser
from pipelines.detection import (
    open_detector,
    refuse_other_space,
    requests_for,
    unseen_seconds,
)
from pipelines.items import Item, find_items
from vcd.config import load_settings
from vcd.core import Descriptors, Examination, InputError, SetupError
from vcd.detector import Detector
from vcd.search import IndexInfo, IndexWriter, is_index, read_info

__all__ = ["main"]

_ABOUT = """\
Add, remove and list reference videos, and calibrate how they are searched.

  vcd index add videos/ --index refs.index"""
_ADD_ABOUT = """\
Describe videos, images or folders and add them to an index, which is made if need be.

A file that is in the index already is passed over; one that changed is replaced. What was
added stays when the command is interrupted: the same command again does only what is left."""

_PUBLISH_EVERY_S = 10.0
"""An interruption loses at most this much work; publishing takes some milliseconds."""


def main(argv: Sequence[str]) -> int:
    """Run the verb; see ``vcd index --help``."""
    parser = verb_parser("index", _ABOUT)
    parser.add_argument("action", choices=sorted(_ACTIONS), help="what to do")
    chosen = parser.parse_args(argv[:1] or ["--help"])
    return _ACTIONS[chosen.action](argv[1:])


def _add(argv: Sequence[str]) -> int:
    parser = verb_parser("index add", _ADD_ABOUT)
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH")
    parser.add_argument("--index", required=True, type=Path, metavar="DIR")
    parser.add_argument("--weights", metavar="W", help="name of `vcd models list`, or a file")
    parser.add_argument("--fps", type=float, metavar="F", help="frames a second (default 2)")
    parser.add_argument("--factory", metavar="F", help="FAISS factory string (default Flat: exact)")
    arguments = parser.parse_args(argv)
    info = read_info(arguments.index) if is_index(arguments.index) else None
    overrides = _overrides_for(arguments, info)
    settings = load_settings(arguments.config, overrides)
    run = _Adding(info)
    items = find_items(arguments.paths, taken=run.taken())
    with contextlib.ExitStack() as stack:
        detector = stack.enter_context(open_detector(arguments.config, overrides))
        if info is not None:
            refuse_other_space(arguments.index, info, detector)
        writer = IndexWriter.open(
            arguments.index,
            space=detector.describer.space,
            rate_hz=settings.media.rate_hz,
            weights=settings.describe.weights,
            factory=arguments.factory or (info.factory if info else "Flat"),
        )
        stack.enter_context(writer)
        progress = stack.enter_context(console.progress("indexing", total=len(items)))
        run.add(detector, writer, items.found, settings.media.rate_hz, progress)
    after = read_info(arguments.index)
    note = f"the index now holds {len(after.refs)} references"
    console.say(run.outcome.closing_line(done="indexed", note=note))
    return run.outcome.exit_code


def _overrides_for(arguments: argparse.Namespace, info: IndexInfo | None) -> dict[str, object]:
    """Take weights and rate from the flags, else from the index, else from the settings."""
    overrides: dict[str, object] = {}
    if info is not None:
        overrides = {"describe.weights": info.weights, "media.rate_hz": info.rate_hz}
        _refuse_change(arguments, info)
    if arguments.weights is not None:
        overrides["describe.weights"] = arguments.weights
    if arguments.fps is not None:
        overrides["media.rate_hz"] = arguments.fps
    return overrides


def _refuse_change(arguments: argparse.Namespace, info: IndexInfo) -> None:
    if arguments.fps is not None and arguments.fps != info.rate_hz:
        raise SetupError(
            f"{arguments.index}: was made at {info.rate_hz:g} frames a second, "
            f"so --fps {arguments.fps:g} needs an index of its own"
        )


@dataclass
class _Adding:
    """One pass over the files to add.

    Attributes:
        info: what the index held before; None when it is new.
        outcome: counts for the closing line.
    """

    info: IndexInfo | None
    outcome: console.Outcome = field(default_factory=console.Outcome)

    def taken(self) -> dict[str, Path]:
        """Tell which file holds which id."""
        refs = self.info.refs if self.info else ()
        return {video.id: Path(video.uri) for video in refs}

    def add(
        self,
        detector: Detector,
        writer: IndexWriter,
        items: Sequence[Item],
        rate_hz: float,
        progress: console.Progress,
    ) -> None:
        """Describe what is new or changed; publish now and then."""
        digests = {video.id: video.sha256 for video in (self.info.refs if self.info else ())}

        def is_wanted(item: Item, sha256: str) -> bool:
            if sha256 in (digests.get(item.id), digests.get(item.path.stem)):
                self.outcome.num_unchanged += 1
                progress.advance(item.id)
                return False
            if item.note is not None:
                console.say(item.note)
            return True

        def on_refused(examination: Examination) -> None:
            self.outcome.refuse(examination.video_id, examination.refused or "")
            progress.advance(examination.video_id)

        requests = requests_for(
            items, detector, rate_hz=rate_hz, is_wanted=is_wanted, on_refused=on_refused
        )
        published_s = time.monotonic()
        for examination, descriptors in detector.describe(requests):
            if examination.refused is not None:
                on_refused(examination)
                continue
            self._add_one(writer, examination, descriptors)
            progress.advance(examination.video_id)
            if time.monotonic() - published_s > _PUBLISH_EVERY_S:
                writer.publish()
                published_s = time.monotonic()

    def _add_one(
        self, writer: IndexWriter, examination: Examination, descriptors: Descriptors
    ) -> None:
        if examination.video is None:
            raise InputError(f"{examination.video_id}: a video without a digest cannot be added")
        before = self.info.by_id.get(examination.video_id) if self.info else None
        if before is not None and before.excluded:
            console.say(f"{examination.video_id}: replaced: what was excluded of it no longer is")
        writer.add(examination.video, descriptors, skipped=examination.skipped)
        self.outcome.num_done += 1
        self.outcome.miss(examination.video_id, unseen_seconds(examination))


def _remove(argv: Sequence[str]) -> int:
    parser = verb_parser("index remove", "Take references out of an index.")
    parser.add_argument("ids", nargs="+", metavar="ID")
    parser.add_argument("--index", required=True, type=Path, metavar="DIR")
    arguments = parser.parse_args(argv)
    info = read_info(arguments.index)
    outcome = console.Outcome()
    with IndexWriter.open(
        arguments.index,
        space=info.space,
        rate_hz=info.rate_hz,
        weights=info.weights,
        factory=info.factory,
    ) as writer:
        for ref_id in arguments.ids:
            try:
                writer.remove(ref_id)
                outcome.num_done += 1
            except InputError as error:
                outcome.refuse(ref_id, str(error))
    after = read_info(arguments.index)
    note = f"the index now holds {len(after.refs)} references"
    console.say(outcome.closing_line(done="removed", note=note))
    return outcome.exit_code


_ACTIONS: dict[str, Callable[[Sequence[str]], int]] = {
    "add": _add,
    "calibrate": index_calibrate.main,
    "exclude": index_exclude.main,
    "info": index_info.main,
    "preflight": index_preflight.main,
    "remove": _remove,
}
