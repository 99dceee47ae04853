"""Records, time, errors and seams: numpy and the standard library only."""

from vcd.core.errors import InputError, SetupError, TransientError, VcdError
from vcd.core.findings import (
    FrameHits,
    Match,
    MatchReport,
    PairCandidate,
    PairTally,
    Rejection,
)
from vcd.core.protocols import Aligner, Box, Denser, Index, ScoredBox
from vcd.core.records import (
    Descriptors,
    DescriptorSpace,
    Examination,
    FrameBatch,
    Skipped,
    Video,
)
from vcd.core.similarity import blocked_similarity, max_similarity
from vcd.core.timeline import Interval, Timeline, merge_intervals, total_length_s

__all__ = [
    "Aligner",
    "Box",
    "Denser",
    "DescriptorSpace",
    "Descriptors",
    "Examination",
    "FrameBatch",
    "FrameHits",
    "Index",
    "InputError",
    "Interval",
    "Match",
    "MatchReport",
    "PairCandidate",
    "PairTally",
    "Rejection",
    "ScoredBox",
    "SetupError",
    "Skipped",
    "Timeline",
    "TransientError",
    "VcdError",
    "Video",
    "blocked_similarity",
    "max_similarity",
    "merge_intervals",
    "total_length_s",
]
