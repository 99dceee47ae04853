"""Say what a pre-flight found of a reference, as JSON and as a table, and what is doubtful."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipelines.console import counted
from pipelines.preflight_comparing import Comparison, Sighting
from vcd.core import Interval, Skipped, Video, merge_intervals
from vcd.search import PreflightSettings, Proposal, informative_frames

__all__ = ["Finding", "Second", "finding_document", "finding_lines", "plain", "seconds_of"]

_NOUNS = {"background": "background video", "index": "reference", "beside": "video"}
_AROUND = {"background": ("", ""), "index": ("reference ", ""), "beside": ("", " beside it")}
_MAX_NAMES = 3
_ABOUT = {
    "uninformative": "black or flat: carries no evidence anyway",
    "still": "nothing moves: all its frames are one observation",
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Finding:
    """All that is said of one reference before it goes live.

    Attributes:
        video: the file, under the id that it has or will have in the index.
        comparison: what other videos have of it.
        settings: what was proposed by.
        skipped: stretches that could not be looked at, with reasons.
        known: ``new``, ``in_index``, or ``replaces``: the index has another file of this id.
    """

    video: Video
    comparison: Comparison
    settings: PreflightSettings
    skipped: tuple[Skipped, ...]
    known: str

    @property
    def doubts(self) -> tuple[str, ...]:
        """Why a person should say yes once more before this is accepted."""
        doubts = []
        comparison = self.comparison
        share, most = comparison.excluded_share, self.settings.max_excluded_share
        if share > most and share > comparison.excluded_share_before:
            doubts.append(
                f"{share:.0%} of what could match would be excluded, and more than {most:.0%} "
                "is no longer a reference with an intro"
            )
        copies = [each for each in self._duplicates if each.origin == "background"]
        if len(copies) >= self.settings.min_videos:
            doubts.append(
                f"{counted(len(copies), 'background video')} hold all of it: it is common "
                "footage, or the background has copies in it"
            )
        return tuple(doubts)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What else a person should know."""
        remarks = [
            f"{each.share:.0%} of it is in {_named(each)}: a duplicate, which makes nothing common"
            for each in self._duplicates
        ]
        if not informative_frames(self.comparison.candidate.descriptors).any():
            remarks.append("nothing in it carries evidence: as a reference it matches nothing")
        if not self.comparison.num_others:
            remarks.append("no other video to hold it against: how common it is was not measured")
        if self.known == "replaces":
            remarks.append("the index has another file of this id, which it replaces")
        unseen_s = sum(skip.interval.length_s for skip in self.skipped)
        if unseen_s > 0:
            remarks.append(f"{unseen_s:.1f} s of it could not be looked at")
        return tuple(remarks)

    @property
    def _duplicates(self) -> list[Sighting]:
        return [each for each in self.comparison.sightings if each.is_duplicate]


@dataclass(frozen=True, slots=True, kw_only=True)
class Second:
    """How common one second of a reference is.

    Attributes:
        interval: the second; the last one may be shorter.
        num_similar: other videos that hold a frame as similar as a hit.
        num_matching: other videos that match there, duplicates left out.
        best_score: with any frame of another video; None where there is none.
    """

    interval: Interval
    num_similar: int
    num_matching: int
    best_score: float | None


def seconds_of(comparison: Comparison) -> tuple[Second, ...]:
    """Take the most common frame of each second; a second without a frame is left out."""
    timeline = comparison.candidate.descriptors.timeline
    middle_s = (timeline.start_s + timeline.end_s) / 2
    second = np.floor(middle_s).astype(np.int64)
    found = []
    for number in np.unique(second).tolist():
        here = np.flatnonzero(second == number)
        best = float(comparison.best[here].max())
        end_s = min(number + 1.0, max(float(timeline.end_s[-1]), number + 0.01))
        found.append(
            Second(
                interval=Interval(float(number), end_s),
                num_similar=int(comparison.num_similar[here].max()),
                num_matching=int(comparison.num_matching[here].max()),
                best_score=best if np.isfinite(best) else None,
            )
        )
    return tuple(found)


def finding_document(finding: Finding) -> dict[str, Any]:
    """Write it for a program."""
    comparison, video = finding.comparison, finding.video
    return {
        "id": video.id,
        "uri": video.uri,
        "sha256": video.sha256,
        "duration_s": video.duration_s,
        "known": finding.known,
        "min_videos": finding.settings.min_videos,
        "seconds": [
            {
                **_bounds(second.interval),
                "num_similar": second.num_similar,
                "num_matching": second.num_matching,
                "best_score": second.best_score and round(second.best_score, 4),
            }
            for second in seconds_of(comparison)
        ],
        "proposed": [_proposal_document(comparison, each) for each in comparison.proposals],
        "excluded_before": [_bounds(each) for each in comparison.candidate.excluded],
        "excluded": [_bounds(each) for each in comparison.excluded],
        "excluded_share": round(comparison.excluded_share, 4),
        "matching": [_sighting_document(each) for each in comparison.sightings],
        "predicted": {
            origin: {
                "num_videos": number,
                "num_matching": comparison.num_seen(origin),
                "num_matching_after": comparison.num_seen(origin, is_left=True),
            }
            for origin, number in sorted(comparison.num_others.items())
        },
        "skipped": [{**_bounds(skip.interval), "reason": skip.reason} for skip in finding.skipped],
        "doubts": list(finding.doubts),
        "remarks": list(finding.remarks),
    }


