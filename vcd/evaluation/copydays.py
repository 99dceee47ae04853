"""Copydays with 10,000 distractors, as SSCD evaluates it.

    strong mean AP   of each strongly edited query's own ranking, trapezoid rule
    micro-AP         of all queries in one ranking, trapezoid rule

Each query is an edit of one original: of the reference whose file name begins with the same four
characters. Distractors are never right, whatever they are called. Rows are whitened on footage
that is in none of the files, and ranked by minus their squared L2 distance, the best 100
references of each query. Reference: facebookresearch/sscd-copy-detection; Douze et al., Evaluation
of GIST descriptors for web-scale image search.
"""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from vcd.core import InputError
from vcd.descriptors import DescriptorRows
from vcd.evaluation.derived_rows import check_same_space
from vcd.evaluation.disc2021 import Budget
from vcd.evaluation.tables import Candidates

__all__ = ["COPYDAYS_BUDGET", "joined", "true_originals"]

COPYDAYS_BUDGET = Budget(num_refs=100)

_PREFIX = 4
"""Characters of a file name that name the original."""


def joined(first: DescriptorRows, second: DescriptorRows | None) -> DescriptorRows:
    """Put the videos of two files one after the other; holds the rows of both in memory.

    Raises:
        InputError: they are of different spaces, or share an id.
    """
    if second is None:
        return first
    check_same_space(first, second)
    ids = [np.asarray(rows.video_ids) for rows in (first, second)]
    shared = np.intersect1d(ids[0], ids[1])
    if len(shared):
        raise InputError(f"{second.path}: video {shared[0]} is in {first.path} too")
    shift = len(ids[0])
    return dataclasses.replace(
        first,
        video_ids=np.concatenate(ids),
        features=np.concatenate([first.features, second.features]),
        timestamps=np.zeros(shift + len(ids[1])),
        view=None,
        runs=(*first.runs, *((start + shift, stop + shift) for start, stop in second.runs)),
    )


def true_originals(query: DescriptorRows, originals: DescriptorRows) -> Candidates:
    """Pair each query with its original.

    Args:
        query: of any edits.
        originals: without distractors.

    Raises:
        InputError: two originals begin with the same four characters, or a query has none.
    """
    by_prefix: dict[str, str] = {}
    for name in _names(originals):
        other = by_prefix.setdefault(_prefix(name), name)
        if other != name:
            raise InputError(
                f"{originals.path}: {other} and {name} both begin with {_prefix(name)}: "
                f"whose copy is a query?"
            )
    queries = _names(query)
    for name in queries:
        if _prefix(name) not in by_prefix:
            raise InputError(
                f"{query.path}: no reference of {originals.path} begins with "
                f"{_prefix(name)}, as query {name} does"
            )
    return Candidates(
        query_ids=_text(queries),
        ref_ids=_text([by_prefix[_prefix(name)] for name in queries]),
        score=np.ones(len(queries)),
    )


def _names(rows: DescriptorRows) -> list[str]:
    return [str(rows.video_ids[first]) for first, _ in rows.runs]


def _prefix(name: str) -> str:
    """An id may be a path, where files of one name lie in several folders."""
    return name.rpartition("/")[2][:_PREFIX]


def _text(names: list[str]) -> NDArray[np.str_]:
    return np.array(names, dtype=np.str_)
