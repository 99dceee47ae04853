"""`vcd feedback`: what decisions change, what they say, which are refused."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines import feedback as feedback_verb
from pipelines.feedback_precision import judge
from pipelines.index_exclude import clear_stretches, exclude_stretches
from pipelines.matching import open_matcher
from tests.factories import make_descriptors, make_video
from tests.unit.evidence.decisions_made import TERMS, make_decision, make_decisions
from vcd.core import DescriptorSpace, InputError, Interval, SetupError
from vcd.descriptors import Describer, DescribeSettings
from vcd.evidence import JUDGED_NAME, Decision, DecisionTerms, encode_decisions, read_judged
from vcd.search import IndexWriter, read_calibration, read_info

Decide = Callable[..., Decision]


@pytest.fixture(scope="module")
def space() -> DescriptorSpace:
    return Describer(DescribeSettings()).space


@pytest.fixture(scope="module")
def terms() -> DecisionTerms:
    """The terms under which a check of such an index scores today."""
    with open_matcher(None, {"media.rate_hz": 2.0}) as matcher:
        return replace(TERMS, threshold_digest=matcher.threshold_digest)


@pytest.fixture
def index(tmp_path: Path, space: DescriptorSpace) -> Path:
    path = tmp_path / "refs.index"
    rng = np.random.default_rng(3)
    with IndexWriter.open(path, space=space, rate_hz=2.0, weights="vcd_compact") as writer:
        for ref_id in ("r", "s"):
            writer.add(make_video(ref_id), make_descriptors(ref_id, 40, rng, space=space))
    return path


@pytest.fixture
def decide(index: Path, space: DescriptorSpace, terms: DecisionTerms) -> Decide:
    """Judge a match of a reference as the index has it, scored under the terms of today."""
    refs = read_info(index).by_id

    def make(verdict: str = "copy", ref_id: str = "r", **changes: Any) -> Decision:
        digest = refs[ref_id].digest if ref_id in refs else "00" * 32
        parts = {"ref_id": ref_id, "ref_digest": digest, "space": space, "terms": terms}
        return make_decision(verdict, **{**parts, **changes})

    return make


def judged(decide: Decide, verdicts: Sequence[str], scores: Sequence[float]) -> list[Decision]:
    """Judge one match of each of several uploads."""
    return [
        decide(verdict, query_id=f"q{i}", query_sha256=f"{i:064x}", score=score)
        for i, (verdict, score) in enumerate(zip(verdicts, scores, strict=True))
    ]


def feedback(index: Path, *decisions: Decision, flags: Sequence[object] = ()) -> int:
    """Take in one file of decisions; no file where there are none."""
    words: list[object] = ["--index", index, *flags]
    if decisions:
        file = index.parent / "decisions.json"
        file.write_bytes(encode_decisions(make_decisions(*decisions)))
        words.append(file)
    return feedback_verb.main([str(word) for word in words])


def excluded_of(index: Path, ref_id: str) -> tuple[Interval, ...]:
    return read_info(index).by_id[ref_id].excluded


def contents(index: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in index.glob("*.json")}


def test_common_material_becomes_an_excluded_stretch_beside_what_is_excluded(index, decide, capsys):
    exclude_stretches(index, {"r": [Interval(0.0, 3.0)]})

    code = feedback(index, decide("common_material", ref=Interval(2.0, 5.0)))

    assert code == 0
    assert excluded_of(index, "r") == (Interval(0.0, 5.0),)
    assert excluded_of(index, "s") == ()
    said = capsys.readouterr().err
    assert "r: excluded 0.00-5.00 s" in said
    assert said.endswith("1 taken in\n")


def test_copies_and_others_are_kept_and_change_neither_contents_nor_version(index, decide):
    before = read_info(index)
    decisions = judged(decide, ["copy", "not_a_copy"], [0.8, 0.6])

    assert feedback(index, *decisions) == 0

    assert set(read_judged(index)) == set(decisions)
    assert read_info(index) == before
    assert read_calibration(index).threshold is None


def test_the_same_file_again_changes_nothing(index, decide, capsys):
    decisions = [decide("common_material"), *judged(decide, ["copy"], [0.8])]
    feedback(index, *decisions)
    before = contents(index)

    assert feedback(index, *decisions) == 0

    assert contents(index) == before
    assert capsys.readouterr().err.endswith("0 taken in, 2 unchanged\n")


@pytest.mark.parametrize("verdict", ["copy", "not_a_copy", "common_material"])
@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"ref_id": "gone"}, "the index has no reference of this id"),
        ({"ref_digest": "cc" * 32}, "was replaced in the index since"),
        ({"ref": Interval(20.0, 25.0)}, "wanted a stretch of its 20.00 s"),
        ({"ref": Interval(-1.0, 5.0)}, "wanted a stretch of its 20.00 s"),
    ],
)
def test_a_decision_about_something_else_than_is_there_is_refused_and_the_others_go_on(
    index, decide, changes, told, verdict, capsys
):
    code = feedback(index, decide(verdict, **changes), decide("common_material", "s"))

    said = capsys.readouterr().err
    assert code == 3
    assert "refused q 0.0-10.0 s, " in said
    assert told in said
    assert "1 taken in, 1 refused" in said
    assert excluded_of(index, "r") == ()
    assert excluded_of(index, "s") == (Interval(2.0, 12.0),)
    assert len(read_judged(index)) == 1


def test_a_file_that_holds_no_decisions_is_refused_and_the_others_go_on(index, decide, capsys):
    other, missing = index.parent / "other.json", index.parent / "missing.json"
    other.write_text("{}")

    code = feedback(index, decide("common_material"), flags=[other, missing])

    said = capsys.readouterr().err
    assert code == 3
    assert f"refused {other}: wanted decisions as the page of `vcd review` exports them" in said
    assert f"refused {missing}: cannot be read: No such file" in said
    assert excluded_of(index, "r") == (Interval(2.0, 12.0),)


def test_what_a_terminal_would_obey_is_told_as_its_escape(index, decide, capsys):
    feedback(index, decide("copy", query_id="a\x1b[2Jb\u202ec\udcff", ref_id="gone\n"))

    assert "refused a\\x1b[2Jb\\u202ec\\udcff 0.0-10.0 s, gone\\n 2.0-12.0 s" in (
        capsys.readouterr().err
    )


def test_of_two_decisions_about_one_match_the_last_counts_and_both_are_told(index, decide, capsys):
    feedback(index, decide("copy", minute=3), decide("common_material", minute=1))

    assert excluded_of(index, "r") == ()
    assert "decided to be common material and to be a copy, which was said last and counts" in (
        capsys.readouterr().err
    )


def test_a_later_other_verdict_does_not_take_an_exclusion_back_and_says_how_to(
    index, decide, capsys
):
    feedback(index, decide("common_material"))
    capsys.readouterr()

    code = feedback(index, decide("copy", minute=1))

    said = capsys.readouterr().err
    assert code == 0
    assert excluded_of(index, "r") == (Interval(2.0, 12.0),)
    assert "r: stays excluded 2.00-12.00 s; `vcd index exclude r --clear` takes that back" in said


def test_an_old_file_does_not_exclude_what_a_later_decision_called_a_copy(index, decide):
    feedback(index, decide("common_material"))
    feedback(index, decide("copy", minute=1))
    clear_stretches(index, ["r"])

    feedback(index, decide("common_material"))

    assert excluded_of(index, "r") == ()


def test_how_often_matches_were_right_is_said_and_what_would_show_more(index, decide, capsys):
    verdicts = ["copy"] * 9 + ["not_a_copy"]

    feedback(index, *judged(decide, verdicts, [0.9] * 10), flags=["--json"])

    out, err = capsys.readouterr()
    assert (
        "of 10 judged matches at 0.45 or above 9 were right: precision 0.900 (0.555-0.997)" in err
    )
    assert "not enough to show a precision of 0.99: that takes 368 or more uploads" in err
    document = json.loads(out)
    assert (document["num_judged"], document["num_right"]) == (10, 9)
    assert document["precision"] == pytest.approx([0.9, 0.555, 0.997], abs=1e-3)
    assert document["calibration"] is None


def test_a_wished_precision_chooses_the_lowest_threshold_that_has_it(index, decide, capsys):
    scores = [0.5] * 5 + [0.6 + i / 1000 for i in range(40)]
    decisions = judged(decide, ["not_a_copy"] * 5 + ["copy"] * 40, scores)
    before = read_info(index).version

    code = feedback(index, *decisions, flags=["--precision", 0.9])

    stored = read_calibration(index).threshold
    assert code == 0
    assert stored is not None
    assert (stored.precision, stored.min_score) == (0.9, 0.6)
    assert stored.expected_precision[0] == 1.0
    assert stored.expected_precision[1] == pytest.approx(0.912, abs=1e-3)
    assert (stored.num_queries, stored.num_true) == (45, 40)
    assert stored.made["data"] == "reviewers' decisions"
    assert stored.made["is_shown"] is True
    assert read_info(index).version == before
    said = capsys.readouterr().err
    assert (
        "calibrated: at 0.6: precision 1.000 (0.912-1.000) expected, measured on 45 queries" in said
    )
    assert "its recall is not known: nobody judged what was not reported" in said


def test_a_check_would_use_the_threshold_that_was_chosen(index, decide):
    feedback(index, *judged(decide, ["copy"] * 40, [0.7] * 40), flags=["--precision", 0.9])

    overrides = {"media.rate_hz": 2.0}
    with open_matcher(None, overrides, index=index) as matcher:
        assert matcher.threshold is not None
        assert matcher.detector.align.min_score == 0.7


def test_what_was_taken_in_before_is_enough_to_choose_by(index, decide):
    feedback(index, *judged(decide, ["copy"] * 40, [0.7] * 40))

    assert feedback(index, flags=["--precision", 0.9]) == 0

    assert read_calibration(index).threshold is not None


@pytest.mark.parametrize(
    ("verdicts", "reason"),
    [
        pytest.param([], "none of the 0 judged matches that count is a copy", id="none"),
        pytest.param(["not_a_copy"] * 9, "none of the 9 judged matches", id="none right"),
        pytest.param(["copy"] * 4, "too few right matches to choose a threshold by", id="few"),
        pytest.param(
            ["copy"] * 28 + ["not_a_copy"] * 12,
            "no threshold reaches a precision of 0.9",
            id="many wrong",
        ),
    ],
)
def test_too_little_to_choose_by_is_refused_and_what_was_judged_is_kept(
    index, decide, verdicts, reason
):
    # The wrong ones score as high as the right ones.
    decisions = judged(decide, verdicts, [0.7] * len(verdicts))

    with pytest.raises(InputError, match=f"reviewers' decisions: {reason}"):
        feedback(index, *decisions, flags=["--precision", 0.9])

    assert read_calibration(index).threshold is None
    assert len(read_judged(index)) == len(verdicts)


def test_only_matches_of_the_same_terms_that_can_still_match_count(index, decide, space, terms):
    decisions = judged(decide, ["copy"] * 7, [0.7] * 7)
    decisions[1] = replace(decisions[1], terms=replace(terms, threshold_digest="other"))
    decisions[2] = replace(decisions[2], terms=replace(terms, fit_digest="other"))
    decisions[3] = replace(decisions[3], terms=replace(terms, rate_hz=4.0))
    decisions[4] = replace(decisions[4], space=replace(space, fingerprint="other"))
    decisions[5] = replace(decisions[5], ref=Interval(12.0, 17.0))
    decisions[6] = replace(decisions[6], ref_digest="00" * 32)
    exclude_stretches(index, {"r": [Interval(16.5, 18.0)]})

    found = judge(index, None, [*decisions, decide("common_material", ref=Interval(0.0, 1.0))])

    assert found.matches.query_ids.tolist() == [decisions[0].query_sha256]
    assert (found.num_other_terms, found.num_gone) == (4, 2)
    assert (
        "judged matches that do not count: 4 under other weights or settings, 2 of what was "
        in (found.sentences(None)[-1])
    )


def test_a_match_that_ends_half_a_step_inside_an_excluded_stretch_still_counts(index, decide):
    exclude_stretches(index, {"r": [Interval(0.0, 2.25)]})

    found = judge(index, None, [decide("copy", ref=Interval(2.0, 12.0))])

    assert len(found.matches) == 1


def test_an_index_that_follows_a_log_takes_nothing_in(index, decide):
    (index / "log.json").write_text(json.dumps({"address": "sqlite:bus.db"}))
    before = contents(index)

    with pytest.raises(SetupError, match="vcd references add"):
        feedback(index, decide("common_material"))

    assert contents(index) == before
    assert not (index / JUDGED_NAME).exists()


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ([], "give FILE..., or --precision"),
        (["--precision", 0], "--precision wants a share above 0"),
        (["--precision", 1.1], "--precision wants a share above 0"),
        (["--precision", "nan"], "--precision wants a share above 0"),
    ],
)
def test_misuse_is_said(index, flags, told, capsys):
    with pytest.raises(SystemExit) as stop:
        feedback(index, flags=flags)

    assert stop.value.code == 2
    assert told in capsys.readouterr().err


def test_a_wish_that_is_measured_but_not_shown_is_stored_and_said(index, decide, capsys):
    feedback(index, *judged(decide, ["copy"] * 10, [0.7] * 10), flags=["--precision", 0.9])

    stored = read_calibration(index).threshold
    assert stored is not None
    assert stored.made["is_shown"] is False
    assert "what was judged cannot show a precision of 0.9" in capsys.readouterr().err
