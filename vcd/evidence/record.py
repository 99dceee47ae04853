"""The evidence of one upload: its report, and what a reviewer needs to see why.

    EVIDENCE/<name of the upload>/evidence.json     this record
    EVIDENCE/<name of the upload>/*.jpg, *.webm     the pictures and clips that it names

The file is canonical JSON and carries a digest of itself; pictures and clips are named with
theirs. What the similarity of a pair was made from is named too (weights, settings, descriptors
of the references), so that `vcd.evidence.verify` can make it again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from vcd.core import Hint, Interval, MatchReport, Video
from vcd.core.records import read_only

__all__ = [
    "EvidenceRecord",
    "HeatMap",
    "MatchRecord",
    "PairSheets",
    "Preview",
    "RefRecord",
    "Sheet",
    "Terms",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """Pictures of one video at some times, side by side in one JPEG file, row by row.

    Attributes:
        file: its name, beside the record.
        sha256: of its bytes.
        num_columns: pictures in a row.
        width_px: of one picture.
        height_px: of one picture.
        times_s: when each was taken on the video's own clock, in the order of the file.
    """

    file: str
    sha256: str
    num_columns: int
    width_px: int
    height_px: int
    times_s: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """A stretch of a video as a small clip that plays in any browser (VP9 in WebM, no sound).

    Attributes:
        file: its name, beside the record.
        sha256: of its bytes.
        interval: the stretch that it shows, on the video's own clock; shorter than the match
            where that is long.
        width_px: of the picture.
        height_px: of the picture.
    """

    file: str
    sha256: str
    interval: Interval
    width_px: int
    height_px: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PairSheets:
    """Pictures of both sides of a match: picture i of one belongs beside picture i of the other.

    Attributes:
        query: pictures of the query.
        ref: pictures of the reference, at the times that lie on the line.
    """

    query: Sheet
    ref: Sheet

    def __post_init__(self) -> None:
        if len(self.query.times_s) != len(self.ref.times_s):
            raise ValueError(f"{self.query.file}, {self.ref.file}: not as many pictures in both")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HeatMap:
    """How similar the surroundings of a match are, frame by frame, in few cells.

    Attributes:
        query: the stretch that the rows cover, evenly.
        ref: the stretch that the columns cover, evenly.
        similarity_QR: ``(Q, R)`` uint8: 0 is a similarity of 0 or less, 255 is 1; the largest
            similarity of the frames that fall into a cell.
    """

    query: Interval
    ref: Interval
    similarity_QR: NDArray[np.uint8]

    def __post_init__(self) -> None:
        if self.similarity_QR.dtype != np.uint8 or self.similarity_QR.ndim != 2:
            raise ValueError(f"a heat map is (Q, R) uint8, got {self.similarity_QR.dtype}")
        object.__setattr__(self, "similarity_QR", read_only(self.similarity_QR))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MatchRecord:
    """What there is to see of one match, beside what the report says of it.

    Attributes:
        hints: what seems to have been done to the copy, by times and by pixels.
        map: similarity around the match.
        sheets: pictures of both sides; None where they could not be had.
        query_preview: clip of the query's stretch; None where it could not be had.
        ref_preview: clip of the reference's stretch; None where it could not be had.
        missing: why pictures or clips are not there, a sentence each.
    """

    hints: tuple[Hint, ...]
    map: HeatMap
    sheets: PairSheets | None = None
    query_preview: Preview | None = None
    ref_preview: Preview | None = None
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RefRecord:
    """A reference that a match names.

    Attributes:
        video: the file it was described from.
        descriptor_digest: of its descriptors as stored in the index.
        excluded: stretches that are never searched.
        strip: pictures along the whole of it; None where they could not be had.
    """

    video: Video
    descriptor_digest: str
    excluded: tuple[Interval, ...] = ()
    strip: Sheet | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Under which terms scores were made: what a threshold may be measured from.

    Attributes:
        rate_hz: sampled frames a second.
        threshold_digest: of every setting that can change a match but ``align.min_score``.
        fit_digest: of the fit that was applied; None where there was none.
        factory: FAISS factory string of the index.
        weights: name or path of the weights; their digest is in the fingerprint of the space.
        settings: every setting that can change a match, by dotted key.
    """

    rate_hz: float
    threshold_digest: str
    fit_digest: str | None
    factory: str
    weights: str
    settings: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "settings", MappingProxyType(dict(self.settings)))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EvidenceRecord:
    """The evidence of one upload.

    Attributes:
        report: what was said of it; each match carries its `MatchEvidence`.
        query: the upload; None when it was refused before anything was known of it.
        refs: the references that matches name, sorted by id.
        matches: in the order of the report's matches.
        terms: under which the scores were made.
        software: name and version of the program that wrote it.
        query_strip: pictures along the whole upload; None where they could not be had.
        digest: of the file that it was read from, as decisions name it; None before that.
    """

    report: MatchReport
    query: Video | None
    refs: tuple[RefRecord, ...]
    matches: tuple[MatchRecord, ...]
    terms: Terms
    software: str
    query_strip: Sheet | None = None
    digest: str | None = None

    def __post_init__(self) -> None:
        if len(self.matches) != len(self.report.matches):
            raise ValueError(
                f"{self.report.query_id}: {len(self.report.matches)} matches, "
                f"records of {len(self.matches)}"
            )
        named = {match.ref_id for match in self.report.matches}
        known = [ref.video.id for ref in self.refs]
        if sorted(named) != known:
            raise ValueError(f"{self.report.query_id}: matches name {sorted(named)}, not {known}")
        if any(match.evidence is None for match in self.report.matches):
            raise ValueError(f"{self.report.query_id}: a match without its evidence")
