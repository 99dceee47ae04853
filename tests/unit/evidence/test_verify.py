"""Evidence held against the same made again."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.evidence_records import make_evidence, make_explained_match
from vcd.core import FramePair, Hint, Interval, Skipped, TimeLine
from vcd.evidence import EvidenceRecord, Rebuilt, differences


def again(record: EvidenceRecord, **report_changes: Any) -> Rebuilt:
    """The same evidence made again, but for what the call names."""
    return Rebuilt(
        report=replace(record.report, **report_changes),
        maps=tuple(each.map for each in record.matches),
        refs=record.refs,
        terms=record.terms,
        query=record.query,
    )


def with_match(record: EvidenceRecord, **changes: Any) -> Rebuilt:
    (match,) = record.report.matches
    return again(record, matches=(replace(match, **changes),))


def with_evidence(record: EvidenceRecord, **changes: Any) -> Rebuilt:
    evidence = record.report.matches[0].evidence
    assert evidence is not None
    return with_match(record, evidence=replace(evidence, **changes))


def test_the_same_evidence_agrees() -> None:
    record = make_evidence()

    assert differences(record, again(record)) == ()


def test_what_depends_on_other_references_is_not_compared() -> None:
    record = make_evidence()

    rebuilt = again(record, rejected=(), num_refs=99, index_version="another", decoder="pyav")

    assert differences(record, rebuilt) == ()


MATCH_CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "start": ({"query": Interval(12.5, 31.0)}, "stretch of the upload"),
    "reference": ({"ref": Interval(80.1, 99.5)}, "stretch of the reference"),
    "upload": ({"query_id": "another"}, "of the upload: upload recorded, another found"),
    "score": ({"score": 0.123}, "score"),
    "evidence": ({"evidence": None}, "evidence"),
}


@pytest.mark.parametrize("name", MATCH_CHANGES)
def test_a_changed_match_is_told_with_both_values(name: str) -> None:
    changes, word = MATCH_CHANGES[name]
    record = make_evidence()

    (told,) = differences(record, with_match(record, **changes))

    assert told.startswith("tower, 12.400-31.000 s of the upload: ")
    assert word in told


EVIDENCE_CHANGES: dict[str, dict[str, Any]] = {
    "query view": {"query_view": 1},
    "ref view": {"ref_view": 2},
    "strength": {"strength": 0.81},
    "independent": {"num_independent": 12.1},
    "no line": {"line": None},
    "line": {"line": TimeLine(slope=1.001, intercept_s=67.7, residual_s=0.05)},
    "residual": {"line": TimeLine(slope=1.0, intercept_s=67.7, residual_s=0.06)},
    "fewer seconds": {"per_second": ()},
    "fewer best": {"best": ()},
    "best": {"best": (FramePair(query_s=13.0, ref_s=80.7, similarity=0.8),)},
    "hint": {"hints": (Hint(kind="speed", value=1.3),)},
    "another hint": {"hints": (Hint(kind="mirrored"),)},
}


@pytest.mark.parametrize("name", EVIDENCE_CHANGES)
def test_every_part_of_the_evidence_is_compared(name: str) -> None:
    record = make_evidence()

    assert differences(record, with_evidence(record, **EVIDENCE_CHANGES[name])) != ()


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(FramePair(query_s=13.0, ref_s=80.7, similarity=0.91), id="similarity"),
        pytest.param(FramePair(query_s=13.0, ref_s=81.2, similarity=0.9), id="time"),
        pytest.param(FramePair(query_s=13.0, ref_s=80.7, similarity=None), id="no evidence"),
    ],
)
def test_every_second_is_compared(changed: FramePair) -> None:
    record = make_evidence()
    evidence = record.report.matches[0].evidence
    assert evidence is not None

    told = differences(
        record, with_evidence(record, per_second=(changed, *evidence.per_second[1:]))
    )

    assert len(told) == 1
    assert "similarity second by second" in told[0]


def test_a_second_without_evidence_is_not_one_of_unlike_pictures() -> None:
    record = make_evidence()
    evidence = record.report.matches[0].evidence
    assert evidence is not None
    first, silent, last = evidence.per_second
    assert silent.similarity is None
    unlike = replace(silent, similarity=0.0)

    assert differences(record, with_evidence(record, per_second=(first, unlike, last))) != ()


def test_numbers_that_another_processor_rounds_otherwise_agree() -> None:
    record = make_evidence()
    (match,) = record.report.matches
    evidence = match.evidence
    assert evidence is not None
    near = replace(
        match,
        score=match.score + 5e-4,
        query=Interval(12.401, 31.0),
        evidence=replace(evidence, strength=0.8001),
    )

    assert differences(record, again(record, matches=(near,))) == ()


def test_the_last_of_the_best_pairs_may_be_another_one_that_is_as_good() -> None:
    best = tuple(FramePair(query_s=s, ref_s=s, similarity=v) for s, v in ((1, 0.9), (3, 0.8)))
    tied = (best[0], FramePair(query_s=7.0, ref_s=7.0, similarity=0.8005))
    record = make_evidence()
    recorded = replace(record, report=with_evidence(record, best=best).report)

    assert differences(recorded, with_evidence(recorded, best=tied)) == ()
    assert differences(recorded, with_evidence(recorded, best=tied[::-1])) != ()


def test_a_match_that_is_not_found_again_is_told() -> None:
    record = make_evidence()
    rebuilt = replace(again(record, matches=()), maps=())

    assert differences(record, rebuilt) == (
        "tower: matches: 1 recorded, 0 found",
        "tower: only recorded: 12.400-31.000 s of the upload",
    )


def test_a_match_that_was_not_recorded_is_told() -> None:
    record = make_evidence()
    (match,) = record.report.matches
    later = replace(match, query=Interval(40.0, 50.0), ref=Interval(5.0, 15.0))
    rebuilt = again(record, matches=(match, later))

    told = differences(record, replace(rebuilt, maps=rebuilt.maps * 2))

    assert "tower: only found: 40.000-50.000 s of the upload" in told


def test_the_order_of_matches_of_equal_scores_does_not_matter() -> None:
    record = make_evidence()
    first = make_explained_match()
    second = replace(first, query=Interval(40.0, 58.6), ref=Interval(1.0, 19.6))
    both = replace(
        record,
        report=replace(record.report, matches=(first, second)),
        matches=record.matches * 2,
    )

    assert differences(both, again(both, matches=(second, first))) == ()


@pytest.mark.parametrize("levels", [pytest.param(2, id="rounding"), pytest.param(3, id="another")])
def test_the_cells_of_the_map_are_compared(levels: int) -> None:
    record = make_evidence()
    (map_,) = (each.map for each in record.matches)
    cells = map_.similarity_QR.copy()
    cells[1, 1] += levels

    told = differences(record, replace(again(record), maps=(replace(map_, similarity_QR=cells),)))

    assert bool(told) is (levels == 3)


def test_a_map_of_another_size_or_stretch_is_told() -> None:
    record = make_evidence()
    (map_,) = (each.map for each in record.matches)
    for other in (
        replace(map_, similarity_QR=np.zeros((2, 2), dtype=np.uint8)),
        replace(map_, query=Interval(7.0, 37.0)),
    ):
        assert len(differences(record, replace(again(record), maps=(other,)))) == 1


REPORT_CHANGES: dict[str, dict[str, Any]] = {
    "bytes": {"query_sha256": "e" * 64},
    "settings": {"settings_digest": "another"},
    "examined": {"examined": (Interval(0.0, 59.0),)},
    "skipped": {"skipped": (Skipped(interval=Interval(1.0, 2.0), reason="undecodable"),)},
    "refused": {"refused": "empty", "matches": (), "examined": ()},
}


@pytest.mark.parametrize("name", REPORT_CHANGES)
def test_what_was_examined_and_of_what_is_compared(name: str) -> None:
    record = make_evidence()
    rebuilt = again(record, **REPORT_CHANGES[name])

    assert differences(record, replace(rebuilt, maps=rebuilt.maps[: len(rebuilt.report.matches)]))


@pytest.mark.parametrize("side", ["upload", "reference"])
@pytest.mark.parametrize(
    "changes",
    [{"sha256": "e" * 64}, {"duration_s": 61.0}, {"width_px": 7}, {"height_px": 7}],
    ids=["bytes", "length", "width", "height"],
)
def test_what_is_known_of_the_files_is_compared(side: str, changes: dict[str, Any]) -> None:
    record = make_evidence()
    assert record.query is not None
    (ref,) = record.refs
    changed: dict[str, Any] = {"query": replace(record.query, **changes)}
    if side == "reference":
        changed = {"refs": (replace(ref, video=replace(ref.video, **changes)),)}

    assert len(differences(record, replace(again(record), **changed))) == 1


def test_a_file_may_lie_somewhere_else_by_now() -> None:
    record = make_evidence()
    assert record.query is not None
    moved = replace(record.query, uri="/elsewhere/upload.mp4")

    assert differences(record, replace(again(record), query=moved)) == ()


def test_settings_are_the_same_in_the_form_that_json_has() -> None:
    record = make_evidence()
    recorded = {"a": "-inf", "b": [1, 2], "fit.digest": "one"}
    found = {"a": float("-inf"), "b": (1, 2)}

    rebuilt = replace(again(record), terms=replace(record.terms, settings=found))

    recorded_terms = replace(record.terms, settings=recorded)
    assert differences(replace(record, terms=recorded_terms), rebuilt) == ()


def test_descriptors_exclusions_and_terms_are_compared() -> None:
    record = make_evidence()
    (ref,), terms = record.refs, record.terms
    for changed in (
        {"refs": (replace(ref, descriptor_digest="e" * 64),)},
        {"refs": (replace(ref, excluded=()),)},
        {"refs": (replace(ref, video=replace(ref.video, sha256="e" * 64)),)},
        {"refs": ()},
        {"terms": replace(terms, fit_digest="e" * 64)},
        {"terms": replace(terms, rate_hz=terms.rate_hz + 1)},
        {"terms": replace(terms, factory="IVF4,Flat")},
        {"terms": replace(terms, threshold_digest="another")},
        {"terms": replace(terms, settings={**terms.settings, "align.min_score": 0.1})},
    ):
        told = differences(record, replace(again(record), **changed))
        assert len(told) == 1, changed
