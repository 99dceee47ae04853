"""Measure descriptors and detectors: edited copies to find, and metrics of what was found."""

from vcd.evaluation.disc_like import DiscLikeSet, make_disc_like, score_by_edit, score_disc_like
from vcd.evaluation.micro_ap import ScoredPairs, accuracy_at_1, micro_ap, recall_at_precision
from vcd.evaluation.synthesis import IMAGE_EDITS, Edit, plan_edit

__all__ = [
    "IMAGE_EDITS",
    "DiscLikeSet",
    "Edit",
    "ScoredPairs",
    "accuracy_at_1",
    "make_disc_like",
    "micro_ap",
    "plan_edit",
    "recall_at_precision",
    "score_by_edit",
    "score_disc_like",
]
