"""`vcd references`: change the references of all workers that run, through their log."""

import argparse
import contextlib
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines import console
from pipelines.announcing import Announcing, refuse_other_terms
from pipelines.bus import add_log_flag, open_bus, patience_s, require_topics
from pipelines.cli import verb_parser
from pipelines.detection import open_detector, requests_for
from pipelines.items import Item, Items, find_items
from vcd.config import load_settings
from vcd.core import Descriptors, Examination, InputError, Interval, TransientError, Video
from vcd.detector import Detector
from vcd.search import read_info
from vcd.search.references import MappedReferences
from vcd.stream.messages.records import ReferenceChange
from vcd.stream.references.announced import Announced, announced_references
from vcd.stream.references.descriptor_store import DescriptorStore, store_location
from vcd.stream.topics import REFERENCES

__all__ = ["main"]

_ABOUT = """\
Change the references of all workers that follow a log, while they run.

  vcd references add videos/ --log sqlite:bus.db
  vcd references add videos/ --log kafka:localhost:9092 --store s3://bucket/descriptors
  vcd references remove ID --log sqlite:bus.db"""
_ADD_ABOUT = """\
Describe videos, images or folders and announce them; or announce those of an index.

Each is described once: its descriptors become a file in the store, then its message is sent.
A file that is announced already is passed over; one that changed is replaced."""


def main(argv: Sequence[str]) -> int:
    """Run the verb; see ``vcd references --help``."""
    parser = verb_parser("references", _ABOUT)
    parser.add_argument("action", choices=sorted(_ACTIONS), help="what to do")
    chosen = parser.parse_args(argv[:1] or ["--help"])
    return _ACTIONS[chosen.action](argv[1:])


def _add(argv: Sequence[str]) -> int:
    arguments = _parse_add(argv)
    with open_bus(arguments.log, arguments.config) as (log, settings):
        setting = arguments.store or settings.stream.descriptor_store
        store = DescriptorStore(store_location(setting, log.address))
        require_topics(log, [REFERENCES])
        with Announcing(log, patience_s=patience_s(settings)) as run:
            adding = _Adding(run, store, arguments.collection)
            if arguments.from_index is not None:
                adding.add_index(arguments.from_index)
            else:
                _add_files(arguments, adding)
    return _closed(arguments, run, done="announced")


def _parse_add(argv: Sequence[str]) -> argparse.Namespace:
    parser = verb_parser("references add", _ADD_ABOUT)
    parser.add_argument("paths", nargs="*", type=Path, metavar="PATH")
    parser.add_argument("--from-index", type=Path, metavar="DIR", help="an index, in place of PATH")
    add_log_flag(parser)
    parser.add_argument("--store", metavar="S", help="folder or address for descriptor files")
    parser.add_argument("--weights", metavar="W", help="name of `vcd models list`, or a file")
    parser.add_argument("--collection", default="", metavar="C", help="whose references they are")
    _add_json_flag(parser)
    arguments = parser.parse_args(argv)
    if bool(arguments.paths) == (arguments.from_index is not None):
        parser.error("give either PATH... or --from-index DIR")
    if arguments.from_index is not None and arguments.weights is not None:
        parser.error("--weights goes with PATH: an index has the descriptors of its own weights")
    return arguments


@dataclass
class _Adding:
    """One pass over the references to announce.

    Attributes:
        run: announces them.
        store: gets their descriptors, each before its message is sent.
        collection: whose references they are.
    """

    run: Announcing
    store: DescriptorStore
    collection: str

    def knows(self, ref_id: str, sha256: str) -> bool:
        """Tell whether this very file is announced under this id, its descriptors at hand."""
        change = self.run.announced.changes.get(ref_id)
        return (
            change is not None
            and (change.video.sha256, change.collection) == (sha256, self.collection)
            and self.store.holds(change.descriptors)
        )

    def add(
        self,
        video: Video,
        descriptors: Descriptors,
        rate_hz: float,
        excluded: Sequence[Interval] = (),
    ) -> None:
        """Store the descriptors, then announce the reference; refuse one that cannot be stored."""
        try:
            file = self.store.put(descriptors)
        except (InputError, TransientError) as error:
            self.run.outcome.refuse(video.id, str(error))
            return
        self.run.send(
            ReferenceChange(
                video=video,
                descriptors=file,
                space=descriptors.space,
                rate_hz=rate_hz,
                excluded=tuple(sorted(excluded)),
                collection=self.collection,
                trace_id=secrets.token_hex(8),
            )
        )

    def add_index(self, index: Path) -> None:
        """Announce what is in an index; nothing is described again."""
        info = read_info(index)
        refuse_other_terms(self.run.announced, info.space, info.rate_hz)
        references = MappedReferences.open(index)
        with console.progress("announcing", total=len(info.references)) as progress:
            for ref in info.references:
                descriptors = references.stored_descriptors(ref.video.id)
                self.add(ref.video, descriptors, info.rate_hz, ref.excluded)
                progress.advance(ref.video.id)

    def add_files(
        self, detector: Detector, items: Items, rate_hz: float, progress: console.Progress
    ) -> None:
        """Describe what is new or changed, and announce it."""

        def is_wanted(item: Item, sha256: str) -> bool:
            if self.knows(item.id, sha256) or self.knows(item.path.stem, sha256):
                self.run.outcome.num_unchanged += 1
                progress.advance(item.id)
                return False
            if item.note is not None:
                console.say(item.note)
            return True

        def on_refused(examination: Examination) -> None:
            self.run.outcome.refuse(examination.video_id, examination.refused or "")
            progress.advance(examination.video_id)

        requests = requests_for(
            items, detector, rate_hz=rate_hz, is_wanted=is_wanted, on_refused=on_refused
        )
        for examination, descriptors in detector.describe(requests):
            if examination.video is None or examination.refused is not None:
                on_refused(examination)
                continue
            self.add(examination.video, descriptors, rate_hz)
            progress.advance(examination.video_id)


