"""Fault cases 7, 8 and 9: partitions come and go, and what was begun under another is fenced."""

from collections import deque

import pytest

from tests.fault.fragile_log import FragileLog, FragileReader, Store
from tests.fault.worker_fakes import (
    HandStage,
    InstantStage,
    RecordingMetrics,
    partition,
    put_uploads,
    running,
    until,
)
from vcd.core import TransientError
from vcd.stream.log import Commit, Partition, Place, Record
from vcd.stream.topics import REPORTS
from vcd.stream.worker.notes import decode_note
from vcd.stream.worker.ownership import Ownership


@pytest.fixture
def store() -> Store:
    store = Store()
    put_uploads(store, "a", "b", "c", index=0)
    put_uploads(store, "x", "y", "z", index=1)
    return store


def _release(log: FragileLog, index: int) -> None:
    log.last_reader.to_release = frozenset({partition(index)})
    until(lambda: partition(index) not in log.last_reader.positions)


def test_only_the_partitions_that_move_are_abandoned(store):
    log, stage = FragileLog(store), HandStage()

    with running(log, stage) as run:
        until(lambda: stage.num_open == 6)
        _release(log, 1)
        until(lambda: stage.num_open == 3)
        assert all(stage.futures(video_id)[0].cancelled() for video_id in "xyz")
        assert not any(stage.futures(video_id)[0].done() for video_id in "abc")
        assert partition(1) not in run.worker.owned
        stage.finish("a", "b", "c")
        until(lambda: store.commits[partition(0)].offset == 3)

    assert sorted(stage.seen) == ["a", "b", "c", "x", "y", "z"]


def test_what_is_released_is_committed_as_it_stands_and_in_good_order(store):
    log, stage = FragileLog(store), HandStage()

    with running(log, stage):
        until(lambda: stage.num_open == 6)
        stage.finish("x", "z")
        until(lambda: len(store.of(REPORTS)) == 2)
        _release(log, 1)
        commit = store.commits[partition(1)]

    note = decode_note(commit.note, commit.offset)
    assert (commit.offset, note.done, note.is_running) == (1, frozenset({2}), False)


def test_the_next_owner_does_what_was_left_and_nothing_else(store):
    log, stage = FragileLog(store), HandStage()
    next_stage = InstantStage()

    with running(log, stage):
        until(lambda: stage.num_open == 6)
        stage.finish("x", "z")
        until(lambda: len(store.of(REPORTS)) == 2)
        _release(log, 1)
        next_log = FragileLog(store)
        with running(next_log, next_stage):
            until(lambda: store.commits[partition(1)].offset == 3)
            assert set(next_stage.seen) >= {"y"}

    assert set(next_stage.seen).isdisjoint({"x", "z"})


def test_a_late_result_of_a_partition_that_went_away_moves_nobodys_offset(store):
    class DeafStage(HandStage):
        """Its futures cannot be called back: the work is under way."""

        def submit(self, upload):
            future = super().submit(upload)
            future.set_running_or_notify_cancel()
            return future

    log, stage = FragileLog(store), DeafStage()

    with running(log, stage) as run:
        until(lambda: stage.num_open == 6)
        _release(log, 1)
        store.keep({partition(1): Commit(offset=3, note="the new owner's")})
        stage.finish("x", "y", "z", "a")
        until(lambda: store.commits[partition(0)].offset == 1)

    assert store.commits[partition(1)] == Commit(offset=3, note="the new owner's")
    assert [record.key for record in store.of(REPORTS)] == [b"a"]
    assert run.metrics.outcomes == [("live", "report")]


def test_an_acknowledgement_that_comes_too_late_counts_for_nobody(store):
    log = FragileLog(store)
    log.is_answering = False

    with running(log, InstantStage()) as run:
        until(lambda: len(log.unanswered) == 6)
        log.last_reader.to_lose = frozenset({partition(0), partition(1)})
        until(lambda: not log.last_reader.positions.keys() & {partition(0), partition(1)})
        for future in log.unanswered:
            future.set_result(store.of("vcd.uploads")[0].place)
        until(lambda: run.worker.owned == frozenset(log.last_reader.positions))

    assert {commit.offset for _, commit in store.history} <= {0}
    assert run.metrics.outcomes == []


