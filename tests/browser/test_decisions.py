"""What a reviewer decides stays, leaves as a file that `vcd feedback` takes, and comes back."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.browser.report import go_to, hook, press, ready, row_of
from vcd.evidence.decision_file import decode_decisions
from vcd.evidence.record_file import folder_name, read_record

pytestmark = pytest.mark.browser

SCHEMA = Path(__file__).parents[2] / "docs/schemas/decisions.schema.json"
VERDICTS = {"1": "copy", "2": "not_a_copy", "3": "common_material"}


def _pressed(page) -> set[str]:
    """Say which decision of the chosen match is marked."""
    return {
        verdict
        for verdict in VERDICTS.values()
        if hook(page, f"decide-{verdict}").get_attribute("aria-pressed") == "true"
    }


def _exported(page) -> dict[str, Any]:
    hook(page, "open-decisions").click()
    with page.expect_download() as waiting:
        hook(page, "download").click()
    text = Path(waiting.value.path()).read_text(encoding="utf-8")
    hook(page, "close-decisions").click()
    document: dict[str, Any] = json.loads(text)
    return document


def _evidence(report: Path, name: str):
    return read_record(report.parents[1] / "evidence" / folder_name(name))


@pytest.mark.parametrize(("key", "verdict"), VERDICTS.items())
def test_a_key_decides_the_match_and_the_overview_says_so(open_page, report, key, verdict):
    page = go_to(ready(open_page(report)), "holiday")

    press(page, key)

    assert _pressed(page) == {verdict}
    press(page, "Escape")
    ready(page)
    said = hook(row_of(page, "holiday"), "row-decision").inner_text()
    assert said.lower().replace(" ", "_") == verdict


def test_the_buttons_decide_too(open_page, report):
    page = go_to(ready(open_page(report)), "holiday")

    hook(page, "decide-not_a_copy").click()

    assert _pressed(page) == {"not_a_copy"}


def test_a_decision_can_be_taken_back(open_page, report):
    page = go_to(ready(open_page(report)), "holiday")

    press(page, "1", "2")
    press(page, "u")
    after_undo = _pressed(page)
    press(page, "0")

    assert after_undo == {"copy"}
    assert _pressed(page) == set()


def test_decisions_survive_a_reload(open_page, report):
    page = go_to(ready(open_page(report)), "medley")
    press(page, "1")
    hook(page, "match-2").click()
    press(page, "3")
    hook(page, "kind").select_option("logo")
    hook(page, "note").fill("the station's logo")

    page.reload()
    ready(page, "upload")

    hook(page, "match-0").click()
    first = _pressed(page)
    hook(page, "match-2").click()
    assert (first, _pressed(page)) == ({"copy"}, {"common_material"})
    assert hook(page, "kind").input_value() == "logo"
    assert hook(page, "note").input_value() == "the station's logo"


def test_letters_of_a_note_are_no_commands(open_page, report):
    page = go_to(ready(open_page(report)), "holiday")
    press(page, "1")

    hook(page, "note").fill("")
    hook(page, "note").press_sequentially("2 jk? b")

    assert _pressed(page) == {"copy"}
    assert hook(page, "note").input_value() == "2 jk? b"


def test_the_export_is_what_feedback_takes_in(open_page, report):
    page = go_to(ready(open_page(report)), "medley")
    press(page, "1")
    hook(page, "match-1").click()
    press(page, "2")
    hook(page, "match-2").click()
    press(page, "3")
    hook(page, "kind").select_option("intro")
    hook(page, "note").fill('a "note" </script> \u202e')

    document = _exported(page)

    jsonschema.validate(document, json.loads(SCHEMA.read_text()))
    decode_decisions(json.dumps(document).encode(), origin="export")
    decisions = document["decisions"]
    assert [each["verdict"] for each in decisions] == ["copy", "not_a_copy", "common_material"]
    assert [each["kind"] for each in decisions] == [None, None, "intro"]
    assert decisions[2]["note"] == 'a "note" </script> \u202e'


def test_the_export_names_the_match_as_the_evidence_does(open_page, report):
    page = go_to(ready(open_page(report)), "medley")
    hook(page, "match-1").click()
    press(page, "2")
    record = _evidence(report, "medley")
    match = record.report.matches[1]
    refs = {ref.video.id: ref for ref in record.refs}

    (decision,) = _exported(page)["decisions"]

    assert decision["evidence_digest"] == record.digest
    assert decision["query_id"] == "medley"
    assert decision["query_sha256"] == record.report.query_sha256
    assert decision["ref_id"] == match.ref_id
    assert decision["ref_descriptor_digest"] == refs[match.ref_id].descriptor_digest
    assert decision["query"] == {"start_s": match.query.start_s, "end_s": match.query.end_s}
    assert decision["ref"] == {"start_s": match.ref.start_s, "end_s": match.ref.end_s}
    assert decision["score"] == match.score
    assert decision["index_version"] == record.report.index_version
    assert decision["space"]["fingerprint"] == record.report.space.fingerprint
    assert decision["terms"]["threshold_digest"] == record.terms.threshold_digest


def test_an_export_is_taken_in_by_another_browser(open_page, report, tmp_path):
    page = go_to(ready(open_page(report)), "medley")
    press(page, "1")
    hook(page, "match-1").click()
    press(page, "2")
    file = tmp_path / "decisions.json"
    file.write_text(json.dumps(_exported(page)))

    other = go_to(ready(open_page(report)), "medley")
    hook(other, "open-decisions").click()
    hook(other, "import").set_input_files(file)
    hook(other, "import-result").get_by_text("2 decisions imported").wait_for()
    hook(other, "close-decisions").click()

    hook(other, "match-0").click()
    first = _pressed(other)
    hook(other, "match-1").click()
    assert (first, _pressed(other)) == ({"copy"}, {"not_a_copy"})


@pytest.mark.parametrize(
    "text",
    ["{", "[]", '{"format": "vcd decisions", "version": 2, "decisions": []}', "<img onerror=x>"],
    ids=["cut off", "a list", "another version", "markup"],
)
def test_a_file_that_is_no_export_changes_nothing_and_says_so(open_page, report, tmp_path, text):
    page = go_to(ready(open_page(report)), "holiday")
    press(page, "1")
    (tmp_path / "file.json").write_text(text)

    hook(page, "open-decisions").click()
    hook(page, "import").set_input_files(tmp_path / "file.json")
    hook(page, "import-result").get_by_text("nothing was imported").wait_for()
    hook(page, "close-decisions").click()

    assert _pressed(page) == {"copy"}


@pytest.mark.parametrize(
    "changes", [{"decided_at": "yesterday"}, {"note": "x" * 10_001}], ids=["moment", "note"]
)
def test_an_entry_that_feedback_refuses_is_not_taken_in(open_page, report, tmp_path, changes):
    page = go_to(ready(open_page(report)), "holiday")
    press(page, "1")
    document = _exported(page)
    document["decisions"][0] |= {"verdict": "not_a_copy", **changes}
    (tmp_path / "file.json").write_text(json.dumps(document))

    hook(page, "open-decisions").click()
    hook(page, "import").set_input_files(tmp_path / "file.json")
    hook(page, "import-result").get_by_text("1 entry that cannot be read: left out").wait_for()
    hook(page, "close-decisions").click()

    assert _pressed(page) == {"copy"}


def test_the_undecided_are_left_by_their_filter(open_page, report):
    page = go_to(ready(open_page(report)), "holiday")
    press(page, "1", "Escape")
    ready(page)

    hook(page, "filter-undecided").click()

    assert row_of(page, "holiday").count() == 0
    assert row_of(page, "medley").count() == 1
