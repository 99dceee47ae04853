"""Fault cases 5, 6, 8, 13, 15, 16, 19 and 20: what finishes when, and what the log is told."""

import pytest

from tests.factories import make_report
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
    upload_bytes,
)
from vcd.core import InputError, SetupError, TransientError, decode_report
from vcd.stream.log import Commit
from vcd.stream.messages.dead_letters import decode_dead_letter
from vcd.stream.settings import StreamSettings
from vcd.stream.topics import BACKFILL, DEAD_LETTERS, REPORTS, UPLOADS
from vcd.stream.worker.notes import decode_note
from vcd.stream.worker.worker import Worker


@pytest.fixture
def store() -> Store:
    return Store()


def _reported(store: Store) -> list[str]:
    return [(record.key or b"").decode() for record in store.of(REPORTS)]


def _dead(store: Store) -> dict[str, str]:
    letters = [decode_dead_letter(record) for record in store.of(DEAD_LETTERS)]
    return {str(letter.source): letter.reason for letter in letters}


def test_a_report_carries_the_id_the_trace_the_source_and_the_worker(store):
    put_uploads(store, "a")

    with running(FragileLog(store), InstantStage(), name="w-7"):
        until(store.is_all_committed)

    (record,) = store.of(REPORTS)
    assert record.key == b"a"
    assert decode_report((record.value or b"").decode()).query_id == "a"
    assert record.headers == (
        ("trace-id", b"t-a"),
        ("source", b"vcd.uploads/0@0"),
        ("worker", b"w-7"),
    )


def test_a_slow_upload_holds_up_the_commit_and_nothing_else(store):
    put_uploads(store, "slow", "b", "c", "d")
    stage = HandStage()

    with running(FragileLog(store), stage):
        until(lambda: stage.num_open == 4)
        stage.finish("d", "b", "c")
        until(lambda: len(_reported(store)) == 3)
        until(lambda: decode_note(store.commits[partition()].note, 0).done == {1, 2, 3})
        assert store.commits[partition()].offset == 0
        stage.finish("slow")
        until(store.is_all_committed)

    assert sorted(_reported(store)) == ["b", "c", "d", "slow"]
    assert {commit.offset for _, commit in store.history} == {0, 4}


def test_offsets_that_do_not_exist_hold_nothing_up(store):
    for offset, video_id in ((3, "a"), (9, "b"), (40, "c")):
        store.put(UPLOADS, 0, upload_bytes(video_id), key=video_id.encode(), offset=offset)

    with running(FragileLog(store), InstantStage()):
        until(store.is_all_committed)

    assert store.commits[partition()].offset == 41


@pytest.mark.parametrize(
    ("value", "key", "reason"),
    [
        (b"\x00\xff garbage", b"k", "not_json"),
        (b'{"schema_version": 99}', b"k", "unknown_version"),
        (b'{"schema_version": 1}', b"k", "wrong_message"),
        (None, b"k", "no_value"),
        (upload_bytes("a"), b"", "no_key"),
        (b" " * 70_000, b"k", "message_too_large"),
    ],
)
def test_a_message_that_is_no_upload_is_a_dead_letter_and_the_next_goes_on(
    store, value, key, reason
):
    place = store.put(UPLOADS, 0, value, key=key)
    put_uploads(store, "good")

    with running(FragileLog(store), InstantStage()) as run:
        until(store.is_all_committed)

    assert _dead(store) == {str(place): reason}
    (letter,) = store.of(DEAD_LETTERS)
    assert (letter.key, letter.value) == (key, value)
    assert _reported(store) == ["good"]
    assert run.metrics.reasons == [reason]
    assert sorted(run.metrics.outcomes) == [("live", "dead_letter"), ("live", "report")]


def test_an_upload_that_can_never_be_looked_at_is_a_dead_letter_at_once(store):
    put_uploads(store, "bad", "good")
    stage = InstantStage({"bad": [InputError("no frame in it", reason="undecodable")]})

    with running(FragileLog(store), stage):
        until(store.is_all_committed)

    assert _dead(store) == {"vcd.uploads/0@0": "undecodable"}
    assert stage.seen.count("bad") == 1
    assert _reported(store) == ["good"]


def test_an_upload_that_the_world_fails_is_tried_again_and_reported(store):
    put_uploads(store, "a")
    stage = InstantStage({"a": [TransientError("503", reason="fetch_failed")] * 3})

    with running(FragileLog(store), stage) as run:
        until(store.is_all_committed)

    assert stage.seen == ["a"] * 4
    assert _reported(store) == ["a"]
    assert run.metrics.retries == ["fetch_failed"] * 3
    assert run.metrics.reasons == []


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (TransientError("503", reason="fetch_failed"), "fetch_failed"),
        (ZeroDivisionError("a bug"), "internal"),
    ],
    ids=["the world", "a bug of the stage"],
)
def test_what_fails_at_every_try_is_a_dead_letter_that_says_how_often(store, error, reason):
    put_uploads(store, "a", "b")
    stage = InstantStage({"a": [error] * 10})

    with running(FragileLog(store), stage):
        until(store.is_all_committed)

    (record,) = store.of(DEAD_LETTERS)
    letter = decode_dead_letter(record)
    assert (letter.reason, letter.attempts) == (reason, BRISK.max_attempts)
    assert _reported(store) == ["b"]


