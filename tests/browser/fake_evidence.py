"""Evidence folders made to order, through the records and the codec of the project.

    python -m tests.browser.fake_evidence OUT [--many 5000]

With small drawn pictures and clips; `tests.browser.stories` says what is true of each upload.
"""

import argparse
import hashlib
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from tests.browser.fake_pictures import clip_of, sheet_of
from tests.browser.stories import MIN_SCORE, STORIES, Copied, Story, many_stories
from vcd.core import (
    DescriptorSpace,
    FramePair,
    Hint,
    Interval,
    Match,
    MatchEvidence,
    MatchReport,
    Rejection,
    Skipped,
    TimeLine,
    Video,
)
from vcd.evidence import EvidenceRecord, HeatMap, MatchRecord, PairSheets, RefRecord, Sheet, Terms
from vcd.evidence.record_file import folder_name, write_record

__all__ = ["record_of", "write_evidence"]

_NUM_PICTURES = 12
_CLIP_S = 6.0
_MAP_CELLS = (40, 64)


def write_evidence(folder: Path, stories: Iterable[Story] = STORIES) -> Path:
    """Write a folder for each upload and return the folder of them all."""
    for story in stories:
        upload = folder / folder_name(story.query_id)
        upload.mkdir(parents=True, exist_ok=True)
        write_record(upload, record_of(story, upload))
    return folder


def record_of(story: Story, folder: Path) -> EvidenceRecord:
    """Make the record of an upload, with its pictures and clips in the folder."""
    query = None if story.duration_s is None else _video(story.query_id, story.duration_s)
    ref_ids = sorted({copied.ref_id for copied in story.copied})
    return EvidenceRecord(
        report=_report(story),
        query=query,
        query_strip=None if query is None else _strip(folder, "query-strip.jpg", story, query),
        refs=tuple(
            RefRecord(
                video=_video(ref_id, 150.0),
                descriptor_digest=_digest(ref_id, "descriptors"),
                excluded=(Interval(0.0, 4.0),) if ref_id == "harbour" else (),
                strip=_strip(folder, f"ref-{i}-strip.jpg", story, _video(ref_id, 150.0)),
            )
            for i, ref_id in enumerate(ref_ids)
        ),
        matches=tuple(
            _match_record(copied, folder, f"match-{i}") for i, copied in enumerate(story.copied)
        ),
        terms=_TERMS,
        software="vcd 0.1.0",
    )


_SPACE = DescriptorSpace(name="bundled", dim=256, fingerprint="5b" * 32)
_TERMS = Terms(
    rate_hz=2.0,
    threshold_digest="1d" * 8,
    fit_digest="f1" * 32,
    factory="Flat",
    weights="bundled",
    settings={"align.min_score": MIN_SCORE, "align.aligner": "temporal_network"},
)


def _report(story: Story) -> MatchReport:
    skipped = tuple(
        Skipped(interval=Interval(start_s, end_s), reason=reason)
        for start_s, end_s, reason in story.skipped
    )
    return MatchReport(
        query_id=story.query_id,
        query_sha256=None if story.duration_s is None else _digest(story.query_id),
        matches=tuple(_match(story.query_id, copied) for copied in story.copied),
        rejected=tuple(
            Rejection(query_id=story.query_id, ref_id=ref, score=s, rule=rule, value=v, limit=limit)
            for ref, s, rule, v, limit in story.rejected
        ),
        examined=_rest(story),
        skipped=skipped,
        refused=story.refused,
        decoder=None if story.refused else "decord",
        num_refs=400,
        index_version="5e" * 32,
        space=_SPACE,
        settings_digest="00ffb3a4bcd3f389",
        elapsed_s={"describe": 1.25, "search": 0.25, "align": 0.0625},
    )


def _rest(story: Story) -> tuple[Interval, ...]:
    if story.refused or story.duration_s is None:
        return ()
    bounds = [0.0, *(b for start_s, end_s, _ in story.skipped for b in (start_s, end_s))]
    pairs = zip(bounds[::2], [*bounds[1::2], story.duration_s], strict=True)
    return tuple(Interval(start_s, end_s) for start_s, end_s in pairs if start_s < end_s)


