"""Search reference descriptors and decide which pairs are worth aligning."""

from vcd.search.budget import within_budget
from vcd.search.candidates import PairSelection, best_pairs
from vcd.search.directory import IndexWriter
from vcd.search.exact import ExactIndex
from vcd.search.index import FaissIndex, check_factory, open_index
from vcd.search.info import IndexInfo, RefInfo, is_index, read_info
from vcd.search.manifest import descriptor_digest, index_version
from vcd.search.settings import SearchSettings

__all__ = [
    "ExactIndex",
    "FaissIndex",
    "IndexInfo",
    "IndexWriter",
    "PairSelection",
    "RefInfo",
    "SearchSettings",
    "best_pairs",
    "check_factory",
    "descriptor_digest",
    "index_version",
    "is_index",
    "open_index",
    "read_info",
    "within_budget",
]
