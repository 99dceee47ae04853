"""Check a data set whose copies are known, as `vcd index add` and `vcd check` check anything.

    DIR/refs/  DIR/queries/  DIR/ground_truth.csv   ->   every match, however weak, and the truth

Index and reports stay in a working folder: the same call again does only what is left.
"""

import contextlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipelines import check, console, index
from pipelines.items import find_items
from vcd.core import InputError, Match, report_from_document
from vcd.evaluation.files.vsc_files import read_ground_truth
from vcd.evaluation.tables import Segments
from vcd.search import IndexCalibration, IndexInfo, read_calibration, read_info

__all__ = ["CheckedSet", "check_data_set"]


@dataclass(frozen=True, kw_only=True)
class CheckedSet:
    """What was found in the queries that could be looked at, and what is in them.

    Attributes:
        name: of the data set's folder.
        truth_file: what says what is copied.
        matches: all of them, however weak.
        truth: true segments of the queries that were looked at.
        query_ids: who was looked at, in sorted order.
        num_refused: how many videos, of both kinds, could not be.
        info: of the index.
        summary: of the check.
    """

    name: str
    truth_file: Path
    matches: Segments
    truth: Segments
    query_ids: tuple[str, ...]
    num_refused: int
    info: IndexInfo
    summary: Mapping[str, Any]

    @property
    def num_negatives(self) -> int:
        """How many of the queries copy nothing."""
        return len(self.query_ids) - len(set(self.truth.query_ids.tolist()))


def check_data_set(
    folder: Path,
    work: Path,
    *,
    background: Path | None = None,
    index_flags: Sequence[str] = (),
    config: Path | None = None,
) -> CheckedSet:
    """Index the references, check the queries, and hold their ids against the ground truth.

    What cannot be decoded is named on stderr and counted.

    Args:
        folder: the data set.
        work: where index and reports are kept; made when missing.
        background: footage that is no copy, for ``vcd index calibrate``; None fits nothing to it.
        index_flags: further words for ``vcd index add``.
        config: settings file.

    Raises:
        InputError: the folder is no such data set; its ground truth names another one's videos, or
            a reference that cannot be decoded; or no query copies something, or every one does.
    """
    truth_file = folder / "ground_truth.csv"
    truth = _read_truth(folder, truth_file)
    settings = [] if config is None else ["--config", str(config)]
    at = ["--index", str(work / "refs.index"), *settings]
    with contextlib.redirect_stdout(io.StringIO()):  # a caller's is for its result alone
        num_unindexed = _index(folder / "refs", work, [*at, *index_flags])
        _fit(work, background, at)
        document = _check(folder / "queries", work, at)
    info = read_info(work / "refs.index")
    reports = [report_from_document(each) for each in document["reports"]]
    refused = [each["query_id"] for each in document["refused"]]
    query_ids = sorted(report.query_id for report in reports)
    unindexed = sorted(set(truth.ref_ids.tolist()) - info.by_id.keys())
    if unindexed:
        raise InputError(f"{truth_file}: the reference {unindexed[0]} cannot be decoded")
    _refuse_one_sided(folder, truth, query_ids)
    return CheckedSet(
        name=folder.resolve().name,
        truth_file=truth_file,
        matches=_segments([match for report in reports for match in report.matches]),
        truth=_of_queries(truth, query_ids),
        query_ids=tuple(query_ids),
        num_refused=num_unindexed + len(refused),
        info=info,
        summary=document["summary"],
    )


def _read_truth(folder: Path, truth_file: Path) -> Segments:
    """Read the ground truth, and hold it against the names of the files before any is decoded."""
    for part in (folder / "refs", folder / "queries", truth_file):
        if not part.exists():
            raise InputError(
                f"{folder}: wanted refs/, queries/ and ground_truth.csv as `vcd synth` makes them, "
                f"found no {part.name}"
            )
    truth = read_ground_truth(truth_file, keeps_ids=True)
    query_ids = [item.id for item in find_items([folder / "queries"])]
    ref_ids = [item.id for item in find_items([folder / "refs"])]
    for noun, named, there in (
        ("query", truth.query_ids, query_ids),
        ("reference", truth.ref_ids, ref_ids),
    ):
        unknown = sorted(set(named.tolist()) - set(there))
        if unknown:
            raise InputError(
                f"{truth_file}: the {noun} {unknown[0]} is not beside it "
                f"({console.counted(len(unknown), 'such id')}): is it of another data set?"
            )
    _refuse_one_sided(folder, truth, query_ids)
    return truth


def _refuse_one_sided(folder: Path, truth: Segments, query_ids: Sequence[str]) -> None:
    """Nothing can be learnt from queries that all copy something, or from none that does."""
    num_copying = len(set(truth.query_ids.tolist()) & set(query_ids))
    if num_copying == 0:
        raise InputError(f"{folder}: no query that can be looked at has a true segment")
    if num_copying == len(query_ids):
        raise InputError(
            f"{folder}: every query copies something; wanted some that copy nothing, because "
            "they alone show how often a stranger is accused"
        )


def _index(refs: Path, work: Path, words: Sequence[str]) -> int:
    """Bring the index up to date with the folder; returns how many files it could not take."""
    index.main(["add", str(refs), *words])
    there = {item.id for item in find_items([refs])}
    known = {ref.id for ref in read_info(work / "refs.index").refs}
    gone = sorted(known - there)
    if gone:
        index.main(["remove", *gone, "--index", str(work / "refs.index")])
    return len(there - known)


def _fit(work: Path, background: Path | None, words: Sequence[str]) -> None:
    """Store the fit that is wanted with the index, or none."""
    if background is not None:
        index.main(["calibrate", "--background", str(background), *words])
    elif read_calibration(work / "refs.index") != IndexCalibration():
        index.main(["calibrate", "--clear", *words])


def _check(queries: Path, work: Path, words: Sequence[str]) -> dict[str, Any]:
    out = work / "matches.json"
    check.main([str(queries), *words, "--out", str(out), "--min-score=-inf"])
    document: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return document


def _segments(matches: Sequence[Match]) -> Segments:
    bounds = [(m.query.start_s, m.query.end_s, m.ref.start_s, m.ref.end_s) for m in matches]
    bounds_s = np.array(bounds, dtype=np.float64).reshape(-1, 4)
    return Segments(
        query_ids=np.array([match.query_id for match in matches], dtype=np.str_),
        ref_ids=np.array([match.ref_id for match in matches], dtype=np.str_),
        query_s=bounds_s[:, :2],
        ref_s=bounds_s[:, 2:],
        score=np.array([match.score for match in matches], dtype=np.float64),
    )


def _of_queries(truth: Segments, query_ids: Sequence[str]) -> Segments:
    wanted = set(query_ids)
    kept = [each in wanted for each in truth.query_ids.tolist()]
    return truth.take(np.array(kept, dtype=np.bool_))
