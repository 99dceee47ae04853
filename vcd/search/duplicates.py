"""Find the near-duplicates among many descriptors.

    rows -> links (pairs of rows at least so similar) -> clusters (vcd/search/link_forest.py)

Links come in parts of bounded size. Rows may be memory-mapped. What a row stands for, the caller
knows. N rows, D dimensions. ``docs/design/dedup.md`` has the reasons and numbers.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from vcd.search.inverted_lists import InvertedLists
from vcd.search.link_forest import Links
from vcd.search.scores import rounding_margin

__all__ = [
    "MAX_EXACT_ROWS",
    "LinkSearch",
    "all_links",
    "exact_links",
    "least_similarity",
    "probed_links",
]

MAX_EXACT_ROWS = 50_000
"""With more rows links are looked for in inverted lists: a minute of one core at 256 dimensions."""

_BLOCK_ROWS = 1024
_ROWS_PER_READ = 65_536
_PAIRS_PER_STEP = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkSearch:
    """A search for links that has begun.

    Attributes:
        links: in parts; ends when all are found.
        is_exact: whether it finds all there are; inverted lists miss some.
    """

    links: Iterator[Links]
    is_exact: bool


def all_links(
    features: NDArray[np.float32],
    threshold: float,
    on_progress: Callable[[float], None] | None = None,
) -> LinkSearch:
    """Find the links among any number of rows: exactly, or by inverted lists where they are many.

    Rows that are the same to the bit are linked to the first of them and looked for once. Zero
    rows carry no evidence and are linked to nothing.

    Args:
        features: ``(N, D)`` float32 of length 1 or 0; may be memory-mapped.
        threshold: least similarity of a link, in (0, 1].
        on_progress: told the share of the work that is done, in (0, 1].

    Raises:
        SetupError: FAISS is needed and cannot be imported.
    """
    distinct, twins = _distinct_rows(features)
    is_exact = len(distinct) <= MAX_EXACT_ROWS
    if is_exact:
        others = exact_links(features, distinct, threshold, on_progress)
    else:
        lists = InvertedLists.of(features, distinct)
        others = probed_links(features, lists, threshold, on_progress)
    return LinkSearch(links=chain([twins], others), is_exact=is_exact)


def exact_links(
    features: NDArray[np.float32],
    rows: NDArray[np.int64],
    threshold: float,
    on_progress: Callable[[float], None] | None = None,
) -> Iterator[Links]:
    """Compare all pairs of some rows, block by block.

    Args:
        features: ``(N, D)`` float32.
        rows: ``(M,)`` int64, rising: which of them.
        threshold: least similarity of a link.
        on_progress: told the share of the pairs that are compared.
    """
    for first in range(0, len(rows), _BLOCK_ROWS):
        here = rows[first : first + _BLOCK_ROWS]
        block = features[here]
        for other in range(first, len(rows), _ROWS_PER_READ):
            there = rows[other : other + _ROWS_PER_READ]
            yield from _links_between(features, (here, there), (block, features[there]), threshold)
        if on_progress is not None:
            on_progress(1.0 - (max(0, len(rows) - first - _BLOCK_ROWS) / len(rows)) ** 2)


def probed_links(
    features: NDArray[np.float32],
    lists: InvertedLists,
    threshold: float,
    on_progress: Callable[[float], None] | None = None,
) -> Iterator[Links]:
    """Compare each row with the rows of the lists that it probes; each pair comes once.

    A pair is compared if either of its rows probes the list of the other.

    Args:
        features: ``(N, D)`` float32.
        lists: of the rows.
        threshold: least similarity of a link.
        on_progress: told the share of the rows whose lists are done.
    """
    num_done = 0
    for members, visitors in lists.pairs_of_rows():
        member_rows = features[lists.rows[members]]
        for first in range(0, len(visitors), _BLOCK_ROWS):
            here = visitors[first : first + _BLOCK_ROWS]
            here_rows = features[lists.rows[here]]
            for visitor, member in _near_cells(here_rows, member_rows, threshold):
                one, other = here[visitor], members[member]
                is_counted = (one < other) | ((one > other) & ~lists.probes_list_of(other, one))
                one, other = lists.rows[one[is_counted]], lists.rows[other[is_counted]]
                yield _scored(features, np.minimum(one, other), np.maximum(one, other), threshold)
        num_done += len(members)
        if on_progress is not None:
            on_progress(num_done / len(lists.rows))


def least_similarity(features: NDArray[np.float32], rows: NDArray[np.int64]) -> float:
    """Find the least similarity of two of some rows: how far a cluster reaches; block by block."""
    least = 1.0
    for first in range(0, len(rows), _BLOCK_ROWS):
        block = features[rows[first : first + _BLOCK_ROWS]]
        for other in range(first, len(rows), _BLOCK_ROWS):
            similarity_QR = block @ features[rows[other : other + _BLOCK_ROWS]].T
            least = min(least, float(similarity_QR.min()))
    return least


def _distinct_rows(features: NDArray[np.float32]) -> tuple[NDArray[np.int64], Links]:
    """Tell the first of each kind of row that is not zero, and link the others to it."""
    digest = np.empty((len(features), 2), dtype=np.uint64)
    speaks = np.empty(len(features), dtype=np.bool_)
    for first in range(0, len(features), _ROWS_PER_READ):
        part = np.ascontiguousarray(features[first : first + _ROWS_PER_READ]) + np.float32(0.0)
        here = slice(first, first + len(part))
        speaks[here] = part.any(axis=1)
        digests = b"".join(blake2b(row, digest_size=16).digest() for row in part)
        digest[here] = np.frombuffer(digests, dtype=np.uint64).reshape(-1, 2)
    rows = np.flatnonzero(speaks)
    original = rows[_first_alike(digest[rows])]
    is_twin = original != rows
    ones = np.ones(int(is_twin.sum()), dtype=np.float32)
    twins = Links(first=original[is_twin], second=rows[is_twin], similarity=ones)
    return rows[~is_twin], twins


def _first_alike(digest: NDArray[np.uint64]) -> NDArray[np.int64]:
    """``(M,)`` the first place that holds what each place holds."""
    order = np.lexsort((digest[:, 1], digest[:, 0]))
    ordered = digest[order]
    is_new = np.ones(len(order), dtype=np.bool_)
    is_new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    first = np.empty(len(order), dtype=np.int64)
    first[order] = order[is_new][np.cumsum(is_new) - 1]
    return first


def _links_between(
    features: NDArray[np.float32],
    rows: tuple[NDArray[np.int64], NDArray[np.int64]],
    blocks: tuple[NDArray[np.float32], NDArray[np.float32]],
    threshold: float,
) -> Iterator[Links]:
    here, there = rows
    for place, other in _near_cells(*blocks, threshold):
        one, two = here[place], there[other]
        is_upper = one < two
        yield _scored(features, one[is_upper], two[is_upper], threshold)


def _near_cells(
    one: NDArray[np.float32], two: NDArray[np.float32], threshold: float
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Propose the cells of a product that may reach the threshold, a bounded number at a time."""
    low = np.float32(threshold - rounding_margin(one.shape[1]))
    for first in range(0, len(two), _BLOCK_ROWS):
        similarity_QR = one @ two[first : first + _BLOCK_ROWS].T
        row, column = np.nonzero(similarity_QR >= low)
        if len(row):
            yield row, column + first


def _scored(
    features: NDArray[np.float32],
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    threshold: float,
) -> Links:
    """Score each pair by itself, so that no other row can change what is said of it."""
    similarity = np.empty(len(first), dtype=np.float32)
    for begin in range(0, len(first), _PAIRS_PER_STEP):
        here = slice(begin, begin + _PAIRS_PER_STEP)
        one, two = features[first[here]], features[second[here]]
        np.einsum("ed,ed->e", one, two, out=similarity[here])
    is_link = similarity >= np.float32(threshold)
    return Links(first=first[is_link], second=second[is_link], similarity=similarity[is_link])
