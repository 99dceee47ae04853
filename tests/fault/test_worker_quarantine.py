"""Fault case 16: an upload that kills workers is found, and nobody else is blamed."""

from concurrent.futures import Future
from dataclasses import replace
from functools import partial

import pytest

from tests.fault.fragile_log import Crash, FragileLog, Store
from tests.fault.worker_fakes import (
    BRISK,
    HandStage,
    InstantStage,
    RecordingMetrics,
    partition,
    put_uploads,
    report_on,
    running,
    until,
)
from vcd.core import MatchReport
from vcd.stream.log import Commit
from vcd.stream.messages.dead_letters import decode_dead_letter
from vcd.stream.settings import StreamSettings
from vcd.stream.topics import DEAD_LETTERS, REPORTS, UPLOADS
from vcd.stream.worker import loop
from vcd.stream.worker.notes import Note, decode_note, encode_note
from vcd.stream.worker.worker import Worker

_CAREFUL = Note(num_crashes=3, highest=2)


class KillingStage(InstantStage):
    """Some uploads end the process: at once, or some polls after they were begun."""

    def __init__(self, *killers: str, num_polls: int = 0) -> None:
        super().__init__()
        self.killers = killers
        self.num_polls = num_polls
        self.left: int | None = None

    def submit(self, upload):
        future = super().submit(upload)
        if upload.video_id not in self.killers:
            return future
        if self.num_polls == 0:
            raise Crash
        self.left = self.num_polls
        return type(future)()

    def polled(self) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left == 0:
                raise Crash


def _is_all_said(store: Store) -> bool:
    said = {dict(record.headers)["source"].decode() for record in store.of(REPORTS)}
    said |= {str(decode_dead_letter(record).source) for record in store.of(DEAD_LETTERS)}
    return said == {str(record.place) for record in store.of(UPLOADS)}


def _survives(store: Store, stage: KillingStage, settings: StreamSettings) -> bool:
    """Run one worker until all has an outcome; False when it died before."""
    log = FragileLog(store)
    worker = Worker(log, stage, settings, metrics=RecordingMetrics(), name="w")

    def on_poll() -> None:
        stage.polled()
        if _is_all_said(store):
            worker.stop()

    log.on_poll = on_poll
    try:
        worker.run()
    except Crash:
        return False
    return True


def _num_deaths(store: Store, settings: StreamSettings, *killers: str, num_polls: int = 0) -> int:
    num_deaths = 0
    while not _survives(store, KillingStage(*killers, num_polls=num_polls), settings):
        num_deaths += 1
        assert num_deaths < 30, "workers go on dying"
    return num_deaths


def _convicted(store: Store) -> list[str]:
    letters = [decode_dead_letter(record) for record in store.of(DEAD_LETTERS)]
    assert {letter.reason for letter in letters} <= {"kills_worker"}
    return sorted((letter.key or b"").decode() for letter in letters)


def _uploads(store: Store) -> set[str]:
    names = {index: [f"{'ab'[index]}{number}" for number in range(12)] for index in (0, 1)}
    for index, video_ids in names.items():
        put_uploads(store, *video_ids, index=index)
    return {video_id for video_ids in names.values() for video_id in video_ids}


@pytest.mark.parametrize("num_polls", [0, 1, 5, 40], ids=lambda count: f"{count} polls later")
@pytest.mark.parametrize("max_crashes", [1, 3])
@pytest.mark.parametrize("killer", ["a0", "a5", "b11"])
def test_the_killer_is_convicted_and_all_others_are_reported(killer, max_crashes, num_polls):
    store = Store()
    names = _uploads(store)
    settings = replace(BRISK, max_crashes=max_crashes)

    num_deaths = _num_deaths(store, settings, killer, num_polls=num_polls)

    assert _convicted(store) == [killer]
    assert {(record.key or b"").decode() for record in store.of(REPORTS)} == names - {killer}
    assert max_crashes <= num_deaths <= max_crashes + 4


def test_two_killers_in_one_window_are_both_found():
    store = Store()
    names = _uploads(store)

    _num_deaths(store, BRISK, "a1", "a3")

    assert _convicted(store) == ["a1", "a3"]
    assert {(record.key or b"").decode() for record in store.of(REPORTS)} == names - {"a1", "a3"}