def _match(query_id: str, copied: Copied) -> Match:
    slope = (copied.ref[1] - copied.ref[0]) / (copied.query[1] - copied.query[0])
    line = TimeLine(
        slope=slope, intercept_s=copied.ref[0] - slope * copied.query[0], residual_s=0.1
    )
    seconds = np.arange(copied.query[0], copied.query[1], 1.0)
    pairs = tuple(
        FramePair(
            query_s=float(query_s),
            ref_s=line.ref_at(float(query_s)),
            similarity=None if i == 3 else 0.75 + 0.2 * float(np.sin(query_s)),
        )
        for i, query_s in enumerate(seconds)
    )
    best = [pair for pair in pairs if pair.similarity is not None]
    best.sort(key=lambda pair: -(pair.similarity or 0.0))
    return Match(
        query_id=query_id,
        ref_id=copied.ref_id,
        query=Interval(*copied.query),
        ref=Interval(*copied.ref),
        score=copied.score,
        evidence=MatchEvidence(
            query_view=0,
            ref_view=0,
            line=line,
            strength=0.8,
            num_independent=float(len(pairs)),
            per_second=pairs,
            best=tuple(best[:5]),
            hints=_hints(copied),
        ),
    )


def _match_record(copied: Copied, folder: Path, stem: str) -> MatchRecord:
    query, ref = Interval(*copied.query), Interval(*copied.ref)
    sheets = query_preview = ref_preview = None
    if copied.has_pictures:
        times_s = _with_another(_times(ref), off_s=0.1)
        shown = sheet_of(folder, f"{stem}-query.jpg", times_s, mirrored=_mirrored(copied))
        sheets = PairSheets(
            query=replace(shown, times_s=_with_another(_times(query), off_s=0.0)),
            ref=sheet_of(folder, f"{stem}-ref.jpg", times_s, mirrored=False),
        )
    if copied.has_clips:
        slope = ref.length_s / query.length_s
        query_preview = clip_of(folder, f"{stem}-query.webm", _first(query, _CLIP_S))
        ref_preview = clip_of(folder, f"{stem}-ref.webm", _first(ref, _CLIP_S * slope))
    return MatchRecord(
        hints=_hints(copied),
        map=_map(query, ref),
        sheets=sheets,
        query_preview=query_preview,
        ref_preview=ref_preview,
        missing=()
        if copied.has_pictures
        else (f"{copied.ref_id}: its file is not at the place where it was indexed: no pictures",),
    )


def _map(query: Interval, ref: Interval) -> HeatMap:
    """Draw the line of the match into noise, with a tenth of its length around it."""
    num_rows, num_columns = _MAP_CELLS
    row, column = np.mgrid[0:num_rows, 0:num_columns]
    off_line = np.abs((column + 0.5) / num_columns - (row + 0.5) / num_rows)
    inside = np.abs((row + 0.5) / num_rows - 0.5) < 0.42
    noise = np.random.default_rng(6).uniform(20.0, 70.0, size=(num_rows, num_columns))
    cells = np.where((off_line < 0.03) & inside, 225.0, noise)
    return HeatMap(query=_wider(query), ref=_wider(ref), similarity_QR=cells.astype(np.uint8))


def _wider(interval: Interval) -> Interval:
    margin_s = 0.1 * interval.length_s
    return Interval(max(0.0, interval.start_s - margin_s), interval.end_s + margin_s)


def _first(interval: Interval, length_s: float) -> Interval:
    return Interval(interval.start_s, min(interval.end_s, interval.start_s + length_s))


def _strip(folder: Path, name: str, story: Story, video: Video) -> Sheet | None:
    if not story.has_strip or video.duration_s < 1.0:
        return None
    return sheet_of(folder, name, _times(Interval(0.0, video.duration_s)), mirrored=False)


def _times(interval: Interval) -> tuple[float, ...]:
    """Spread the times of pictures evenly, each in the middle of its part."""
    step_s = interval.length_s / _NUM_PICTURES
    return tuple(interval.start_s + (i + 0.5) * step_s for i in range(_NUM_PICTURES))


def _with_another(times_s: tuple[float, ...], *, off_s: float) -> tuple[float, ...]:
    """Put a most similar pair beside one on the line: one picture of a side is then there twice."""
    return (*times_s[:3], times_s[2] + off_s, *times_s[3:])


def _mirrored(copied: Copied) -> bool:
    return any(kind == "mirrored" for kind, _ in copied.hints)


def _hints(copied: Copied) -> tuple[Hint, ...]:
    return tuple(Hint(kind=kind, value=value) for kind, value in copied.hints)


def _video(video_id: str, duration_s: float) -> Video:
    return Video(
        id=video_id,
        uri=f"videos/{video_id}.mp4",
        sha256=_digest(video_id),
        duration_s=duration_s,
        width_px=640,
        height_px=360,
    )


def _digest(*words: str) -> str:
    return hashlib.sha256(" ".join(words).encode("utf-8", "surrogatepass")).hexdigest()


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--many", type=int, metavar="N", help="N light uploads instead")
    arguments = parser.parse_args(argv)
    write_evidence(arguments.out, many_stories(arguments.many) if arguments.many else STORIES)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
