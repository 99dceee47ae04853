"""Records, time, errors and seams: numpy and the standard library only."""

from vcd.core.calibration import (
    Calibration,
    calibration_from_document,
    calibration_to_document,
    decode_calibration,
    encode_calibration,
)
from vcd.core.codec import (
    MATCH_COLUMNS,
    REPORT_SCHEMA_VERSION,
    decode_matches,
    decode_report,
    encode_matches,
    encode_report,
    report_from_document,
    report_to_document,
)
from vcd.core.errors import InputError, SetupError, TransientError, VcdError
from vcd.core.evidence import FramePair, Hint, MatchEvidence, TimeLine
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
    "MATCH_COLUMNS",
    "REPORT_SCHEMA_VERSION",
    "Aligner",
    "Box",
    "Calibration",
    "Denser",
    "DescriptorSpace",
    "Descriptors",
    "Examination",
    "FrameBatch",
    "FrameHits",
    "FramePair",
    "Hint",
    "Index",
    "InputError",
    "Interval",
    "Match",
    "MatchEvidence",
    "MatchReport",
    "PairCandidate",
    "PairTally",
    "Rejection",
    "ScoredBox",
    "SetupError",
    "Skipped",
    "TimeLine",
    "Timeline",
    "TransientError",
    "VcdError",
    "Video",
    "blocked_similarity",
    "calibration_from_document",
    "calibration_to_document",
    "decode_calibration",
    "decode_matches",
    "decode_report",
    "encode_calibration",
    "encode_matches",
    "encode_report",
    "max_similarity",
    "merge_intervals",
    "report_from_document",
    "report_to_document",
    "total_length_s",
]
