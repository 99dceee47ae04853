"""What the evaluations of descriptor files share: ids to compare, progress, flags of a form."""

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from pipelines import console
from vcd.descriptors import DescriptorRows
from vcd.evaluation.files.splits import IdsOf, check_same_split
from vcd.evaluation.files.vsc_files import vsc_ids
from vcd.evaluation.micro_ap import ScoredPairs
from vcd.evaluation.tables import Candidates, Segments

__all__ = ["of_form", "ranked_counts", "say_how_ids_fit", "searching", "track_inputs"]

_Value = TypeVar("_Value")

_STEPS = 100


def say_how_ids_fit(
    query: DescriptorRows, ref: DescriptorRows, truth: Candidates | Segments, origin: str
) -> None:
    """Tell the person which ids of the ground truth are nowhere in the descriptor files.

    Args:
        query: the file of the queries.
        ref: the file of the references.
        truth: the true pairs or segments.
        origin: the file of the truth.

    Raises:
        InputError: the ground truth is of another split of VSC2022.
    """
    named = f"{query.path} and {ref.path}"
    files = IdsOf(origin=named, query_ids=_names(query, "Q"), ref_ids=_names(ref, "R"))
    true = IdsOf(
        origin=origin,
        query_ids=vsc_ids(truth.query_ids, "Q"),
        ref_ids=vsc_ids(truth.ref_ids, "R"),
    )
    for note in check_same_split(files, true, lists_all_refs=True):
        console.say(note)


def track_inputs(arguments: argparse.Namespace) -> dict[str, Path]:
    """Name the files that a track was given, by what they are for."""
    inputs = {
        "queries": arguments.queries,
        "references": arguments.refs,
        "background": arguments.background,
        "ground_truth": arguments.ground_truth,
    }
    return {role: path for role, path in inputs.items() if path is not None}


def ranked_counts(query: DescriptorRows, ref: DescriptorRows, pairs: ScoredPairs) -> dict[str, int]:
    """Count what stands beside the metrics of a ranking."""
    return {
        "queries": len(query.runs),
        "references": len(ref.runs),
        "ranked_pairs": len(pairs.scores),
        "true_pairs": int(pairs.num_true.sum()),
        "true_pairs_ranked": int(pairs.is_true.sum()),
    }


@contextmanager
def searching(title: str) -> Iterator[Callable[[float], None]]:
    """Show how far a search is, on a terminal; yields what is told the share that is done."""
    num_shown = 0
    with console.progress(title, total=_STEPS) as bar:

        def tell(share: float) -> None:
            nonlocal num_shown
            for _ in range(num_shown, int(share * _STEPS)):
                bar.advance()
            num_shown = max(num_shown, int(share * _STEPS))

        yield tell


def of_form(read: Callable[[str], _Value]) -> Callable[[str], _Value]:
    """Let a flag say what form it wants: the sentence of the ``ValueError`` that reading raises."""

    def parse(text: str) -> _Value:
        try:
            return read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return parse


def _names(rows: DescriptorRows, letter: str) -> NDArray[np.str_]:
    ids = [str(rows.video_ids[first]) for first, _ in rows.runs]
    return vsc_ids(np.array(ids, dtype=np.str_), letter)