def test_membership_that_is_lost_commits_nothing_and_is_taken_up_again(store):
    log, stage = FragileLog(store), HandStage()

    with running(log, stage) as run:
        until(lambda: stage.num_open == 6)
        stage.finish("a", "x")
        until(lambda: store.commits[partition(0)].offset == 1)
        until(lambda: store.commits[partition(1)].offset == 1)
        log.last_reader.to_lose = frozenset({partition(0), partition(1)})
        until(lambda: stage.num_open == 0)
        num_commits = len(store.history)
        stage_before = len(stage.seen)
        log.last_reader.to_gain = frozenset({partition(0), partition(1)})
        until(lambda: stage.num_open == 4)
        assert sorted(stage.seen[stage_before:]) == ["b", "c", "y", "z"]
        stage.finish("b", "c", "y", "z")
        until(store.is_all_committed)
        assert run.is_alive

    assert num_commits < len(store.history)
    assert sorted(record.key or b"" for record in store.of(REPORTS)) == [
        *(b"a", b"b", b"c", b"x", b"y", b"z")
    ]


def test_a_record_that_is_delivered_twice_is_worked_once(store):
    log, stage = FragileLog(store), HandStage()

    with running(log, stage):
        until(lambda: stage.num_open == 6)
        log.last_reader.positions[partition(0)] = 0
        until(lambda: log.last_reader.positions[partition(0)] == 3)
        stage.finish("a", "b", "c", "x", "y", "z")
        until(store.is_all_committed)

    assert sorted(stage.seen) == ["a", "b", "c", "x", "y", "z"]


def test_nothing_of_a_new_partition_begins_before_it_is_known_where_it_stands(store):
    log, stage = FragileLog(store), HandStage()
    log.committed_errors.extend([TransientError("no coordinator")] * 1000)

    with running(log, stage):
        until(lambda: len(log.committed_errors) < 998)
        assert stage.seen == []
        log.committed_errors.clear()
        until(lambda: stage.num_open == 6)


def test_a_note_that_is_kept_while_its_partition_comes_back_covers_nothing_of_the_new_stay():
    ownership = Ownership(RecordingMetrics(), max_crashes=3)
    place = frozenset({partition()})
    record = Record(place=Place(partition(), 0), key=b"k", value=b"v")
    ownership.gained(place)
    ownership.released(place)
    ownership.gained(place)
    (assignment,) = ownership.assignments()

    ownership.commits_kept(place, are_kept=True)
    ownership.deliver(record)
    ownership.open(assignment, None)

    assert ownership.take(assignment) == []
    ownership.commits_kept(ownership.announcements([assignment]), are_kept=True)
    assert ownership.take(assignment) == [record]


def test_a_log_that_is_silent_is_asked_for_one_partition_a_turn(store):
    """Each question may take seconds: a watchdog must not see them in a row."""
    log, stage = FragileLog(store), HandStage()
    asked_at: list[int] = []

    class Silence(deque[Exception]):
        def popleft(self) -> Exception:
            asked_at.append(log.num_polls)
            return super().popleft()

    log.committed_errors = Silence([TransientError("no coordinator")] * 4)

    with running(log, stage):
        until(lambda: stage.num_open == 6)
        stage.finish_all()
        until(store.is_all_committed)

    assert len(set(asked_at)) == len(asked_at) == 4


def test_a_partition_whose_commit_cannot_be_read_keeps_no_other_from_beginning(store, monkeypatch):
    log, stage = FragileLog(store), HandStage()
    committed = FragileReader.committed

    def silent_on_the_first(reader: FragileReader, asked: Partition) -> Commit | None:
        if asked == partition(0):
            raise TransientError("an offset that is not stable")
        return committed(reader, asked)

    monkeypatch.setattr(FragileReader, "committed", silent_on_the_first)

    with running(log, stage):
        until(lambda: stage.seen == ["x", "y", "z"])
        stage.finish_all()


def test_nothing_of_a_new_partition_begins_before_its_note_is_kept(store):
    log, stage = FragileLog(store), HandStage()
    log.commit_answers.extend([False] * 1000)

    with running(log, stage):
        until(lambda: len(log.commit_answers) < 998)
        assert stage.seen == []
        log.commit_answers.clear()
        until(lambda: stage.num_open == 6)
        running_notes = [decode_note(commit.note, 0).is_running for _, commit in store.history]

    assert running_notes == [True, True]
