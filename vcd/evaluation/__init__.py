"""Measure descriptors and detectors: edited copies to find, and metrics of what was found."""

from vcd.evaluation.bootstrap import confidence_interval, ratio_of
from vcd.evaluation.files.splits import IdsOf, check_same_split
from vcd.evaluation.files.truth_files import read_pairs, read_vcsl_boxes
from vcd.evaluation.files.vsc_files import (
    read_candidates,
    read_ground_truth,
    read_segments,
    write_candidates,
    write_matches,
)
from vcd.evaluation.micro_ap import (
    ScoredPairs,
    accuracy_at_1,
    found_within_rank,
    isc_micro_ap,
    micro_ap,
    micro_curve,
    recall_at_precision,
)
from vcd.evaluation.resampled_pairs import (
    resampled_isc_micro_ap,
    resampled_micro_ap,
    resampled_recall_at_precision,
)
from vcd.evaluation.segment_ap import SegmentCurve, segment_ap, segment_curve
from vcd.evaluation.synthesis.disc_like import (
    DiscLikeSet,
    make_disc_like,
    score_by_edit,
    score_disc_like,
)
from vcd.evaluation.synthesis.edits import IMAGE_EDITS, Edit, plan_edit
from vcd.evaluation.tables import Candidates, Segments
from vcd.evaluation.trapezoid_ap import (
    query_trapezoid_aps,
    resampled_trapezoid_micro_ap,
    trapezoid_mean_ap,
    trapezoid_micro_ap,
)
from vcd.evaluation.vcsl import VcslScores, VcslSummary, vcsl_scores

__all__ = [
    "IMAGE_EDITS",
    "Candidates",
    "DiscLikeSet",
    "Edit",
    "IdsOf",
    "ScoredPairs",
    "SegmentCurve",
    "Segments",
    "VcslScores",
    "VcslSummary",
    "accuracy_at_1",
    "check_same_split",
    "confidence_interval",
    "found_within_rank",
    "isc_micro_ap",
    "make_disc_like",
    "micro_ap",
    "micro_curve",
    "plan_edit",
    "query_trapezoid_aps",
    "ratio_of",
    "read_candidates",
    "read_ground_truth",
    "read_pairs",
    "read_segments",
    "read_vcsl_boxes",
    "recall_at_precision",
    "resampled_isc_micro_ap",
    "resampled_micro_ap",
    "resampled_recall_at_precision",
    "resampled_trapezoid_micro_ap",
    "score_by_edit",
    "score_disc_like",
    "segment_ap",
    "segment_curve",
    "trapezoid_mean_ap",
    "trapezoid_micro_ap",
    "vcsl_scores",
    "write_candidates",
    "write_matches",
]
