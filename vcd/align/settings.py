"""What an alignment can be told."""

from dataclasses import dataclass, field
from typing import Literal

__all__ = ["AlignSettings", "AlignerName", "PublishedNetworkSettings"]

AlignerName = Literal["temporal_network", "hough", "dynamic_programming", "vcsl_temporal_network"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedNetworkSettings:
    """What VCSL's temporal network is published with, by its own names; VSC2022 differs in two.

    Only the aligner ``vcsl_temporal_network`` looks at them.
    """

    max_step: int = 10
    """A step of a path is shorter than this on both axes, in frames (VSC2022: 5). Larger: longer
    gaps are bridged, and segments start earlier before the copied one."""

    top_k: int = 5
    """Cells of each query frame that are looked at, the most similar ones. Larger: slower."""

    max_path: int = 10
    """Longest paths looked for after the first. Larger: more segments of one pair."""

    min_sim: float = 0.2
    """Least similarity of the cell that a step reaches, and of a path over its mean length.
    Larger: fewer chance paths."""

    min_length: int = 5
    """Both sides of a box are longer than this, last index less first (VSC2022: 4, which is six
    frames). Larger: fewer short segments."""

    max_iou: float = 0.3
    """A box that shares this part or more with one found before is dropped. Larger: more boxes."""

    def __post_init__(self) -> None:
        if self.max_step < 2 or min(self.top_k, self.max_path + 1, self.min_length + 1) < 1:
            raise ValueError(f"max_step must be 2 or more, top_k 1, the others 0: {self}")
        if not (0.0 <= self.min_sim < 1.0 and self.max_iou > 0.0):
            raise ValueError(f"wanted min_sim in [0, 1) and max_iou above 0, got {self}")


@dataclass(frozen=True, slots=True, kw_only=True)
class AlignSettings:
    """How copied stretches are looked for in a pair, bounded, scored and sifted.

    Lengths in frames are steps of the sampling grid; see ``docs/design/align.md``.
    """

    aligner: AlignerName = "temporal_network"
    """Which algorithm turns a similarity matrix into paths; measured side by side on that page."""

    min_similarity: float = 0.35
    """Cells below are no evidence. Belongs to the descriptor space: 3.5 standard deviations of
    what unrelated frames show in SSCD. Larger: fewer false paths, weaker copies are missed."""

    min_score: float = 0.35
    """Matches below are rejected; may be ``-inf``. Larger: fewer and surer matches. Calibrated
    per descriptor space; the default asks for as much as a single frame of similarity 0.70 says."""

    min_length_s: float = 2.0
    """Shortest stretch worth reporting, on the query's and on the reference's clock. Larger:
    fewer chance matches; 3 s excerpts must stay."""

    min_frames: int = 3
    """Fewest matching cells of a path. Larger: fewer chance paths, short copies are missed.
    Three cells are the least that can agree or disagree with a line."""

    min_evidence: float = 0.6
    """Least evidence of a path, in perfectly similar frames. Larger: fewer chance paths. Three
    cells of unrelated footage reach about 0.2, three of a weak copy (0.6) 1.2."""

    max_step_frames: int = 8
    """Longest step of a path along the query: seven frames in a row may fail to match. Larger:
    gaps are bridged, and neighbouring segments on one line are joined."""

    gap_penalty: float = 0.03
    """Evidence lost for each frame that a path steps over. Larger: gaps end a path sooner."""

    skew_penalty: float = 0.01
    """Evidence lost for each cell that a step leaves the diagonal. Larger: paths through still
    shots, where all cells are alike, are straighter; speed changes cost more."""

    min_slope: float = 0.58
    """Slowest copy: reference seconds per query second (VSC2022 ground truth: 0.58 to 1.50)."""

    max_slope: float = 1.75
    """Fastest copy. A wider range finds stronger edits and more chance paths."""

    max_segments: int = 50
    """Most segments of one matrix. Larger: a pair of many shreds is followed further."""

    max_cells: int = 4_000_000
    """Largest tile of a similarity matrix, in cells (16 MB). Larger: more memory, fewer seams."""

    max_tiles: int = 2_000
    """Most tiles computed for one pair; the ones with the best hits come first. Larger: two very
    long videos are compared more fully, and slower (2,000 are 5 h against 5 h at 2 Hz)."""

    max_overlap: float = 0.5
    """A match that shares more than this part of its area with a better one is rejected. Larger:
    more nearly equal matches are told."""

    refine: bool = True
    """Whether bounds are re-estimated below the sampling grid."""

    refine_rate_hz: float = 8.0
    """How densely the query is sampled again around a bound. Larger: finer bounds, more frames
    to describe; a bound is uncertain by half a period (0.06 s)."""

    frame_instant: float = 0.5
    """Where in its grid cell a sampled frame was taken: 0 at the start, 0.5 in the middle. A
    property of the sampling (``vcd/media/sampling.py``: the middle), not a choice."""

    score_scale: float = 1.0
    """Evidence, in independent perfect frames, at which the score is 0.5. Larger: all scores
    fall, and long matches are told apart better; the order stays."""

    max_score_frames: int = 128
    """Most frames of a match that the score looks at, evenly spread. Larger: slower, no other
    effect once every shot has been seen."""

    published_network: PublishedNetworkSettings = field(default_factory=PublishedNetworkSettings)
    """What the aligner ``vcsl_temporal_network`` obeys; the others do not look at it."""

    def __post_init__(self) -> None:
        if not 0.0 < self.min_similarity < 1.0:
            raise ValueError(f"min_similarity must lie between 0 and 1, got {self.min_similarity}")
        if not 0.0 < self.min_slope < self.max_slope:
            raise ValueError(f"wanted a range of slopes, got {self.min_slope} to {self.max_slope}")
        if min(self.min_frames - 1, self.max_step_frames, self.max_segments, self.max_tiles) < 1:
            raise ValueError(f"min_frames must be 2 or more, other counts 1 or more: {self}")
        if self.max_cells < 10_000 or self.max_score_frames < 2 or self.refine_rate_hz <= 0:
            raise ValueError(f"max_cells, max_score_frames or refine_rate_hz is too small: {self}")
