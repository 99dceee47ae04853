"""Describe what may go live, hold it against everything at hand, and let it in when told to."""

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pipelines import console
from pipelines.detection import requests_for, unseen_seconds
from pipelines.items import Item
from pipelines.matching import Matcher
from pipelines.preflight_comparing import Candidate, Other, compare
from pipelines.preflight_findings import Finding
from pipelines.preflight_rules import Rules
from vcd.core import Descriptors, Examination, Interval, merge_intervals
from vcd.descriptors import WHOLE_CUT
from vcd.search import IndexInfo, IndexWriter
from vcd.search.references import MappedReferences

__all__ = ["Preflight"]


@dataclass(kw_only=True)
class Preflight:
    """One pre-flight.

    Attributes:
        index: where the references are, or will be.
        info: what it holds; None where there is none yet.
        looked: what was described, in the order of the items.
        findings: one of each.
        accepted: ids of those that went live.
        outcome: counts for the closing line.
    """

    index: Path
    info: IndexInfo | None
    looked: list[tuple[Examination, Descriptors]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    accepted: list[str] = field(default_factory=list)
    outcome: console.Outcome = field(default_factory=console.Outcome)

    def describe(self, matcher: Matcher, items: Sequence[Item]) -> None:
        """Describe the videos as references are: in whole frames, each under its reference's id."""
        digests = {video.id: video.sha256 for video in (self.info.refs if self.info else ())}
        names: dict[str, str] = {}

        def is_wanted(item: Item, sha256: str) -> bool:
            is_moved = digests.get(item.path.stem) == sha256 != digests.get(item.id)
            names[item.id] = item.path.stem if is_moved else item.id
            if item.note is not None and not is_moved:
                console.say(item.note)
            return True

        def on_refused(examination: Examination) -> None:
            self.outcome.refuse(examination.video_id, examination.refused or "")

        detector = replace(matcher.detector, views=WHOLE_CUT)
        rate_hz = matcher.settings.media.rate_hz
        requests = requests_for(
            items, detector, rate_hz=rate_hz, is_wanted=is_wanted, on_refused=on_refused
        )
        with console.progress("describing", total=len(items)) as progress:
            for examination, descriptors in detector.describe(requests):
                if examination.refused is not None:
                    on_refused(examination)
                else:
                    self.looked.append(_named(examination, descriptors, names))
                    self.outcome.miss(examination.video_id, unseen_seconds(examination))
                progress.advance(examination.video_id)
        self.looked.sort(key=lambda each: each[1].video_id)

    def compare(self, matcher: Matcher, others: list[Other]) -> None:
        """Hold each video against the others, the references, and those beside it."""
        others = [*others, *self._references(), *self._beside()]
        detector = matcher.detector
        preflight = matcher.settings.preflight
        rules = Rules(
            search=detector.search, align=detector.align, fit=detector.fit, preflight=preflight
        )
        candidates = [
            Candidate(descriptors=descriptors, excluded=self._excluded(examination))
            for examination, descriptors in self.looked
        ]
        with console.progress("comparing", total=len(others)) as progress:
            compared = compare(candidates, others, rules, advance=progress.advance)
        for (examination, _), comparison in zip(self.looked, compared, strict=True):
            if examination.video is not None:
                finding = Finding(
                    video=examination.video,
                    comparison=comparison,
                    settings=preflight,
                    skipped=examination.skipped,
                    known=self._known(examination),
                )
                self.findings.append(finding)
                self.outcome.num_done += 1

    def accept(self, matcher: Matcher, *, wants_all: bool) -> None:
        """Publish the videos with their stretches excluded, all at once; doubtful ones when told.

        Raises:
            SetupError: the index follows a log, is being written, or the disk says no.
        """
        wanted = []
        for (_, descriptors), finding in zip(self.looked, self.findings, strict=True):
            if finding.doubts and not wants_all:
                reason = "; ".join(finding.doubts)
                self.outcome.refuse(finding.video.id, f"{reason}: --anyway accepts it")
            else:
                wanted.append((finding, descriptors))
        if not wanted:
            return
        settings = matcher.settings
        with IndexWriter.open(
            self.index,
            space=matcher.detector.describer.space,
            rate_hz=settings.media.rate_hz,
            weights=settings.describe.weights,
            factory=self.info.factory if self.info else "Flat",
        ) as writer:
            for finding, descriptors in wanted:
                _accept_one(writer, finding, descriptors)
                self.accepted.append(finding.video.id)

    def _references(self) -> list[Other]:
        if self.info is None:
            return []
        stored = MappedReferences.open(self.index)
        return [
            Other(
                id=ref_id,
                origin="index",
                load=functools.partial(stored.stored_descriptors, ref_id),
            )
            for ref_id in stored.ref_ids
        ]

    def _beside(self) -> Iterator[Other]:
        for _, descriptors in self.looked:
            load = functools.partial(_same, descriptors)
            yield Other(id=descriptors.video_id, origin="beside", load=load)

    def _known(self, examination: Examination) -> str:
        ref = self.info.by_id.get(examination.video_id) if self.info else None
        if ref is None or examination.video is None:
            return "new"
        return "in_index" if ref.video.sha256 == examination.video.sha256 else "replaces"

    def _excluded(self, examination: Examination) -> tuple[Interval, ...]:
        if self.info is None or self._known(examination) != "in_index":
            return ()
        return self.info.by_id[examination.video_id].excluded


def _same(descriptors: Descriptors) -> Descriptors:
    return descriptors


def _named(
    examination: Examination, descriptors: Descriptors, names: dict[str, str]
) -> tuple[Examination, Descriptors]:
    """Call a file that was moved what the index calls it."""
    name = names[examination.video_id]
    video = examination.video and replace(examination.video, id=name)
    return (
        replace(examination, video_id=name, video=video),
        replace(descriptors, video_id=name),
    )


def _accept_one(writer: IndexWriter, finding: Finding, descriptors: Descriptors) -> None:
    """Add the reference, or set its exclusions beside those that it has by now."""
    video = finding.video
    proposed = [proposal.interval for proposal in finding.comparison.proposals]
    ref = writer.info.by_id.get(video.id)
    if ref is None or ref.video.sha256 != video.sha256:
        excluded = merge_intervals(proposed)
        writer.add(video, descriptors, skipped=finding.skipped, excluded=excluded)
    elif proposed:
        writer.exclude(video.id, merge_intervals([*ref.excluded, *proposed]))