def test_a_stage_that_raises_instead_of_promising_costs_one_upload(store):
    class RaisingStage(InstantStage):
        def submit(self, upload):
            if upload.video_id == "a":
                raise RuntimeError("not as agreed")
            return super().submit(upload)

    put_uploads(store, "a", "b")

    with running(FragileLog(store), RaisingStage()):
        until(store.is_all_committed)

    assert _dead(store) == {"vcd.uploads/0@0": "internal"}
    assert _reported(store) == ["b"]


def test_a_broken_set_up_stops_the_worker_without_committing_what_it_could_not_do(store):
    put_uploads(store, "a", "b", "c")
    stage = InstantStage({"b": [SetupError("the device is gone")]})
    log = FragileLog(store)
    worker = Worker(log, stage, BRISK, metrics=RecordingMetrics(), name="w")

    with pytest.raises(SetupError, match="the device is gone"):
        worker.run()

    assert store.commits[partition()].offset <= 1
    assert not decode_note(store.commits[partition()].note, 1).is_running
    assert log.last_reader.is_closed


def test_a_broken_set_up_stops_a_worker_that_has_nothing_to_do(store):
    log = FragileLog(store)
    worker = Worker(log, InstantStage(), BRISK, metrics=RecordingMetrics(), name="w")
    endings = iter([None] * 5)

    def check() -> None:
        if next(endings, "ended") == "ended":
            raise SetupError("the references are not followed any more")

    worker.also_needs(check)

    with pytest.raises(SetupError, match="not followed any more"):
        worker.run()

    assert log.last_reader.is_closed


def test_a_log_without_the_topics_is_told_how_to_get_them(store):
    del store.num_partitions[REPORTS]
    worker = Worker(FragileLog(store), InstantStage(), BRISK, metrics=RecordingMetrics(), name="w")

    with pytest.raises(SetupError, match=r"no topic vcd\.reports; `vcd log create"):
        worker.run()


def test_a_slow_stage_fills_the_window_and_polling_goes_on(store):
    put_uploads(store, *(f"v{number}" for number in range(50)))
    stage = HandStage()
    log = FragileLog(store)

    with running(log, stage) as run:
        until(lambda: stage.num_open == BRISK.window)
        num_polls = log.num_polls
        until(lambda: log.num_polls > num_polls + 20)
        assert set(log.last_reader.limits[num_polls + 1 :]) == {0}
        assert stage.num_open == BRISK.window
        while not store.is_all_committed():
            stage.finish_all()

    assert run.metrics.most_in_flight <= BRISK.window
    assert len(_reported(store)) == 50


def test_work_runs_only_so_far_ahead_of_the_first_that_is_not_done(store):
    put_uploads(store, *(f"v{number}" for number in range(100)))
    stage = HandStage()
    settings = StreamSettings(window=4, max_span=10, commit_every_s=0.01)

    with running(FragileLog(store), stage, settings):
        until(lambda: stage.num_open == 4)
        while len(stage.seen) < 10:
            stage.finish_all(but="v0")
        stage.finish_all(but="v0")
        until(lambda: len(_reported(store)) == len(stage.seen) - 1)
        num_begun = len(stage.seen)
        assert num_begun <= 10 + 4
        stage.finish("v0")
        until(lambda: len(stage.seen) > num_begun)


def test_old_uploads_take_at_most_their_share_and_fresh_ones_come_first(store):
    put_uploads(store, *(f"old{number}" for number in range(20)), topic=BACKFILL)
    stage = HandStage()

    with running(FragileLog(store), stage):
        until(lambda: stage.num_open == 4)
        put_uploads(store, *(f"new{number}" for number in range(20)))
        until(lambda: stage.num_open == 8)
        assert sum(video_id.startswith("new") for video_id in stage.seen) == 4
        while not store.is_all_committed():
            stage.finish_all()

    order = [video_id[:3] for video_id in stage.seen]
    assert order == ["old"] * 4 + ["new"] * 20 + ["old"] * 16


def test_the_same_video_twice_is_one_verdict_under_one_key(store):
    put_uploads(store, "a", "a")
    stage = HandStage()

    with running(FragileLog(store), stage):
        until(lambda: stage.num_open == 2)
        for future in stage.futures("a"):
            future.set_result(make_report(query_id="a", matches=(), rejected=()))
        until(store.is_all_committed)

    first, second = store.of(REPORTS)
    assert (first.key, first.value) == (second.key, second.value)


def test_what_the_owner_before_us_has_done_is_not_done_again(store):
    put_uploads(store, "a", "b", "c", "d")
    store.commits[partition()] = Commit(offset=1, note='{"v":1,"to":3,"done":"BA=="}')
    stage = InstantStage()

    with running(FragileLog(store), stage) as run:
        until(store.is_all_committed)

    assert stage.seen == ["b", "c"]
    assert ("live", "known") in run.metrics.outcomes


def test_a_partition_that_cannot_be_read_is_named_once_and_the_others_go_on(store, caplog):
    put_uploads(store, "a", index=1)
    log = FragileLog(store)
    log.blocked = {partition(): "the batch at 17 is damaged"}

    with running(log, InstantStage()) as run:
        until(store.is_all_committed)
        assert run.worker.blocked == {partition(): "the batch at 17 is damaged"}

    assert caplog.text.count("vcd.uploads/0 is blocked: the batch at 17 is damaged") == 1
    assert _reported(store) == ["a"]
