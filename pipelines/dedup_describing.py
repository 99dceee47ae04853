"""Describe the media of `vcd dedup` into one file that another run goes on from.

    OUT/descriptors.npz           what `vcd describe` would write
    OUT/descriptors.items.jsonl   what is known of the files (dedup_items.py)

An item that is in it with the same bytes is not described again. An interrupted run keeps what it
has described.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pipelines import console
from pipelines.dedup_items import ItemFacts, facts_path, read_facts, write_facts
from pipelines.detection import requests_for, unseen_seconds
from pipelines.items import Item, find_items
from vcd.core import Descriptors, DescriptorSpace, Examination, InputError, SetupError, Video
from vcd.descriptors import DescriptorRows, read_descriptor_rows, write_descriptors
from vcd.descriptors.store_format import descriptors_from
from vcd.detector import Detector

__all__ = ["FILE_NAME", "describe_media"]

FILE_NAME = "descriptors.npz"
"""What the descriptors of media are kept as."""


def describe_media(
    paths: Sequence[Path],
    folder: Path,
    detector: Detector,
    outcome: console.Outcome,
    *,
    rate_hz: float,
) -> Path:
    """Describe videos and images into the descriptor file of a folder, and say what they are.

    Args:
        paths: files and folders.
        folder: gets ``descriptors.npz``; what it holds already of the same bytes is taken over.
        detector: describes.
        outcome: counts what is done, unchanged and refused.
        rate_hz: frames a second of videos.

    Raises:
        InputError: a path does not exist, or nothing could be described.
        SetupError: the file cannot be written, or is one that this verb has not made.
    """
    items = [item for item in find_items(paths) if folder.absolute() not in item.path.parents]
    out = folder / FILE_NAME
    _refuse_foreign(out)
    run = _Describing(detector=detector, outcome=outcome, rate_hz=rate_hz)
    run.take_over(out)
    with console.progress("describing", total=len(items)) as bar:
        _write_in_order(out, run.describe(items, bar), detector.describer.space)
    write_facts(out, run.facts)
    if run.is_interrupted:
        raise KeyboardInterrupt
    if not run.facts:
        raise InputError("nothing could be described")
    return out


def _refuse_foreign(out: Path) -> None:
    """Never write over descriptors that somebody else has put there."""
    if out.exists() and not facts_path(out).exists():
        raise SetupError(
            f"{out}: not written by vcd dedup, and would be lost: name another --out, or cluster "
            "it itself"
        )


def _write_in_order(out: Path, described: Iterator[Descriptors], space: DescriptorSpace) -> None:
    """Write items in the order of their ids; they come in the order in which they are done."""
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".vcd-") as name:
        as_done = Path(name) / "as_done.npz"
        write_descriptors(as_done, described, space=space)
        rows = read_descriptor_rows(as_done)
        runs = sorted(rows.runs, key=lambda run: str(rows.video_ids[run[0]]))
        ordered = (descriptors_from(rows, first, stop) for first, stop in runs)
        write_descriptors(out, ordered, space=space)


@dataclass(kw_only=True)
class _Describing:
    """One pass over the files.

    Attributes:
        detector: describes.
        outcome: counts for the closing line.
        rate_hz: frames a second.
        facts: of all that is described, by id.
        known: rows of an earlier run, by id.
        known_facts: what was said of them.
        known_rows: the file that they are in.
        is_interrupted: whether somebody wanted to stop; what is described is kept.
    """

    detector: Detector
    outcome: console.Outcome
    rate_hz: float
    facts: dict[str, ItemFacts] = field(default_factory=dict)
    known: dict[str, tuple[int, int]] = field(default_factory=dict)
    known_facts: Mapping[str, ItemFacts] = field(default_factory=dict)
    known_rows: DescriptorRows | None = None
    is_interrupted: bool = False

    def take_over(self, out: Path) -> None:
        """Read what an earlier run left; a damaged file, or another space, counts as nothing."""
        if not out.is_file():
            return
        try:
            self.known_facts, rows = read_facts(out), read_descriptor_rows(out)
        except InputError as error:
            console.say(f"all is described again: {error}")
            return
        if rows.space == self.detector.describer.space:
            self.known = {str(rows.video_ids[run[0]]): run for run in rows.runs}
            self.known_rows = rows

    def describe(self, items: Sequence[Item], bar: console.Progress) -> Iterator[Descriptors]:
        """Yield the descriptors of each item that can be decoded, and name the others."""
        by_id = {item.id: item for item in items}
        unchanged: set[str] = set()
        try:
            yield from self._describe_new(by_id, unchanged.add, bar)
        except KeyboardInterrupt:
            self.is_interrupted = True
            unchanged = set(self.known) & set(by_id) & set(self.known_facts) - set(self.facts)
        for item_id in sorted(unchanged):
            self.outcome.num_unchanged += 1
            bar.advance(item_id)
            path = str(by_id[item_id].path)
            self.facts[item_id] = replace(self.known_facts[item_id], path=path)
            if self.known_rows is not None:
                yield descriptors_from(self.known_rows, *self.known[item_id])

    def _describe_new(
        self, by_id: Mapping[str, Item], pass_over: Callable[[str], None], bar: console.Progress
    ) -> Iterator[Descriptors]:
        def is_wanted(item: Item, sha256: str) -> bool:
            if item.note is not None:
                console.say(item.note)
            is_known = self._is_known(item, sha256)
            if is_known:
                pass_over(item.id)
            return not is_known

        def on_refused(examination: Examination) -> None:
            self.outcome.refuse(examination.video_id, examination.refused or "")
            bar.advance(examination.video_id)

        requests = requests_for(
            by_id.values(),
            self.detector,
            rate_hz=self.rate_hz,
            is_wanted=is_wanted,
            on_refused=on_refused,
        )
        for examination, descriptors in self.detector.describe(requests):
            if examination.refused is not None or examination.video is None:
                on_refused(examination)
                continue
            self.outcome.num_done += 1
            self.outcome.miss(examination.video_id, unseen_seconds(examination))
            self._note(by_id[examination.video_id], examination.video, descriptors)
            bar.advance(examination.video_id)
            yield descriptors

    def _note(self, item: Item, video: Video, descriptors: Descriptors) -> None:
        self.facts[item.id] = ItemFacts(
            id=item.id,
            path=str(item.path),
            sha256=video.sha256,
            width_px=video.width_px,
            height_px=video.height_px,
            duration_s=video.duration_s if len(descriptors.timeline) > 1 else 0.0,
            num_bytes=item.path.stat().st_size,
            rate_hz=self.rate_hz,
        )

    def _is_known(self, item: Item, sha256: str) -> bool:
        facts = self.known_facts.get(item.id)
        return (
            facts is not None
            and item.id in self.known
            and (facts.sha256, facts.rate_hz) == (sha256, self.rate_hz)
        )