def finding_lines(finding: Finding) -> list[str]:
    """Write it for a person at a terminal."""
    comparison = finding.comparison
    state = {"new": "not in the index", "in_index": "in the index", "replaces": "changed"}
    head = f"{plain(finding.video.id)}  {finding.video.duration_s:.1f} s, {state[finding.known]}"
    lines = [head]
    for number, proposal in enumerate(comparison.proposals, start=1):
        bounds = f"{proposal.interval.start_s:7.1f} - {proposal.interval.end_s:7.1f} s"
        why = _why(comparison, proposal)
        lines.append(f"  {number:>2} {bounds}  {proposal.reason:<13}  {why}")
    if not comparison.proposals:
        lines.append("   nothing to exclude")
    if comparison.candidate.excluded:
        spans = ", ".join(
            f"{each.start_s:.1f}-{each.end_s:.1f} s"
            for each in merge_intervals(comparison.candidate.excluded)
        )
        lines.append(f"   excluded already: {spans}")
    if comparison.num_others:
        lines.append(f"   {_prediction(comparison)}")
    lines += [f"   {remark}" for remark in finding.remarks]
    lines += [f"   DOUBTFUL: {doubt}" for doubt in finding.doubts]
    return lines


def plain(text: str) -> str:
    """Give a name as one line of printable characters, whatever it is made of."""
    return "".join(character if character.isprintable() else "?" for character in text)


def _prediction(comparison: Comparison) -> str:
    before = _counts(comparison, {o: comparison.num_seen(o) for o in comparison.num_others})
    after = {o: comparison.num_seen(o, is_left=True) for o in comparison.num_others}
    if not comparison.proposals:
        return f"as it is, {before} would match"
    return f"as it is, {before} would match; with these excluded, {_counts(comparison, after)}"


def _counts(comparison: Comparison, seen: Mapping[str, int]) -> str:
    """``18 of 20 background videos and 1 of 3 references``."""
    return " and ".join(
        f"{seen[origin]} of {counted(number, _NOUNS[origin])}"
        if origin != "beside"
        else f"{seen[origin]} of {number} beside it"
        for origin, number in sorted(comparison.num_others.items())
    )


def _why(comparison: Comparison, proposal: Proposal) -> str:
    if proposal.reason in _ABOUT:
        return _ABOUT[proposal.reason]
    seen = _seen_in(comparison, proposal.interval)
    counts = {
        origin: sum(each.origin == origin for each, _ in seen) for origin in comparison.num_others
    }
    named = [f"{_named(each)} at {query.start_s:.1f} s" for each, query in seen[:_MAX_NAMES]]
    names = ", ".join(named) + (", ..." if len(seen) > _MAX_NAMES else "")
    return f"in {_counts(comparison, counts)}: {names}"


def _named(sighting: Sighting) -> str:
    """``b017``, ``reference harbour``, ``pier beside it``."""
    before, after = _AROUND[sighting.origin]
    return f"{before}{plain(sighting.id)}{after}"


def _seen_in(comparison: Comparison, stretch: Interval) -> list[tuple[Sighting, Interval]]:
    """List the videos that share a stretch, each with where in it: its longest match there."""
    seen = []
    for each in comparison.sightings:
        here = [match for match in each.matches if match.ref.overlap_s(stretch) > 0]
        if here and not each.is_duplicate:
            seen.append((each, max(here, key=lambda match: match.ref.overlap_s(stretch)).query))
    return seen


def _proposal_document(comparison: Comparison, proposal: Proposal) -> dict[str, Any]:
    seen = _seen_in(comparison, proposal.interval) if proposal.reason == "common" else []
    videos = [{"id": each.id, "origin": each.origin, **_bounds(query)} for each, query in seen]
    return {
        **_bounds(proposal.interval),
        "reason": proposal.reason,
        "num_videos": len(videos),
        "videos": videos,
    }


def _sighting_document(sighting: Sighting) -> dict[str, Any]:
    matches: Sequence[dict[str, Any]] = [
        {"query": _bounds(match.query), "ref": _bounds(match.ref), "score": round(match.score, 4)}
        for match in sighting.matches
    ]
    return {
        "id": sighting.id,
        "origin": sighting.origin,
        "share": round(sighting.share, 4),
        "is_duplicate": sighting.is_duplicate,
        "matches_after": sighting.is_left,
        "matches": matches,
    }


def _bounds(interval: Interval) -> dict[str, float]:
    return {"start_s": round(interval.start_s, 3), "end_s": round(interval.end_s, 3)}
