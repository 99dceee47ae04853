"""Whether two files can speak of the same data set, and what one says that the other does not.

VSC2022 ids tell their split: ``Q1...`` is train, ``Q2...`` the first phase of the challenge,
``Q3...`` the second, which searches the references of the first, ``R2...``. Scoring one split by
the ground truth of another gives 0 without a word, so it is refused. Other ids tell nothing: there
a total mismatch is worth a note.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vcd.core import InputError

__all__ = ["VSC_ID", "IdsOf", "check_same_split"]

VSC_ID = re.compile(r"[QR]([1-3])[0-9]{5}")
"""An id of VSC2022; the digit names the split."""

_NAMED = 3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class IdsOf:
    """The ids that a file, or a pair of files, speaks of.

    Attributes:
        origin: the file, as a sentence names it.
        query_ids: ``(N,)`` text, each any number of times.
        ref_ids: ``(M,)`` text, each any number of times.
    """

    origin: str
    query_ids: NDArray[np.str_]
    ref_ids: NDArray[np.str_]


def check_same_split(
    predicted: IdsOf, truth: IdsOf, *, lists_all_refs: bool = False
) -> tuple[str, ...]:
    """Compare the ids of what is measured with those of the ground truth.

    Args:
        predicted: of the predictions, or of the descriptors that they are made from.
        truth: of the ground truth.
        lists_all_refs: tells that `predicted` names every reference, found or not, so that one
            which it lacks is worth a note too.

    Returns:
        Notes for the person who reads the result: the ground truth is empty, has queries that
        `predicted` does not speak of, or shares no id with it.

    Raises:
        InputError: both have VSC2022 ids and no split in common.
    """
    if len(truth.query_ids) == 0:
        return (f"{truth.origin}: no true segment in it, so there is nothing to find",)
    if len(predicted.query_ids) == 0 or len(predicted.ref_ids) == 0:
        return (f"{predicted.origin}: nothing in it, so nothing is found",)
    _refuse_other_split(predicted, truth)
    is_shared = any(
        np.isin(true, ours).any()
        for true, ours in (
            (truth.query_ids, predicted.query_ids),
            (truth.ref_ids, predicted.ref_ids),
        )
    )
    if not is_shared:
        return (f"no id of {truth.origin} is in {predicted.origin}: are they of one data set?",)
    between = f"of {truth.origin} are not in {predicted.origin}"
    notes = _missing(f"queries {between}", truth.query_ids, predicted.query_ids)
    if lists_all_refs:
        notes += _missing(f"references {between}", truth.ref_ids, predicted.ref_ids)
    return notes


def _missing(what: str, true: NDArray[np.str_], ours: NDArray[np.str_]) -> tuple[str, ...]:
    """Count the true ids that are not among ours, and name the first."""
    names = np.unique(true)
    missing = np.setdiff1d(names, ours).tolist()
    if not missing:
        return ()
    more = ", ..." if len(missing) > _NAMED else ""
    return (f"{len(missing)} of the {len(names)} {what}: {', '.join(missing[:_NAMED])}{more}",)


def _refuse_other_split(predicted: IdsOf, truth: IdsOf) -> None:
    for noun, ours, true in (
        ("queries", _splits(predicted.query_ids), _splits(truth.query_ids)),
        ("references", _splits(predicted.ref_ids), _splits(truth.ref_ids)),
    ):
        if ours and true and not ours & true:
            letter = noun[0].upper()
            raise InputError(
                f"{truth.origin}: ground truth of another split: its {noun} are "
                f"{_listed(letter, true)}, those of {predicted.origin} are {_listed(letter, ours)}"
            )


def _splits(ids: NDArray[np.str_]) -> set[str]:
    """Name the splits, when all ids are VSC2022's; else nothing is known."""
    found = [VSC_ID.fullmatch(each) for each in set(ids.tolist())]
    return {match[1] for match in found if match} if all(found) else set()


def _listed(letter: str, splits: Iterable[str]) -> str:
    return " and ".join(f"{letter}{split}00001..." for split in sorted(splits))
