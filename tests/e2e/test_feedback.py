"""Full circle: check, judge, take in, check again: what is common never matches again."""

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Run, footage, one_sentence, write_frames
from vcd.core import Interval
from vcd.evidence import Decision, Decisions, DecisionTerms, encode_decisions
from vcd.evidence.decisions import Verdict
from vcd.search import read_info

pytestmark = pytest.mark.slow

INTRO_S = 6.0
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hold references, the first of which begins with an intro; uploads with and without it."""
    folder = tmp_path_factory.mktemp("films")
    (folder / "refs").mkdir()
    (folder / "uploads").mkdir()
    intro, film = list(footage(900, INTRO_S)), list(footage(901, 9.0))
    write_frames(folder / "refs" / "film.mp4", intro + film)
    write_frames(folder / "refs" / "other.mp4", footage(902, 9.0))
    for i in range(2):
        write_frames(folder / "uploads" / f"show{i}.mp4", intro + list(footage(910 + i, 4.0)))
    write_frames(folder / "uploads" / "whole.mp4", intro + film)
    write_frames(folder / "uploads" / "two.mp4", list(footage(902, 9.0)))
    return folder


@pytest.fixture(scope="module")
def untouched(vcd: Run, films: Path) -> Path:
    """Hold an index of both references."""
    result = vcd("index", "add", films / "refs", "--index", films / "refs.index")
    assert result.returncode == 0, result.stderr
    return films / "refs.index"


@pytest.fixture(scope="module")
def before(vcd: Run, films: Path, untouched: Path) -> Any:
    """Hold what a check says before anything is excluded."""
    return checked(vcd, films, untouched)


@pytest.fixture
def index(untouched: Path, tmp_path: Path) -> Path:
    return shutil.copytree(untouched, tmp_path / "refs.index")


def checked(vcd: Run, films: Path, index: Path, *words: object) -> Any:
    result = vcd("check", films / "uploads", "--index", index, "--json", *words)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def matches_of(document: Any) -> dict[tuple[str, str], Any]:
    return {
        (match["query_id"], match["ref_id"]): match
        for report in document["reports"]
        for match in report["matches"]
    }


def decisions_of(document: Any, index: Path, verdicts: dict[str, Verdict]) -> list[Decision]:
    """Judge the matches of some uploads, as the page exports it."""
    info, summary = read_info(index), document["summary"]
    terms = DecisionTerms(
        rate_hz=info.rate_hz,
        threshold_digest=summary["threshold_digest"],
        fit_digest=summary["fit"],
        min_score=float(summary["min_score"]),
    )
    sha256 = {report["query_id"]: report["query_sha256"] for report in document["reports"]}
    return [
        Decision(
            verdict=verdicts[query_id],
            kind=None,
            note="",
            decided_at=NOW,
            evidence_digest="ee" * 32,
            query_id=query_id,
            query_sha256=sha256[query_id],
            ref_id=ref_id,
            ref_digest=info.by_id[ref_id].digest,
            query=Interval(**match["query"]),
            ref=Interval(**match["ref"]),
            score=match["score"],
            index_version=info.version,
            space=info.space,
            terms=terms,
        )
        for (query_id, ref_id), match in matches_of(document).items()
        if query_id in verdicts
    ]


def written(path: Path, decisions: list[Decision]) -> Path:
    path.write_bytes(
        encode_decisions(Decisions(made_at=NOW, reviewer="", decisions=tuple(decisions)))
    )
    return path


def test_what_a_reviewer_calls_common_never_matches_again_and_the_rest_still_does(
    vcd: Run, films: Path, index: Path, before: Any, tmp_path: Path
) -> None:
    decisions = decisions_of(before, index, {"show0": "common_material", "two": "copy"})
    file = written(tmp_path / "decisions.json", decisions)

    result = vcd("feedback", file, "--index", index)

    after = checked(vcd, films, index)
    info = vcd("index", "info", "--index", index)
    found, had = matches_of(after), matches_of(before)
    assert result.returncode == 0, result.stderr
    assert {("show0", "film"), ("show1", "film")} <= set(had)
    assert set(found) == {("whole", "film"), ("two", "other")}
    assert found["two", "other"] == had["two", "other"]
    (excluded,) = read_info(index).by_id["film"].excluded
    ref = found["whole", "film"]["ref"]
    assert had["whole", "film"]["ref"]["start_s"] == pytest.approx(0.0, abs=0.5)
    assert ref["start_s"] == pytest.approx(INTRO_S, abs=0.5)
    assert ref["start_s"] >= excluded.end_s - 0.25
    assert ref["end_s"] == pytest.approx(INTRO_S + 9.0, abs=0.5)
    assert "  excluded 0.00-" in info.stdout
    assert after["summary"]["index_version"] != before["summary"]["index_version"]


def test_judged_matches_choose_the_threshold_that_a_check_then_names(
    vcd: Run, films: Path, index: Path, before: Any, tmp_path: Path
) -> None:
    (true,) = decisions_of(before, index, {"two": "copy"})
    others = [
        replace(true, query_id=f"q{i}", query_sha256=f"{i:064x}", score=0.66) for i in range(40)
    ]
    wrong = replace(true, verdict="not_a_copy", query_id="w", query_sha256="ff" * 32, score=0.5)
    file = written(tmp_path / "decisions.json", [true, *others, wrong])

    result = vcd("feedback", file, "--index", index, "--precision", 0.9)

    said = vcd("check", films / "uploads" / "two.mp4", "--index", index).stderr
    shown = json.loads(vcd("index", "info", "--index", index, "--json").stdout)
    assert result.returncode == 0, result.stderr
    assert shown["min_score"] == 0.66  # from 0.5 on 41 of 42 are right, which shows 0.874 alone
    assert "at 0.66: precision 1.000 (0.914-1.000) expected, measured on 42 queries of rev" in said
    assert shown["version"] == before["summary"]["index_version"]


def test_decisions_about_a_reference_that_was_replaced_are_refused(
    vcd: Run, index: Path, before: Any, tmp_path: Path
) -> None:
    decisions = decisions_of(before, index, {"show0": "common_material"})
    file = written(tmp_path / "decisions.json", [replace(decisions[0], ref_digest="00" * 32)])

    result = vcd("feedback", file, "--index", index)

    assert result.returncode == 3
    one_sentence(result.stderr, "was replaced in the index since", "0 taken in, 1 refused")
    assert read_info(index).by_id["film"].excluded == ()
