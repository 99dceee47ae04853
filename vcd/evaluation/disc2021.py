"""DISC2021 as SSCD evaluates it: codecs, score normalization, retrieval.

    Flat                  rows as they are
    PCAW<D>,L2norm,Flat   whitened to D dimensions, then of length 1

Whitening and score normalization are learned on the training split. Rows are ranked by minus their
squared L2 distance, with score normalization by inner product. The references of each query are
its best 10, or, as the challenge had it, the best of all queries together. Reference:
facebookresearch/sscd-copy-detection; Douze et al., The 2021 Image Similarity Dataset.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from vcd.core import InputError
from vcd.descriptors import DescriptorRows, Projection
from vcd.evaluation.derived_rows import (
    ScoreNormRule,
    SearchRows,
    check_same_space,
    derived,
)
from vcd.evaluation.tables import Candidates
from vcd.evaluation.video_pairs import best_of_videos
from vcd.search import RowSimilarity, best_frame_pairs, nearest_rows

__all__ = [
    "FLAT",
    "SSCD_SCORE_NORM",
    "Budget",
    "Codec",
    "Training",
    "ranked_pairs",
    "searched_rows",
]

SSCD_SCORE_NORM = ScoreNormRule(weight=1.0, first=0, stop=3)
"""``1.0[0,2]`` in the published notation."""

_CODEC = re.compile(r"Flat|PCAW([1-9][0-9]*),L2norm,Flat")


@dataclass(frozen=True, slots=True, kw_only=True)
class Codec:
    """What is made of a row before it is compared.

    Attributes:
        whitening_dim: dimensions to whiten to; None leaves rows as they are.
    """

    whitening_dim: int | None = None

    @classmethod
    def from_text(cls, text: str) -> "Codec":
        """Read ``Flat`` or ``PCAW<D>,L2norm,Flat``.

        Raises:
            ValueError: it is neither.
        """
        found = _CODEC.fullmatch(text)
        if found is None:
            raise ValueError(f"wanted Flat or PCAW<D>,L2norm,Flat, got {text!r}")
        return cls(whitening_dim=None if found[1] is None else int(found[1]))


FLAT = Codec()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Training:
    """The training split and what it is used for beside whitening.

    Attributes:
        rows: of its file; shares no id with the references.
        score_norm: None ranks by L2 distance, without score normalization.
    """

    rows: DescriptorRows
    score_norm: ScoreNormRule | None = SSCD_SCORE_NORM


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How many references are ranked.

    Attributes:
        num_refs: for each query.
        is_global: give each query its best ``num_refs``, or all queries together as many as that
            makes.
    """

    num_refs: int = 10
    is_global: bool = False

    @classmethod
    def from_text(cls, text: str) -> "Budget":
        """Read ``10`` or ``10,global``.

        Raises:
            ValueError: it is neither.
        """
        found = re.fullmatch(r"([1-9][0-9]{0,8})(,global)?", text)
        if found is None:
            raise ValueError(f"wanted a number of references, or number,global, got {text!r}")
        return cls(num_refs=int(found[1]), is_global=found[2] is not None)


def searched_rows(
    query: DescriptorRows,
    ref: DescriptorRows,
    training: Training | None,
    codec: Codec,
    folder: Path,
) -> SearchRows:
    """Derive what is compared from the rows of the files.

    Args:
        query: the queries.
        ref: the references.
        training: what whitening and score normalization are learnt of.
        codec: what is made of each row.
        folder: for projected rows, as long as they are used.

    Raises:
        InputError: the files are of different spaces, the training split holds a reference or is
            too small, or it is missing where the codec needs it.
        SetupError: the folder cannot be written.
    """
    check_same_space(ref, query)
    has_norm = training is not None and training.score_norm is not None
    similarity = RowSimilarity.INNER_PRODUCT if has_norm else RowSimilarity.NEGATED_SQUARED_L2
    rows = SearchRows(query=query, ref=ref, similarity=similarity)
    if training is None and codec.whitening_dim is not None:
        raise InputError("whitening needs a background to learn from, got none")
    if training is None:
        return rows
    learn = (
        None
        if codec.whitening_dim is None
        else partial(Projection.whitening, dim=codec.whitening_dim)
    )
    return derived(rows, training.rows, learn, training.score_norm, folder)


def ranked_pairs(
    rows: SearchRows, budget: Budget, on_progress: Callable[[float], None] | None = None
) -> Candidates:
    """Find the pairs that are ranked, best first.

    Args:
        rows: what is compared. Where an id has several rows, each finds its own references, and
            a pair has the best score of its rows.
        budget: how many.
        on_progress: told the share of the work that is done, in (0, 1].
    """
    search = best_frame_pairs if budget.is_global else nearest_rows
    num_pairs = budget.num_refs * (len(rows.query.runs) if budget.is_global else 1)
    pairs = search(
        rows.query.features,
        rows.ref.features,
        num_pairs,
        score_bias=rows.score_bias,
        similarity=rows.similarity,
        on_progress=on_progress,
    )
    return best_of_videos(pairs, rows.query, rows.ref)
