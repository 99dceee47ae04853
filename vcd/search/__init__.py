"""Search reference descriptors and decide which pairs are worth aligning."""

from vcd.search.budget import FramePairs, best_frame_pairs, nearest_rows
from vcd.search.calibration import (
    IndexCalibration,
    change_calibration,
    clear_calibration,
    fit_path,
    read_calibration,
)
from vcd.search.candidates import PairSelection, best_pairs
from vcd.search.commonness import (
    Proposal,
    best_scores,
    common_stretches,
    held_frames,
    informative_frames,
    informative_share,
    pair_hits,
    silent_stretches,
    still_stretches,
)
from vcd.search.directory import IndexWriter
from vcd.search.exact import ExactIndex
from vcd.search.exclusion import silenced
from vcd.search.index import FaissIndex, check_factory, open_index
from vcd.search.info import IndexInfo, RefInfo, is_index, read_info
from vcd.search.manifest import descriptor_digest, index_version
from vcd.search.row_derivation import RowDerivation
from vcd.search.row_index import RowIndex
from vcd.search.row_scores import RowSimilarity
from vcd.search.settings import PreflightSettings, SearchSettings
from vcd.search.stored import open_stored, read_exact_manifest

__all__ = [
    "ExactIndex",
    "FaissIndex",
    "FramePairs",
    "IndexCalibration",
    "IndexInfo",
    "IndexWriter",
    "PairSelection",
    "PreflightSettings",
    "Proposal",
    "RefInfo",
    "RowDerivation",
    "RowIndex",
    "RowSimilarity",
    "SearchSettings",
    "best_frame_pairs",
    "best_pairs",
    "best_scores",
    "change_calibration",
    "check_factory",
    "clear_calibration",
    "common_stretches",
    "descriptor_digest",
    "fit_path",
    "held_frames",
    "index_version",
    "informative_frames",
    "informative_share",
    "is_index",
    "nearest_rows",
    "open_index",
    "open_stored",
    "pair_hits",
    "read_calibration",
    "read_exact_manifest",
    "read_info",
    "silenced",
    "silent_stretches",
    "still_stretches",
]