def test_killers_in_two_partitions_are_both_found():
    store = Store()
    names = _uploads(store)

    _num_deaths(store, BRISK, "a2", "b7")

    assert _convicted(store) == ["a2", "b7"]
    assert {(record.key or b"").decode() for record in store.of(REPORTS)} == names - {"a2", "b7"}


def test_a_killer_that_dies_too_fast_for_any_note_is_found_all_the_same():
    class SlowHeadStage(KillingStage):
        """The first upload takes 40 polls, so that the killer behind the first window is begun."""

        def submit(self, upload):
            if upload.video_id != "a0":
                return super().submit(upload)
            self.left = 40
            self.head: Future[MatchReport] = Future()
            self.head_upload = upload
            return self.head

        def polled(self):
            if self.left is not None:
                self.left -= 1
            if self.left == 0:
                self.head.set_result(report_on(self.head_upload))

    store = Store()
    names = _uploads(store)
    settings = replace(BRISK, commit_every_s=3600.0)

    num_deaths = 0
    while not _survives(store, SlowHeadStage("a10"), settings):
        num_deaths += 1
        assert num_deaths < 30, "workers go on dying"

    assert _convicted(store) == ["a10"]
    assert {(record.key or b"").decode() for record in store.of(REPORTS)} == names - {"a10"}
    assert num_deaths <= 2 * settings.max_crashes + 2


def _careful_store(note: Note = _CAREFUL) -> Store:
    store = Store()
    put_uploads(store, "a0", "a1", "a2", "a3", index=0)
    put_uploads(store, "b0", "b1", index=1)
    store.commits[partition()] = Commit(offset=0, note=encode_note(note, 0))
    return store


def test_suspects_are_tried_one_by_one_with_nothing_beside_them():
    store, stage = _careful_store(), HandStage()

    with running(FragileLog(store), stage):
        for video_id in ("a0", "a1", "a2"):
            until(partial(stage.has_seen, video_id))
            assert stage.num_open == 1
            number = int(video_id[1])
            assert decode_note(store.commits[partition()].note, number).alone == number
            stage.finish_all()
        until(lambda: "a3" in stage.seen)
        stage.finish_all()
        until(lambda: set(stage.seen) >= {"b0", "b1"})
        stage.finish_all()
        until(store.is_all_committed)

    assert store.of(DEAD_LETTERS) == []
    note = decode_note(store.commits[partition()].note, 4)
    assert (note.num_crashes, note.alone) == (0, None)


def test_a_suspect_is_not_begun_before_the_note_about_it_is_kept():
    store, stage = _careful_store(), HandStage()
    log = FragileLog(store)

    with running(log, stage):
        until(lambda: "a0" in stage.seen)
        log.commit_answers.extend([False] * 3)
        stage.finish("a0")
        until(lambda: not log.commit_answers or "a1" in stage.seen)
        until(lambda: "a1" in stage.seen)
        assert decode_note(store.commits[partition()].note, 1).alone == 1


def test_a_rebalance_while_a_suspect_is_alone_convicts_nobody():
    store, stage = _careful_store(), HandStage()
    log, next_stage = FragileLog(store), InstantStage()

    with running(log, stage):
        until(lambda: "a0" in stage.seen)
        log.last_reader.to_release = frozenset({partition()})
        until(lambda: partition() not in log.last_reader.positions)
        note = decode_note(store.commits[partition()].note, 0)
        assert (note.is_running, note.alone, note.num_crashes) == (False, None, 3)

    with running(FragileLog(store), next_stage):
        until(store.is_all_committed)

    assert store.of(DEAD_LETTERS) == []


def test_suspects_that_are_gone_hold_up_the_others_only_for_a_while(monkeypatch):
    monkeypatch.setattr(loop, "_CAREFUL_S", 0.1)
    store = _careful_store(Note(num_crashes=3, highest=9))
    stage = InstantStage()

    with running(FragileLog(store), stage):
        until(store.is_all_committed)
        put_uploads(store, "b2", index=1)
        until(lambda: "b2" in stage.seen)

    assert store.of(DEAD_LETTERS) == []


def test_the_first_record_behind_the_suspects_ends_the_careful_time():
    store = Store()
    put_uploads(store, "a0")
    store.put("vcd.uploads", 0, b"", key=b"k", offset=20)
    store.commits[partition()] = Commit(
        offset=0, note=encode_note(Note(num_crashes=3, highest=9), 0)
    )

    with running(FragileLog(store), InstantStage()):
        until(store.is_all_committed)

    assert decode_note(store.commits[partition()].note, 21).num_crashes == 0