def _add_files(arguments: argparse.Namespace, adding: _Adding) -> None:
    overrides: dict[str, object] = {"describe.weights": arguments.weights}
    rate_hz = load_settings(arguments.config, overrides).media.rate_hz
    announced = adding.run.announced
    taken = {ref_id: Path(change.video.uri) for ref_id, change in announced.changes.items()}
    items = find_items(arguments.paths, taken=taken)
    with contextlib.ExitStack() as stack:
        detector = stack.enter_context(open_detector(arguments.config, overrides))
        refuse_other_terms(announced, detector.describer.space, rate_hz)
        progress = stack.enter_context(console.progress("announcing", total=len(items)))
        adding.add_files(detector, items, rate_hz, progress)


def _remove(argv: Sequence[str]) -> int:
    parser = verb_parser("references remove", "Take references out of all workers' indexes.")
    parser.add_argument("ids", nargs="+", metavar="ID")
    add_log_flag(parser)
    _add_json_flag(parser)
    arguments = parser.parse_args(argv)
    with open_bus(arguments.log, arguments.config) as (log, settings):
        require_topics(log, [REFERENCES])
        with Announcing(log, patience_s=patience_s(settings)) as run:
            for ref_id in dict.fromkeys(arguments.ids):
                run.remove(ref_id)
    return _closed(arguments, run, done="removed")


def _list(argv: Sequence[str]) -> int:
    parser = verb_parser("references list", "List the references that a log has announced.")
    add_log_flag(parser)
    _add_json_flag(parser)
    arguments = parser.parse_args(argv)
    with open_bus(arguments.log, arguments.config) as (log, _):
        require_topics(log, [REFERENCES])
        announced = announced_references(log)
    outcome = console.Outcome(num_done=len(announced.changes))
    for key, error in announced.unusable.items():
        outcome.refuse(key, str(error))
    if arguments.json:
        console.print_json(_list_document(announced, outcome))
        return outcome.exit_code
    for change in announced.changes.values():
        video = change.video
        size = f"{video.width_px}x{video.height_px}"
        print(f"{video.id:<32} {video.duration_s:>9.2f} s  {size:>9}  {video.uri}")
    console.say(outcome.closing_line(done="announced"))
    return outcome.exit_code


def _list_document(announced: Announced, outcome: console.Outcome) -> dict[str, Any]:
    return {
        "num_refs": len(announced.changes),
        "references": [
            {
                "id": change.video.id,
                "uri": change.video.uri,
                "sha256": change.video.sha256,
                "duration_s": change.video.duration_s,
                "collection": change.collection,
                "descriptors": change.descriptors.uri,
                "space": change.space.name,
                "rate_hz": change.rate_hz,
                "excluded": [[each.start_s, each.end_s] for each in change.excluded],
            }
            for change in announced.changes.values()
        ],
        "refused": outcome.refused,
    }


def _closed(arguments: argparse.Namespace, run: Announcing, *, done: str) -> int:
    """Say how many are durable, and where the last of them is."""
    outcome = run.outcome
    offsets = {ref_id: place.offset for ref_id, place in run.places.items()}
    if arguments.json:
        console.print_json(
            {
                done: [{"id": ref_id, "offset": offset} for ref_id, offset in offsets.items()],
                "num_unchanged": outcome.num_unchanged,
                "refused": outcome.refused,
            }
        )
    note = ""
    if offsets:
        end = max(offsets.values()) + 1
        note = f"in effect in running workers within seconds (vcd_index_offset {end})"
    console.say(outcome.closing_line(done=done, note=note))
    return outcome.exit_code


def _add_json_flag(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print the outcome as JSON")


_ACTIONS: dict[str, Callable[[Sequence[str]], int]] = {
    "add": _add,
    "list": _list,
    "remove": _remove,
}
