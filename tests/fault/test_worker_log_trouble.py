"""Fault cases 10, 11, 12 and 17: the log does not take what it is given, for a while or ever."""

import pytest

from tests.fault.fragile_log import FragileLog, Store
from tests.fault.worker_fakes import (
    BRISK,
    HandStage,
    InstantStage,
    RecordingMetrics,
    partition,
    put_uploads,
    running,
    until,
)
from vcd.core import InputError, SetupError, TransientError
from vcd.stream.messages.dead_letters import decode_dead_letter
from vcd.stream.topics import DEAD_LETTERS, REPORTS
from vcd.stream.worker.worker import Worker

_DOWN = TransientError("no broker answers")


@pytest.fixture
def store() -> Store:
    store = Store()
    put_uploads(store, *(f"v{number}" for number in range(20)))
    return store


def test_commits_that_fail_are_tried_again_and_nothing_is_raised(store):
    log = FragileLog(store)

    with running(log, InstantStage()) as run:
        until(lambda: store.history)
        log.commit_answers.extend([False] * 5)
        put_uploads(store, "late")
        until(lambda: run.metrics.commits.count(False) == 5)
        until(store.is_all_committed)

    assert len(store.of(REPORTS)) == 21


def test_while_the_log_takes_nothing_the_window_fills_and_nothing_is_committed(store):
    log, stage = FragileLog(store), InstantStage()
    log.send_answer = lambda topic, value: _DOWN

    with running(log, stage) as run:
        until(lambda: len(stage.seen) == BRISK.window)
        num_polls = log.num_polls
        until(lambda: log.num_polls > num_polls + 50)
        assert len(stage.seen) == BRISK.window
        assert store.commits[partition()].offset == 0
        log.send_answer = lambda topic, value: None
        until(store.is_all_committed)

    assert sorted(stage.seen) == sorted(f"v{number}" for number in range(20)), "none worked twice"
    assert len(store.of(REPORTS)) == 20
    assert run.metrics.reasons == []


def test_without_a_topic_for_dead_letters_nothing_is_dropped_and_the_worker_waits():
    store = Store()
    for _ in range(20):
        store.put("vcd.uploads", 0, b"garbage", key=b"k")
    log = FragileLog(store)
    log.send_answer = lambda topic, value: _DOWN if topic == DEAD_LETTERS else None

    with running(log, InstantStage()) as run:
        until(lambda: log.num_polls > 50)
        assert store.commits[partition()].offset == 0
        assert run.metrics.reasons == []
        log.send_answer = lambda topic, value: None
        until(store.is_all_committed)

    places = {str(decode_dead_letter(letter).source) for letter in store.of(DEAD_LETTERS)}
    assert len(places) == 20


def test_a_report_that_the_log_will_never_take_is_a_dead_letter_and_the_next_is_sent(store):
    log = FragileLog(store)
    refusals = [InputError("1,200,000 bytes, the log takes 1,048,576")]
    log.send_answer = lambda topic, value: refusals.pop() if refusals else None

    with running(log, InstantStage()):
        until(store.is_all_committed)

    (letter,) = store.of(DEAD_LETTERS)
    assert decode_dead_letter(letter).reason == "report_too_large"
    assert len(store.of(REPORTS)) == 19


def test_a_dead_letter_that_the_log_will_never_take_goes_with_its_first_bytes():
    store = Store()
    store.put("vcd.uploads", 0, b"x" * 100_000, key=b"k")
    log = FragileLog(store)
    log.send_answer = lambda topic, value: (
        InputError("too large") if len(value or b"") > 5000 else None
    )

    with running(log, InstantStage()):
        until(store.is_all_committed)

    (record,) = store.of(DEAD_LETTERS)
    letter = decode_dead_letter(record)
    assert (letter.reason, str(letter.source)) == ("message_too_large", "vcd.uploads/0@0")
    assert letter.num_bytes_left_out == 100_000 - 4096


def test_a_log_that_takes_no_dead_letter_at_all_stops_the_worker_and_keeps_the_message():
    store = Store()
    store.put("vcd.uploads", 0, b"garbage", key=b"k")
    log = FragileLog(store)
    log.send_answer = lambda topic, value: InputError("there is no such topic")
    worker = Worker(log, InstantStage(), BRISK, metrics=RecordingMetrics(), name="w")

    with pytest.raises(SetupError, match="the log takes no dead letter: there is no such topic"):
        worker.run()

    assert store.commits[partition()].offset == 0


def test_outcomes_that_wait_for_the_log_do_not_keep_the_stage_from_others():
    store = Store()
    put_uploads(store, "a", index=0)
    put_uploads(store, "b", index=1)
    log, stage = FragileLog(store), HandStage()
    log.send_answer = lambda topic, value: _DOWN

    with running(log, stage):
        until(lambda: stage.num_open == 2)
        stage.finish("a")
        put_uploads(store, "c", index=1)
        until(lambda: "c" in stage.seen)
        log.send_answer = lambda topic, value: None
        stage.finish("b", "c")
        until(store.is_all_committed)


def test_reports_that_nobody_may_write_stop_the_worker_and_are_no_dead_letters(store):
    log = FragileLog(store)
    log.send_answer = lambda topic, value: (
        SetupError("there is no such topic") if topic == REPORTS else None
    )
    worker = Worker(log, InstantStage(), BRISK, metrics=RecordingMetrics(), name="w")

    with pytest.raises(SetupError, match="there is no such topic"):
        worker.run()

    assert store.of(DEAD_LETTERS) == []
    assert store.commits[partition()].offset == 0
