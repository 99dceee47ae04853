"""Uploads through a running worker, on a bus in one file and on a real broker."""

import json
import re
import signal
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.e2e.conftest import one_sentence
from tests.e2e.stream_world import World, until
from tests.house.house import ROOT
from vcd.stream.topics import REPORTS

pytestmark = pytest.mark.slow

_IN_EFFECT_S = 5.0
"""The promise: a change of the references works within this time of its acknowledgement."""


@pytest.fixture(scope="module")
def looked_at(world: World, films: Path) -> Mapping[str, Any]:
    """Hold two uploads that a worker has looked at: what submit said, and their reports."""
    world.worker.until_ready()
    paths = [world.place(name, films / f"{name}.mp4") for name in ("copy", "stranger")]
    said = {upload["video_id"]: upload for upload in world.submit(*paths)}
    return {"said": said, "reports": {name: world.report(name) for name in said}}


def _told(report: Mapping[str, Any]) -> str:
    """Write a report down without what may differ between two that say the same."""
    kept = {name: value for name, value in report.items() if name not in {"elapsed_s", "headers"}}
    return json.dumps(kept, sort_keys=True)


def _version(world: World, name: str = "first") -> str:
    result = world.run("index", "info", "--index", world.index(name), "--json")
    assert result.returncode == 0, result.stderr
    return str(json.loads(result.stdout)["version"])


def test_a_copy_is_found_where_it_is_and_a_stranger_is_not(looked_at):
    (match,) = looked_at["reports"]["copy"]["matches"]

    assert match["ref_id"] == "film0"
    assert match["query"] == pytest.approx({"start_s": 0.0, "end_s": 7.0}, abs=0.5)
    assert match["ref"] == pytest.approx({"start_s": 2.0, "end_s": 9.0}, abs=0.5)
    assert looked_at["reports"]["stranger"]["matches"] == []


def test_a_report_on_the_bus_is_what_check_says_against_the_workers_index(
    world: World, looked_at, tmp_path: Path
):
    paths = [world.uploads / "copy.mp4", world.uploads / "stranger.mp4"]
    out = tmp_path / "matches.csv"

    result = world.run("check", *paths, "--index", world.index(), "--out", out)

    assert result.returncode == 0, result.stderr
    lines = (tmp_path / "matches.csv.reports.jsonl").read_text().splitlines()
    checked = {report["query_id"]: report for report in map(json.loads, lines)}
    assert {name: _told(report) for name, report in checked.items()} == {
        name: _told(report) for name, report in looked_at["reports"].items()
    }


def test_the_verb_prints_each_report_once(world: World, looked_at):
    result = world.vcd("reports", "--json")

    assert result.returncode == 0, result.stderr
    counts = Counter(json.loads(line)["query_id"] for line in result.stdout.splitlines())
    assert counts["copy"] == counts["stranger"] == 1


def test_a_report_and_the_lines_about_it_carry_the_trace_id_of_submit(world: World, looked_at):
    for name, said in looked_at["said"].items():
        about = [line for line in world.worker.lines() if line.get("video_id") == name]

        assert looked_at["reports"][name]["headers"]["trace-id"] == said["trace_id"]
        assert about
        assert {line["trace_id"] for line in about} == {said["trace_id"]}
        assert {line["place"] for line in about} == {said["place"]}


def test_a_workers_index_is_read_by_the_verbs_and_written_by_none(
    world: World, looked_at, films: Path
):
    version = _version(world)
    added = world.run("index", "add", films / "film2.mp4", "--index", world.index())

    assert looked_at["reports"]["copy"]["index_version"] == version
    assert added.returncode == 1
    one_sentence(added.stderr, f"vcd references add|remove --log {world.log}")


def test_the_pages_answer_and_show_every_metric_of_the_operators_page(world: World, looked_at):
    page = (ROOT / "docs/operations.md").read_text()
    documented = set(re.findall(r"^\| `(vcd_\w+)` \|", page, re.MULTILINE))
    only_after_the_event = {
        *("vcd_retries_total", "vcd_dead_letters_total"),
        *("vcd_decode_failures_total", "vcd_skipped_seconds_total"),
    }

    livez, readyz = world.worker.page("/livez"), world.worker.page("/readyz")
    # What waits is looked up now and then, on a busy machine later than the first reports.
    until(lambda: "\nvcd_lag_records{" in world.worker.page("/metrics")[1], "the lag is known")
    _, shown = world.worker.page("/metrics")

    assert (livez, readyz) == ((200, "ok\n"), (200, "ok\n"))
    assert len(documented) > 20
    known = set(re.findall(r"^# HELP (vcd_\w+)", shown, re.MULTILINE))
    assert documented <= known
    with_samples = {re.sub(r"_(?:bucket|sum|count)$", "", name) for name in _samples(shown)}
    assert documented - with_samples <= only_after_the_event
    assert world.worker.total("vcd_uploads_total", lane="live", outcome="report") >= 2
    assert world.worker.total("vcd_index_references") == 2


