"""Describe the folders of a data set so that a second run does only what is missing.

    OUT/descriptors/<role>/0000.npz    descriptors of at most 64 files, whole or not there
    OUT/descriptors/<role>/0000.json   of which files: size and time of change; space and rate;
                                       seconds of them that could not be looked at
    OUT/<role>.npz                     all of them in the order of their ids

A file that changed, or that other weights or another rate described, is described again. What was
refused is tried again by every run.
"""

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pipelines import console
from pipelines.detection import requests_for, unseen_seconds
from pipelines.items import Item, find_items
from vcd.core import Descriptors, InputError, SetupError
from vcd.descriptors import DescriptorRows, read_descriptor_rows, write_descriptors
from vcd.descriptors.store_format import descriptors_from
from vcd.detector import Detector

__all__ = ["DataSetDescriber"]

_PART_FILES = 64
_PART_S = 60.0
"""A part is written after so many files or seconds: what a killed run loses at most. An
interrupted one writes what it has."""


@dataclass(kw_only=True)
class DataSetDescriber:
    """Describes folder after folder into one folder of results.

    Attributes:
        detector: describes.
        rate_hz: frames a second of videos.
        out: folder of the results.
        outcome: counts over all folders.
    """

    detector: Detector
    rate_hz: float
    out: Path
    outcome: console.Outcome = field(default_factory=console.Outcome)

    def describe(self, role: str, folder: Path) -> Path:
        """Describe what is missing of a folder, and put all of it into one descriptor file.

        Args:
            role: name of the file: ``queries``, ``refs``, ``background``.
            folder: of videos or images.

        Returns:
            Path of the descriptor file; its videos are in the order of their ids.

        Raises:
            InputError: there is no such folder, or nothing of it can be described.
            SetupError: a file cannot be written.
        """
        parts = _Parts(self.out / "descriptors" / role, self._terms())
        known = parts.known()
        items = find_items([folder])
        stamps = {item.id: _stamp(item.path) for item in items}
        described_as = {each: place.stamp for each, place in known.items()}
        missing = [item for item in items if described_as.get(item.id) != stamps[item.id]]
        self.outcome.num_unchanged += len(items) - len(missing)
        if len(missing) < len(items):
            console.say(f"{role}: {len(items) - len(missing)} of {len(items)} described before")
        with console.progress(f"describing {role}", total=len(missing)) as bar:
            parts.keep(self._describe(missing, bar, parts.unseen_s), stamps)
        known = parts.known()
        wanted = [known[each] for each in sorted(known) if stamps.get(each) == known[each].stamp]
        if not wanted:
            raise InputError(f"{folder}: nothing in it could be described")
        for place in wanted:
            self.outcome.miss(place.video_id, place.unseen_s)
        path = self.out / f"{role}.npz"
        write_descriptors(path, parts.read(wanted), space=self.detector.describer.space)
        return path

    def _describe(
        self, items: Sequence[Item], bar: console.Progress, unseen_s: dict[str, float]
    ) -> Iterator[Descriptors]:
        def on_refused(video_id: str, reason: str) -> None:
            self.outcome.refuse(video_id, reason)
            bar.advance(video_id)

        requests = requests_for(
            items,
            self.detector,
            rate_hz=self.rate_hz,
            is_wanted=lambda _item, _sha256: True,
            on_refused=lambda examination: on_refused(
                examination.video_id, examination.refused or ""
            ),
        )
        for examination, descriptors in self.detector.describe(requests):
            if examination.refused is not None:
                on_refused(examination.video_id, examination.refused)
                continue
            self.outcome.num_done += 1
            bar.advance(examination.video_id)
            unseen_s[examination.video_id] = unseen_seconds(examination)
            yield descriptors

    def _terms(self) -> dict[str, Any]:
        return {"space": asdict(self.detector.describer.space), "rate_hz": self.rate_hz}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where the descriptors of a file are, what the file was like, and what nobody saw of it."""

    part: Path
    video_id: str
    stamp: tuple[int, int]
    unseen_s: float


class _Parts:
    """The descriptor files of one role.

    Attributes:
        unseen_s: seconds of each video to come that could not be looked at.
    """

    def __init__(self, folder: Path, terms: Mapping[str, Any]) -> None:
        self.unseen_s: dict[str, float] = {}
        self._folder = folder
        self._terms = dict(terms)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SetupError(f"{folder}: cannot be made: {error.strerror}") from error

    def known(self) -> dict[str, _Place]:
        """Say of each file that was described under the same terms where it is; the last wins."""
        places = {}
        for path in sorted(self._folder.glob("*.json")):
            stated = _read(path)
            part = path.with_suffix(".npz")
            if {name: stated.get(name) for name in self._terms} != self._terms or not part.exists():
                continue
            for video_id, (size, changed) in stated["files"].items():
                places[video_id] = _Place(
                    part=part,
                    video_id=video_id,
                    stamp=(size, changed),
                    unseen_s=stated["unseen_s"][video_id],
                )
        return places

    def keep(self, described: Iterable[Descriptors], stamps: Mapping[str, tuple[int, int]]) -> None:
        """Write videos part by part as they come, and what there is when they stop coming."""
        part: list[Descriptors] = []
        begun_s = time.monotonic()
        try:
            for each in described:
                part.append(each)
                if len(part) == _PART_FILES or time.monotonic() - begun_s >= _PART_S:
                    self._add(part, stamps)
                    part, begun_s = [], time.monotonic()
        finally:
            self._add(part, stamps)

    def _add(self, described: Sequence[Descriptors], stamps: Mapping[str, tuple[int, int]]) -> None:
        """Write one more part; it counts once both of its files are there."""
        if not described:
            return
        numbers = [int(path.stem) for path in self._folder.glob("*.npz") if path.stem.isdecimal()]
        part = self._folder / f"{max(numbers, default=-1) + 1:04d}.npz"
        write_descriptors(part, described, space=described[0].space)
        files = {each.video_id: stamps[each.video_id] for each in described}
        unseen_s = {video_id: self.unseen_s[video_id] for video_id in files}
        stated = {**self._terms, "files": files, "unseen_s": unseen_s}
        text = json.dumps(stated, indent=1, sort_keys=True)
        unfinished = part.with_suffix(".json.part")
        try:
            unfinished.write_text(text + "\n", encoding="utf-8")
            unfinished.replace(part.with_suffix(".json"))
        except OSError as error:
            raise SetupError(f"{unfinished}: cannot be written: {error.strerror}") from error

    def read(self, places: Iterable[_Place]) -> Iterator[Descriptors]:
        """Read videos one at a time; the parts stay mapped."""
        opened: dict[Path, tuple[DescriptorRows, dict[str, tuple[int, int]]]] = {}
        for place in places:
            if place.part not in opened:
                rows = read_descriptor_rows(place.part)
                runs = {str(rows.video_ids[first]): (first, stop) for first, stop in rows.runs}
                opened[place.part] = (rows, runs)
            rows, runs = opened[place.part]
            if place.video_id in runs:
                yield descriptors_from(rows, *runs[place.video_id])


def _read(path: Path) -> dict[str, Any]:
    """Read what a part holds; one that a killed run left damaged counts as not there."""
    try:
        stated: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stated


def _stamp(path: Path) -> tuple[int, int]:
    try:
        stat = path.stat()
    except OSError:
        return (0, 0)
    return stat.st_size, stat.st_mtime_ns
