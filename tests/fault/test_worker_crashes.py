"""The law: wherever a worker dies, the next one makes the set of outcomes whole."""

import itertools

import numpy as np
import pytest

from tests.fault.fragile_log import Crash, Fate, FragileLog, Store
from tests.fault.worker_fakes import BRISK, InstantStage, RecordingMetrics, put_uploads
from vcd.core import InputError, TransientError
from vcd.stream.messages.dead_letters import decode_dead_letter
from vcd.stream.topics import BACKFILL, DEAD_LETTERS, REPORTS, UPLOADS
from vcd.stream.worker.worker import Worker

_MOST_POINTS = 1000


def _store() -> Store:
    store = Store()
    put_uploads(store, "a", "b", "undecodable", "c", index=0)
    store.put(UPLOADS, 1, b"garbage", key=b"k")
    put_uploads(store, "flaky", "d", index=1)
    put_uploads(store, "old", "a", index=0, topic=BACKFILL)
    return store


def _live(store: Store, fate: Fate) -> bool:
    """Run one worker until all is committed; False when it died before."""
    log = FragileLog(store, fate)
    stage = InstantStage(
        {
            "undecodable": [InputError("no frame", reason="undecodable")],
            "flaky": [TransientError("503", reason="fetch_failed")],
        }
    )
    worker = Worker(log, stage, BRISK, metrics=RecordingMetrics(), name="w")

    def on_poll() -> None:
        if store.is_all_committed():
            worker.stop()

    log.on_poll = on_poll
    try:
        worker.run()
    except Crash:
        return False
    return True


def _outcomes(store: Store) -> set[tuple[str, object, object]]:
    reports = {(dict(r.headers)["source"].decode(), r.key, r.value) for r in store.of(REPORTS)}
    letters = [decode_dead_letter(record) for record in store.of(DEAD_LETTERS)]
    return reports | {(str(letter.source), letter.reason, letter.value) for letter in letters}


def _lost(store: Store) -> list[str]:
    """Name what is committed and has no outcome."""
    said = {source for source, _, _ in _outcomes(store)}
    return [
        str(record.place)
        for topic in (UPLOADS, BACKFILL)
        for record in store.of(topic)
        if record.place.partition in store.commits
        and record.place.offset < store.commits[record.place.partition].offset
        and str(record.place) not in said
    ]


@pytest.fixture(scope="module")
def whole() -> set[tuple[str, object, object]]:
    store = _store()
    assert _live(store, Fate())
    assert len(_outcomes(store)) == 9
    return _outcomes(store)


def test_for_every_point_of_death_a_restart_gives_the_same_outcomes(whole):
    num_deaths = 0
    for crash_at in range(1, _MOST_POINTS):
        store = _store()
        if _live(store, Fate(crash_at)):
            break
        num_deaths += 1
        assert _lost(store) == [], f"dead at {crash_at}"

        assert _live(store, Fate())

        assert _outcomes(store) == whole, f"dead at {crash_at}"

    assert 50 < num_deaths < _MOST_POINTS - 1


def test_two_deaths_in_a_row_change_nothing(whole, rng: np.random.Generator):
    for first, second in rng.integers(1, 60, size=(60, 2)):
        store = _store()
        _live(store, Fate(int(first)))
        _live(store, Fate(int(second)))

        assert _live(store, Fate())

        assert _outcomes(store) == whole, f"dead at {first}, then at {second}"


def test_however_often_workers_die_nothing_is_lost(rng: np.random.Generator):
    """Deaths without end look like a killer, so that a dead letter may take a report's place."""
    for _ in range(30):
        store = _store()
        for life in itertools.count():
            if _live(store, Fate(int(rng.integers(10, 90)) if life < 12 else None)):
                break
            assert _lost(store) == []

        assert {source for source, _, _ in _outcomes(store)} == {
            str(record.place) for topic in (UPLOADS, BACKFILL) for record in store.of(topic)
        }
