"""A view of the references that dies before any step, or finds the disk full, recovers."""

import os
import tempfile
from pathlib import Path
from typing import cast

import pytest

from tests.factories import SPACE
from tests.fault.disk_steps import Countdown, before_each_step, kill_self, run_out_of_space
from tests.reference_log import RATE_HZ, DeadLetters, ReferenceLog, announce, described
from vcd.core import VcdError
from vcd.search import SearchSettings, read_info
from vcd.stream.log import Log
from vcd.stream.references import follower as reference_follower
from vcd.stream.references import topic_end
from vcd.stream.references.descriptor_store import DescriptorStore
from vcd.stream.references.follower import ReferenceFollower
from vcd.stream.references.index import IndexTerms, ReferenceIndex
from vcd.stream.references.snapshot import Snapshot, read_snapshot

TERMS = IndexTerms(space=SPACE, rate_hz=RATE_HZ, weights="test")


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference_follower, "_BATCH_S", 0.0)
    monkeypatch.setattr(reference_follower, "_FIRST_BATCHES_S", 0.0)
    monkeypatch.setattr(reference_follower, "_MAX_RECORDS", 3)
    monkeypatch.setattr(topic_end, "_ASK_EVERY_S", 0.0)


@pytest.fixture
def store(tmp_path: Path) -> DescriptorStore:
    return DescriptorStore(str(tmp_path / "store"))


@pytest.fixture
def log(store: DescriptorStore) -> ReferenceLog:
    """Add, replace and remove, so that no two prefixes leave the same references."""
    log = ReferenceLog()
    announce(log, store, "a")
    announce(log, store, "b")
    announce(log, store, "c")
    log.send(b"a", None)
    announce(log, store, "b", seed=1)
    log.send(b"d", None)
    announce(log, store, "a", seed=2)
    log.send(b"c", None)
    announce(log, store, "e")
    return log


def follow(log: ReferenceLog, store: DescriptorStore, directory: Path) -> None:
    """Follow until everything is in effect, as a worker does between its start and its end."""
    index = ReferenceIndex(directory, TERMS, SearchSettings())
    try:
        snapshot = read_snapshot(directory) or _beginning(log)
        follower = ReferenceFollower(cast(Log, log), index, snapshot, store, DeadLetters())
    except BaseException:
        index.close()
        raise
    try:
        while follower.offset < log.end or not follower.is_caught_up:
            follower.step()
    except BaseException:
        follower.abandon()
        raise
    follower.close()


def _beginning(log: ReferenceLog) -> Snapshot:
    return Snapshot(
        log=log.name, address=log.address, topic="vcd.references", offset=0, complete_at_s=2e9
    )


def says(directory: Path) -> str:
    return read_info(directory).version


@pytest.fixture
def truth(log: ReferenceLog, store: DescriptorStore, tmp_path: Path) -> str:
    """The version that an undisturbed view comes to."""
    follow(log, store, tmp_path / "undisturbed")
    assert [video.id for video in read_info(tmp_path / "undisturbed").refs] == ["a", "b", "e"]
    return says(tmp_path / "undisturbed")


@pytest.mark.slow
def test_a_view_that_is_killed_before_any_step_says_the_same_after_a_restart(
    log, store, truth, tmp_path, monkeypatch
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    num_killed = 0
    for k in range(10_000):
        directory = tmp_path / f"killed-{k:03d}"
        child = os.fork()
        if child == 0:
            with before_each_step(Countdown(k, kill_self)):
                follow(log, store, directory)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if status == 0:
            break
        assert os.WIFSIGNALED(status), f"step {k}: ended with status {status}"
        num_killed += 1

        follow(log, store, directory)

        assert says(directory) == truth, f"killed before step {k}"
        snapshot = read_snapshot(directory)
        assert snapshot is not None
        assert snapshot.offset == log.end
    assert num_killed > 50


@pytest.mark.slow
def test_a_view_whose_disk_is_full_at_any_step_ends_and_says_the_same_after_a_restart(
    log, store, truth, tmp_path, monkeypatch
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr("vcd.stream.references.pending._FIRST_RETRY_S", 0.001)
    num_failed = 0
    for k in range(10_000):
        directory = tmp_path / f"full-{k:03d}"
        countdown = Countdown(k, run_out_of_space)
        with before_each_step(countdown):
            try:
                follow(log, store, directory)
            except VcdError:
                num_failed += 1
        if countdown.num_left >= 0:
            break

        follow(log, store, directory)

        assert says(directory) == truth, f"full at step {k}"
    assert num_failed > 10


def test_what_is_recorded_never_lies_ahead_of_what_is_published(
    log, store, truth, tmp_path, monkeypatch
):
    for name, seconds in (("_BATCH_S", 0.05), ("_FIRST_BATCHES_S", 0.05), ("_KEEP_EVERY_S", 0.0)):
        monkeypatch.setattr(reference_follower, name, seconds)
    directory = tmp_path / "index"
    index = ReferenceIndex(directory, TERMS, SearchSettings())
    follower = ReferenceFollower(cast(Log, log), index, _beginning(log), store, DeadLetters())
    seen: set[int] = set()
    while not (follower.is_caught_up and follower.offset == log.end):
        follower.step()
        snapshot = read_snapshot(directory)
        assert snapshot is not None
        seen.add(snapshot.offset)
        published = {ref.video.id for ref in read_info(directory).references}
        whole = ReferenceLog()
        whole.records, whole.end = log.records[: snapshot.offset], snapshot.offset
        last = {record.key: record.value for record in whole.records}
        changed_later = {record.key for record in log.records[snapshot.offset :]}
        for key, value in last.items():
            if key is not None and key not in changed_later:
                assert (key.decode() in published) == (value is not None)
    follower.close()
    assert len(seen) > 1


def test_descriptors_of_the_truth_are_those_of_the_last_change(log, store, truth, tmp_path):
    index = ReferenceIndex(tmp_path / "undisturbed", TERMS, SearchSettings())

    found = index.published.descriptors("b")
    index.close()

    assert (found.features == described("b", seed=1).features).all()
