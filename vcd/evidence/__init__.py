"""Show why: the evidence of an upload as data, as a page, and made again to be sure."""

from vcd.evidence.record import (
    EvidenceRecord,
    HeatMap,
    MatchRecord,
    PairSheets,
    Preview,
    RefRecord,
    Sheet,
    Terms,
)
from vcd.evidence.settings import EvidenceSettings

__all__ = [
    "EvidenceRecord",
    "EvidenceSettings",
    "HeatMap",
    "MatchRecord",
    "PairSheets",
    "Preview",
    "RefRecord",
    "Sheet",
    "Terms",
]
