"""Fault cases 3 and 4: a worker that is asked to go finishes, or leaves the rest to others."""

from dataclasses import replace

import pytest

from tests.fault.fragile_log import FragileLog, Store
from tests.fault.worker_fakes import (
    BRISK,
    HandStage,
    InstantStage,
    partition,
    put_uploads,
    running,
    until,
)
from vcd.core import TransientError
from vcd.stream.topics import REPORTS
from vcd.stream.worker.notes import decode_note


@pytest.fixture
def store() -> Store:
    store = Store()
    put_uploads(store, *(f"v{number}" for number in range(20)))
    return store


def test_what_is_in_flight_may_finish_and_nothing_new_begins(store):
    log, stage = FragileLog(store), HandStage()

    with running(log, stage) as run:
        until(lambda: stage.num_open == BRISK.window)
        run.worker.stop()
        stage.finish("v0")
        until(lambda: store.of(REPORTS))
        num_polls = log.num_polls
        until(lambda: log.num_polls > num_polls + 5)
        assert run.is_alive
        stage.finish_all()
        run.join()

    assert len(stage.seen) == BRISK.window
    commit = store.commits[partition()]
    assert commit.offset == BRISK.window
    assert not decode_note(commit.note, commit.offset).is_running
    assert log.last_reader.is_closed


def test_what_does_not_finish_in_time_is_left_to_the_next(store):
    settings = replace(BRISK, grace_s=0.3)
    stage, next_stage = HandStage(), InstantStage()

    with running(FragileLog(store), stage, settings) as run:
        until(lambda: stage.num_open == BRISK.window)
        stage.finish("v0", "v2")
        until(lambda: len(store.of(REPORTS)) == 2)
        run.worker.stop()
        run.join()
    assert store.commits[partition()].offset == 1
    assert stage.num_open == 0, "what was begun was called back"

    with running(FragileLog(store), next_stage):
        until(store.is_all_committed)

    assert sorted(next_stage.seen) == sorted(f"v{n}" for n in range(20) if n not in (0, 2))


def test_a_second_word_ends_it_at_once(store):
    stage = HandStage()

    with running(FragileLog(store), stage, replace(BRISK, grace_s=3600.0)) as run:
        until(lambda: stage.num_open == BRISK.window)
        run.worker.stop()
        run.worker.stop()
        run.join()

    commit = store.commits[partition()]
    assert commit.offset == 0
    assert not decode_note(commit.note, 0).is_running


def test_an_upload_that_waits_for_another_try_is_left_to_the_next(store):
    stage = HandStage()
    settings = replace(BRISK, first_retry_s=10.0, max_retry_s=3600.0, grace_s=3600.0, window=1)

    with running(FragileLog(store), stage, settings) as run:
        until(lambda: stage.num_open == 1)
        stage.fail("v0", TransientError("503"))
        until(lambda: run.metrics.retries)
        run.worker.stop()
        run.join()

    assert store.commits[partition()].offset == 0


def test_an_outcome_that_waits_for_the_log_is_still_sent(store):
    log, stage = FragileLog(store), HandStage()
    log.send_answer = lambda topic, value: TransientError("no broker answers")

    with running(log, stage, replace(BRISK, window=1)) as run:
        until(lambda: stage.num_open == 1)
        stage.finish("v0")
        until(lambda: log.num_polls > 20)
        run.worker.stop()
        log.send_answer = lambda topic, value: None
        run.join()

    assert store.commits[partition()].offset == 1


def test_the_last_commit_is_tried_until_it_is_kept(store):
    log, stage = FragileLog(store), HandStage()

    with running(log, stage, replace(BRISK, commit_every_s=1000.0)) as run:
        until(lambda: stage.num_open == BRISK.window)
        log.commit_answers.extend([False] * 4)
        run.worker.stop()
        stage.finish(*stage.seen)
        run.join()

    assert not log.commit_answers
    assert run.metrics.commits[-5:] == [False] * 4 + [True]
    assert store.commits[partition()].offset == BRISK.window


def test_leaving_again_and_again_never_makes_anything_suspect(store):
    for _ in range(BRISK.max_crashes + 2):
        _begin_and_leave(store)

    assert decode_note(store.commits[partition()].note, 0).num_crashes == 0
    assert store.commits[partition()].offset == 0


def _begin_and_leave(store: Store) -> None:
    stage = HandStage()
    with running(FragileLog(store), stage, replace(BRISK, grace_s=0.0)) as run:
        until(lambda: stage.num_open == BRISK.window)
        run.worker.stop()
        run.join()
