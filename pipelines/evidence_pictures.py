"""Make what is to be seen of one match: pictures of both sides, and a clip of each.

Whatever cannot be had is said in a sentence; nothing here ends a check.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from pipelines.evidence_footage import Footage, Picture
from vcd.core import Interval, Match, VcdError
from vcd.evidence import (
    EvidenceSettings,
    PairSheets,
    Preview,
    Sheet,
    pair_instants_s,
    strip_instants_s,
    write_sheet,
)

__all__ = ["MatchPictures", "attempted", "match_pictures", "write_strip"]

_MAX_STRIP_PICTURES = 24
_MAX_SENTENCE = 300
_Made = TypeVar("_Made")
_logger = logging.getLogger(__name__)


@dataclass(kw_only=True, eq=False)
class MatchPictures:
    """What there is to see of one match.

    Attributes:
        sheets: pictures of both sides; None where they could not be had.
        query_preview: clip of the query's stretch; None where it could not be had.
        ref_preview: clip of the reference's stretch; None where it could not be had.
        pairs: the pictures of the sheets, the query's with the reference's, in order.
        failed: why something is not there that should be, a sentence each.
        absent: why something cannot be there, a sentence each.
    """

    sheets: PairSheets | None = None
    query_preview: Preview | None = None
    ref_preview: Preview | None = None
    pairs: list[tuple[Picture, Picture]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)


def attempted(missing: list[str], make: Callable[[], _Made]) -> _Made | None:
    """Make something, or note in a sentence why it is not there.

    Also where the fault is ours: pictures are of untrusted videos, and none is worth a report.
    """
    try:
        return make()
    except (VcdError, OSError) as error:
        sentence = str(error)[:_MAX_SENTENCE]
    except Exception as error:
        _logger.exception("what is to be seen of a match could not be made")
        sentence = f"an error of ours: {type(error).__name__}: {error}"[:_MAX_SENTENCE]
    if sentence not in missing:
        missing.append(sentence)
    return None


def write_strip(path: Path, footage: Footage) -> Sheet:
    """Write pictures along a whole video.

    Raises:
        VcdError: there is no picture, or the disk does not take it.
    """
    duration_s = footage.video.duration_s
    taken = footage.pictures(strip_instants_s(duration_s, max_pictures=_MAX_STRIP_PICTURES))
    footage.forget()
    return _sheet(path, taken)


def match_pictures(
    stem: Path,
    match: Match,
    query: Footage | None,
    ref: Footage | None,
    settings: EvidenceSettings,
) -> MatchPictures:
    """Make the pictures and clips of one match.

    Args:
        stem: ``DIR/match_0``: what the names of the files begin with.
        match: with its evidence.
        query: the upload; None where it cannot be looked at again.
        ref: the reference; None where it cannot be looked at.
        settings: how many pictures, how long clips.
    """
    made = MatchPictures()
    instants_s = pair_instants_s(match, max_pairs=settings.max_frame_pairs)
    query_s, ref_s = zip(*instants_s, strict=True)
    share = min(1.0, settings.max_preview_s / match.query.length_s)
    if query is not None:
        clip = _named(stem, "query.webm")
        made.query_preview = _clip(made, clip, query, _start(match.query, share), query_s)
    if ref is not None:
        clip = _named(stem, "ref.webm")
        made.ref_preview = _clip(made, clip, ref, _start(match.ref, share), ref_s)
    if query is not None and ref is not None:
        made.sheets = attempted(
            made.failed, lambda: _pair_sheets(made, stem, (query, query_s), (ref, ref_s))
        )
    for footage in (query, ref):
        if footage is not None:
            footage.forget()
    return made


def _pair_sheets(
    made: MatchPictures,
    stem: Path,
    query: tuple[Footage, Sequence[float]],
    ref: tuple[Footage, Sequence[float]],
) -> PairSheets:
    taken = [footage.pictures(times_s) for footage, times_s in (query, ref)]
    sheets = PairSheets(
        query=_sheet(_named(stem, "query.jpg"), taken[0]),
        ref=_sheet(_named(stem, "ref.jpg"), taken[1]),
    )
    made.pairs = list(zip(*taken, strict=True))
    return sheets


def _clip(
    made: MatchPictures, path: Path, footage: Footage, stretch: Interval, times_s: Sequence[float]
) -> Preview | None:
    if footage.video.duration_s == 0.0:
        made.absent.append(f"{footage.video.id} is an image: it has no clip")
        return None
    return attempted(made.failed, lambda: footage.clip(path, stretch, times_s=times_s))


def _start(stretch: Interval, share: float) -> Interval:
    """The first part of a stretch: of both sides of a match the same, so that clips keep step."""
    return Interval(stretch.start_s, stretch.start_s + share * stretch.length_s)


def _named(stem: Path, what: str) -> Path:
    return stem.with_name(f"{stem.name}_{what}")


def _sheet(path: Path, taken: Sequence[Picture]) -> Sheet:
    return write_sheet(
        path,
        [picture.pixels_HWC for picture in taken],
        times_s=[picture.time_s for picture in taken],
    )
