"""Decisions that are kept with an index."""

import json
from pathlib import Path

import pytest

from tests.factories import SPACE, make_descriptors, make_video
from tests.unit.evidence.decisions_made import make_decision
from vcd.core import Interval, SetupError
from vcd.evidence import JUDGED_NAME, keep_decisions, read_judged
from vcd.search import IndexWriter, read_info


@pytest.fixture
def index(tmp_path: Path, rng) -> Path:
    path = tmp_path / "refs.index"
    with IndexWriter.open(path, space=SPACE, rate_hz=2.0, weights="test") as writer:
        writer.add(make_video("r"), make_descriptors("r", 5, rng))
    return path


def test_an_index_without_decisions_has_none(index):
    assert read_judged(index) == ()


def test_what_is_kept_is_read_back_and_the_version_stays(index):
    before = read_info(index)
    decisions = [make_decision("copy"), make_decision("not_a_copy", ref=Interval(20.0, 30.0))]

    kept = keep_decisions(index, decisions)

    assert kept.judged == read_judged(index) == tuple(decisions)
    assert (kept.num_new, kept.num_unchanged, kept.changed) == (2, 0, ())
    assert read_info(index) == before


def test_the_same_decisions_again_change_nothing(index):
    keep_decisions(index, [make_decision()])
    file = index / JUDGED_NAME
    before = (file.read_bytes(), file.stat().st_ino)

    kept = keep_decisions(index, [make_decision()])

    assert (kept.num_new, kept.num_unchanged) == (0, 1)
    assert (file.read_bytes(), file.stat().st_ino) == before


def test_a_later_verdict_replaces_an_earlier_one(index):
    early, late = make_decision("copy"), make_decision("not_a_copy", minute=1)
    keep_decisions(index, [early])

    kept = keep_decisions(index, [late])

    assert read_judged(index) == (late,)
    assert kept.changed == ((early, late),)
    assert (kept.num_new, kept.num_unchanged) == (0, 0)


def test_an_earlier_verdict_that_comes_late_changes_nothing(index):
    early, late = make_decision("copy"), make_decision("not_a_copy", minute=1)
    keep_decisions(index, [late])

    kept = keep_decisions(index, [early])

    assert read_judged(index) == (late,)
    assert (kept.num_unchanged, kept.changed) == (1, ())


def test_damage_is_found_and_says_what_to_do(index):
    keep_decisions(index, [make_decision("copy")])
    file = index / JUDGED_NAME
    file.write_bytes(file.read_bytes().replace(b'"copy"', b'"not_a_copy"'))

    with pytest.raises(SetupError, match=r"decisions\.json: damaged \(its checksum is wrong\)"):
        read_judged(index)


def test_a_newer_version_is_refused(index):
    keep_decisions(index, [make_decision("copy")])
    file = index / JUDGED_NAME
    file.write_text(json.dumps({**json.loads(file.read_text()), "version": 2}))

    with pytest.raises(SetupError, match="wanted vcd index decisions of version 1, got"):
        read_judged(index)


def test_an_index_that_follows_a_log_keeps_none(index):
    (index / "log.json").write_text(json.dumps({"address": "sqlite:bus.db"}))

    with pytest.raises(SetupError, match="vcd references add"):
        keep_decisions(index, [make_decision()])

    assert not (index / JUDGED_NAME).exists()


def test_an_index_that_is_being_written_is_left_alone(index):
    with (
        IndexWriter.open(index, space=SPACE, rate_hz=2.0, weights="test"),
        pytest.raises(SetupError, match="is being written"),
    ):
        keep_decisions(index, [make_decision()])

    keep_decisions(index, [make_decision()])
    assert len(read_judged(index)) == 1
