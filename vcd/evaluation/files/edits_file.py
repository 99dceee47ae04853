"""Read what was done to the queries of a synthetic set: the edits.csv of `vcd synth`.

query_id,ref_id,...,edit,...    a line for each copy; empty ref_id: a query that copies nothing
"""

from collections import defaultdict
from pathlib import Path

from vcd.core import InputError
from vcd.evaluation.files.csv_columns import open_csv
from vcd.evaluation.tables import Segments

__all__ = ["SEVERAL", "read_edits"]

SEVERAL = "several"
"""The edit of a copy with more than one, and here of a query whose copies differ."""


def read_edits(path: Path, truth: Segments) -> dict[str, str]:
    """Read the edit of each query that copies something.

    Args:
        path: CSV with the columns ``query_id``, ``ref_id`` and ``edit`` among others.
        truth: the ground truth of the same set.

    Returns:
        Id of a query -> its edit, `SEVERAL` where its copies differ; for every query of the truth.

    Raises:
        InputError: not such a file, an empty query or edit, or a file that does not speak of the
            queries of the truth.
    """
    opened = open_csv(path)
    query_place, ref_place, edit_place = map(opened.place, ("query_id", "ref_id", "edit"))
    known = set(truth.query_ids.tolist())
    found = defaultdict(set)
    for line, cells in opened.even_rows():
        query, edit = cells[query_place], cells[edit_place]
        if not query or not edit:
            empty = "edit" if query else "query_id"
            raise InputError(f"{path}, line {line}: {empty} is empty")
        if not cells[ref_place]:
            continue
        if query not in known:
            raise InputError(
                f"{path}, line {line}: the query {query} copies nothing by the ground truth: are "
                "they of one data set?"
            )
        found[query].add(edit)
    missing = sorted(known - found.keys())
    if missing:
        raise InputError(
            f"{path}: wanted a line for every query that copies by the ground truth, found none "
            f"for {missing[0]} ({len(missing)} of {len(known)} lack one)"
        )
    return {query: names.pop() if len(names) == 1 else SEVERAL for query, names in found.items()}