def _samples(shown: str) -> set[str]:
    return set(re.findall(r"^(vcd_\w+)", shown, re.MULTILINE))


def test_a_reference_works_within_seconds_of_its_adding_and_not_after_its_removal(
    world: World, films: Path
):
    worker = world.worker
    before = world.answer_to("before", films / "film2.mp4")
    added = world.vcd("references", "add", films / "film2.mp4")
    until(lambda: worker.total("vcd_index_references") == 3, "it is there", patience_s=_IN_EFFECT_S)
    between = world.answer_to("between", films / "film2.mp4")
    version_between = _version(world)
    removed = world.vcd("references", "remove", "film2")
    until(lambda: worker.total("vcd_index_references") == 2, "it is gone", patience_s=_IN_EFFECT_S)
    after = world.answer_to("after", films / "film2.mp4")

    assert (added.returncode, removed.returncode) == (0, 0)
    assert [match["ref_id"] for match in between["matches"]] == ["film2"]
    assert before["matches"] == after["matches"] == []
    assert between["index_version"] == version_between != before["index_version"]
    assert after["index_version"] == before["index_version"] == _version(world)


def test_a_worker_that_joins_shares_the_work_and_leaves_in_good_order(world: World, films: Path):
    first, second = world.worker, world.start("second").until_ready()
    workers = (first, second)
    until(lambda: [w.total("vcd_partitions_owned") for w in workers] == [2, 2], "a fair share")
    names = [f"shared{ordinal}" for ordinal in range(6)]

    world.submit(*(world.place(name, films / "copy.mp4") for name in names))
    until(lambda: second.total("vcd_uploads_in_flight") > 0, "work for both")
    children = psutil.Process(second.process.pid).children(recursive=True)
    code = second.end(signal.SIGTERM)

    reports = {name: world.report(name) for name in names}
    until(lambda: first.total("vcd_partitions_owned") == 4, "all partitions come back")
    assert code == 0
    assert children
    until(lambda: not any(child.is_running() for child in children), "no child is left")
    assert "left; 0 uploads are left to others" in second.said()
    assert all(len(report["matches"]) == 1 for report in reports.values())
    assert {key: n for key, n in _counts(world).items() if key in names} == dict.fromkeys(names, 1)
    assert _version(world, "second") == _version(world)
    until(lambda: ": 0 messages to go" in world.vcd("log", "info").stderr, "all is committed")


def _counts(world: World) -> dict[str, int]:
    return dict(Counter((record.key or b"").decode() for record in world.records(REPORTS)))


def test_ctrl_c_ends_a_worker_and_a_restart_gives_the_same_answer(
    world: World, looked_at, films: Path
):
    before = world.worker
    code = before.end(signal.SIGINT)
    assert world.submit(world.uploads / "copy.mp4")

    assert world.worker is not before
    again = world.report("copy", ordinal=1)

    assert code == 130
    assert "Traceback" not in before.said()
    assert _told(again) == _told(looked_at["reports"]["copy"])


def test_a_worker_is_not_ready_while_its_references_cannot_be_loaded(
    world: World, looked_at, films: Path, tmp_path: Path
):
    store = tmp_path / "not mounted yet"
    worker = world.start("waiting", VCD_STREAM__DESCRIPTOR_STORE=str(store))
    until(lambda: str(store) in worker.said(), "it says what it waits for")
    not_ready, alive = worker.page("/readyz"), worker.page("/livez")

    store.symlink_to(world.folder / "descriptors")
    worker.until_ready()

    assert not_ready == (503, "the references are not complete yet\n")
    assert alive == (200, "ok\n")
    assert worker.end(signal.SIGTERM) == 0
    assert _version(world, "waiting") == _version(world)
