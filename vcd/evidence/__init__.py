"""Show why: the evidence of an upload as data, as a page, and made again to be sure."""

from vcd.evidence.decision_file import decode_decisions, encode_decisions
from vcd.evidence.decisions import Decision, Decisions, DecisionTerms, last_of_each
from vcd.evidence.explain import explain_match
from vcd.evidence.heat_map import heat_map
from vcd.evidence.instants import pair_instants_s, strip_instants_s
from vcd.evidence.judged import JUDGED_NAME, Kept, keep_decisions, read_judged
from vcd.evidence.previews import write_preview
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
from vcd.evidence.record_file import (
    EVIDENCE_CHANGED,
    NOT_EVIDENCE,
    RECORD_NAME,
    decode_record,
    encode_record,
    files_of,
    folder_name,
    read_record,
    write_record,
)
from vcd.evidence.settings import EvidenceSettings
from vcd.evidence.sheets import picture_size, resized, write_sheet
from vcd.evidence.transform import merged_hints, transform_hints
from vcd.evidence.verify import Rebuilt, differences, term_differences

__all__ = [
    "EVIDENCE_CHANGED",
    "JUDGED_NAME",
    "NOT_EVIDENCE",
    "RECORD_NAME",
    "Decision",
    "DecisionTerms",
    "Decisions",
    "EvidenceRecord",
    "EvidenceSettings",
    "HeatMap",
    "Kept",
    "MatchRecord",
    "PairSheets",
    "Preview",
    "Rebuilt",
    "RefRecord",
    "Sheet",
    "Terms",
    "decode_decisions",
    "decode_record",
    "differences",
    "encode_decisions",
    "encode_record",
    "explain_match",
    "files_of",
    "folder_name",
    "heat_map",
    "keep_decisions",
    "last_of_each",
    "merged_hints",
    "pair_instants_s",
    "picture_size",
    "read_judged",
    "read_record",
    "resized",
    "strip_instants_s",
    "term_differences",
    "transform_hints",
    "write_preview",
    "write_record",
    "write_sheet",
]
