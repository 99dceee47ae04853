"""A view of the references: every change takes effect, in order, and a restart says the same."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from tests.factories import SPACE
from tests.reference_log import (
    RATE_HZ,
    DeadLetters,
    ReferenceLog,
    announce,
    change_of,
    described,
    wait_for,
)
from vcd.core import DescriptorSpace, InputError, Interval, SetupError, TransientError
from vcd.search import IndexWriter, SearchSettings, read_info
from vcd.stream.log import Log
from vcd.stream.messages.envelope import encode_reference
from vcd.stream.references import follower as reference_follower
from vcd.stream.references import topic_end
from vcd.stream.references.descriptor_store import DescriptorStore
from vcd.stream.references.index import IndexTerms
from vcd.stream.references.snapshot import Snapshot, read_snapshot, write_snapshot
from vcd.stream.references.view import ReferenceView

TERMS = IndexTerms(space=SPACE, rate_hz=RATE_HZ, weights="test")
OTHER_SPACE = DescriptorSpace(name="other", dim=SPACE.dim, fingerprint="0" * 16)


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batch and ask ten times as often as in earnest, so that the tests take a tenth."""
    monkeypatch.setattr(reference_follower, "_BATCH_S", 0.03)
    monkeypatch.setattr(reference_follower, "_IDLE_POLL_S", 0.03)
    monkeypatch.setattr(topic_end, "_ASK_EVERY_S", 0.05)


@pytest.fixture
def log() -> ReferenceLog:
    return ReferenceLog()


@pytest.fixture
def store(tmp_path: Path) -> DescriptorStore:
    store = DescriptorStore(str(tmp_path / "store"))
    store.put(described("so that the store is there"))
    return store


@pytest.fixture
def dead() -> DeadLetters:
    return DeadLetters()


Opens = Callable[..., AbstractContextManager[ReferenceView]]


@pytest.fixture
def opened(log: ReferenceLog, store: DescriptorStore, dead: DeadLetters, tmp_path: Path) -> Opens:
    """Open a view of the log, and wait until it has caught up unless told not to."""

    @contextmanager
    def open_view(
        *, waits: bool = True, on: ReferenceLog = log, terms: IndexTerms = TERMS
    ) -> Iterator[ReferenceView]:
        settings = SearchSettings()
        view = ReferenceView(
            cast(Log, on),
            tmp_path / "index",
            terms,
            search=settings,
            store=store,
            refuse=dead,
        )
        with view:
            assert not waits or view.wait_until_caught_up(20.0)
            yield view

    return open_view


def _recorded(directory: Path) -> Snapshot:
    snapshot = read_snapshot(directory)
    assert snapshot is not None
    return snapshot


def _ids(view: ReferenceView) -> list[str]:
    return list(view.current().ref_ids)


def test_what_was_announced_before_is_there_when_it_has_caught_up(log, store, opened):
    for ref_id in ("a", "b", "c"):
        announce(log, store, ref_id)

    with opened() as view:
        assert _ids(view) == ["a", "b", "c"]
        assert view.offset == 3


def test_an_empty_topic_is_caught_up_with_at_once(opened):
    with opened() as view:
        assert _ids(view) == []


def test_added_replaced_and_removed_references_take_effect(log, store, opened):
    announce(log, store, "a")
    with opened() as view:
        announce(log, store, "b")
        wait_for(lambda: _ids(view) == ["a", "b"])
        announce(log, store, "b", seed=1)
        wait_for(lambda: view.offset == 3)
        assert (view.current().descriptors("b").features == described("b", seed=1).features).all()
        log.send(b"a", None)
        wait_for(lambda: _ids(view) == ["b"])


def test_excluded_stretches_are_taken_over(log, store, opened):
    excluded = (Interval(1.0, 2.0),)
    log.send(b"a", encode_reference(change_of(store, "a", excluded=excluded)))

    with opened() as view:
        assert view.current().info.by_id["a"].excluded == excluded


def test_excluding_more_of_a_known_reference_takes_effect(log, store, opened):
    announce(log, store, "a")
    with opened() as view:
        excluded = (Interval(0.0, 1.5),)
        log.send(b"a", encode_reference(change_of(store, "a", excluded=excluded)))

        wait_for(lambda: view.current().info.by_id["a"].excluded == excluded)
        index = view.current()
        assert not index.descriptors("a").is_informative[:3].any()  # half a second each
        assert index.descriptors("a").is_informative[3:].all()
        assert index.stored_descriptors("a").is_informative.all()


def test_a_query_keeps_the_version_that_it_began_with(log, store, opened):
    announce(log, store, "a")
    with opened() as view:
        before = view.current()
        log.send(b"a", None)
        wait_for(lambda: _ids(view) == [])

        (hits, *_) = before.hits(described("a"), min_score=0.9)
        assert before.ref_ids == ("a",)
        assert len(hits) == 6


def test_the_version_is_that_of_an_ordinary_index_of_the_same_references(
    log, store, opened, tmp_path
):
    for ref_id in ("b", "a", "c"):
        announce(log, store, ref_id)
    log.send(b"c", None)
    ordinary = tmp_path / "ordinary"
    with IndexWriter.open(ordinary, space=SPACE, rate_hz=RATE_HZ, weights="test") as writer:
        for ref_id in ("a", "b"):
            writer.add(change_of(store, ref_id).video, described(ref_id))

    with opened() as view:
        assert view.current().version == read_info(ordinary).version


def test_a_restart_says_the_same_and_fetches_nothing_again(log, store, opened, tmp_path):
    for ref_id in ("a", "b"):
        announce(log, store, ref_id)
    with opened() as view:
        before = view.current().version
    for file in (tmp_path / "store").iterdir():
        file.unlink()

    with opened() as view:
        assert view.current().version == before
        assert view.num_pending == 0


def test_what_changed_while_it_was_away_is_in_effect_after_a_restart(log, store, opened):
    announce(log, store, "a")
    with opened():
        pass
    announce(log, store, "b")
    log.send(b"a", None)

    with opened() as view:
        assert _ids(view) == ["b"]


def test_nothing_is_served_before_it_has_caught_up(log, store, opened):
    announce(log, store, "a")
    log.is_reachable = False

    with opened(waits=False) as view:
        assert not view.wait_until_caught_up(0.1)
        with pytest.raises(TransientError, match="not complete yet"):
            view.current()
        log.is_reachable = True
        assert view.wait_until_caught_up(20.0)


def test_a_closed_view_serves_nothing(opened):
    with opened() as view:
        pass

    with pytest.raises(SetupError, match="the view is closed"):
        view.current()


def _bad_messages(store: DescriptorStore) -> dict[str, tuple[bytes | None, bytes | None]]:
    good = change_of(store, "bad")
    elsewhere = replace(good.descriptors, uri="../" + good.descriptors.uri)
    other_id = replace(good, descriptors=change_of(store, "x").descriptors)
    return {
        "not_json": (b"bad", b"\xffgarbage"),
        "no_key": (None, encode_reference(good)),
        "wrong_key": (b"other", encode_reference(good)),
        "wrong_message": (b"bad", b'{"schema_version": 1}'),
        "unknown_version": (b"bad", b'{"schema_version": 99}'),
        "other_space": (b"bad", encode_reference(replace(good, space=OTHER_SPACE))),
        "other_rate": (b"bad", encode_reference(replace(good, rate_hz=4.0))),
        "outside_store": (b"bad", encode_reference(replace(good, descriptors=elsewhere))),
        "descriptor_file_damaged": (b"bad", encode_reference(other_id)),
    }


@pytest.mark.parametrize(
    "reason",
    [
        "not_json",
        "no_key",
        "wrong_key",
        "wrong_message",
        "unknown_version",
        "other_space",
        "other_rate",
        "outside_store",
        "descriptor_file_damaged",
    ],
)
def test_a_bad_message_is_refused_with_its_reason_and_the_others_go_on(
    log, store, dead, opened, reason
):
    with opened() as view:
        announce(log, store, "a")
        bad = log.send(*_bad_messages(store)[reason])
        announce(log, store, "b")

        wait_for(lambda: view.offset == 3)

        assert _ids(view) == ["a", "b"]
        assert dead.reasons == [(bad, reason)]


@pytest.mark.parametrize(
    ("key", "reason"), [(b"", "no_key"), (None, "no_key"), (b"\xff", "wrong_key")]
)
def test_a_removal_of_nothing_that_can_be_named_is_refused(log, dead, opened, key, reason):
    bad = log.send(key, None)

    with opened():
        assert dead.reasons == [(bad, reason)]


def test_a_damaged_change_leaves_what_was_known(log, store, dead, opened, tmp_path):
    announce(log, store, "a")
    with opened() as view:
        change = change_of(store, "a", seed=1)
        (tmp_path / "store" / change.descriptors.uri).write_bytes(b"damaged")
        log.send(b"a", encode_reference(change))
        wait_for(lambda: dead.reasons == [(1, "descriptor_file_damaged")])

        assert (view.current().descriptors("a").features == described("a").features).all()


def test_a_file_that_is_missing_holds_up_no_other_and_comes_into_effect_later(
    log, store, dead, opened, tmp_path
):
    announce(log, store, "a")
    with opened() as view:
        change = change_of(store, "a", seed=1)
        path = tmp_path / "store" / change.descriptors.uri
        path.rename(tmp_path / "kept")
        missing = log.send(b"a", encode_reference(change))
        announce(log, store, "b")
        wait_for(lambda: _ids(view) == ["a", "b"] and view.num_pending == 1)
        assert (view.current().descriptors("a").features == described("a").features).all()
        assert view.offset == missing

        (tmp_path / "kept").rename(path)

        wait_for(lambda: view.num_pending == 0)
        assert (view.current().descriptors("a").features == described("a", seed=1).features).all()
        assert dead.reasons == []


def test_the_recorded_offset_stays_below_a_file_that_is_missing(log, store, opened, tmp_path):
    with opened() as view:
        change = change_of(store, "a")
        (tmp_path / "store" / change.descriptors.uri).unlink()
        missing = log.send(b"a", encode_reference(change))
        announce(log, store, "b")
        wait_for(lambda: _ids(view) == ["b"])

    assert (missing, _recorded(tmp_path / "index").offset) == (0, 0)


def test_a_later_change_puts_an_end_to_waiting_for_a_lost_file(log, store, opened, tmp_path):
    with opened() as view:
        change = change_of(store, "a")
        (tmp_path / "store" / change.descriptors.uri).unlink()
        log.send(b"a", encode_reference(change))
        wait_for(lambda: view.num_pending == 1)

        log.send(b"a", None)

        wait_for(lambda: view.num_pending == 0)
        assert view.offset == 2
        assert _ids(view) == []


def test_a_store_that_is_not_there_keeps_it_from_being_caught_up(log, store, opened, tmp_path):
    announce(log, store, "a")
    (tmp_path / "store").rename(tmp_path / "away")

    with opened(waits=False) as view:
        assert not view.wait_until_caught_up(1.0)
        (tmp_path / "away").rename(tmp_path / "store")
        assert view.wait_until_caught_up(30.0)
        assert _ids(view) == ["a"]


def test_one_lost_file_does_not_keep_it_from_being_caught_up_for_ever(
    log, store, opened, tmp_path, monkeypatch
):
    monkeypatch.setattr("vcd.stream.references.pending._FIRST_RETRY_S", 0.01)
    announce(log, store, "a")
    change = change_of(store, "lost")
    (tmp_path / "store" / change.descriptors.uri).unlink()
    log.send(b"lost", encode_reference(change))

    with opened() as view:
        assert _ids(view) == ["a"]
        assert view.num_pending == 1


class _HangingStore(DescriptorStore):
    """Never gives one file, until it is let go."""

    def __init__(self, location: str) -> None:
        super().__init__(location)
        self.let_go = threading.Event()

    def fetch(self, file, *, video_id):
        if video_id == "hangs":
            self.let_go.wait(30.0)
        return super().fetch(file, video_id=video_id)


def test_a_fetch_that_hangs_holds_up_no_other(log, store, dead, tmp_path):
    hanging = _HangingStore(store.location)
    announce(log, store, "hangs")
    announce(log, store, "b")
    search = SearchSettings()

    with ReferenceView(
        cast(Log, log), tmp_path / "index", TERMS, search=search, store=hanging, refuse=dead
    ) as view:
        wait_for(lambda: view.num_pending == 2)
        assert not view.is_caught_up
        hanging.let_go.set()
        assert view.wait_until_caught_up(20.0)
        hanging.let_go.clear()
        announce(log, store, "hangs", seed=1)
        announce(log, store, "c")
        wait_for(lambda: _ids(view) == ["b", "c", "hangs"])
        hanging.let_go.set()
        wait_for(lambda: view.num_pending == 0)


def test_a_dead_letter_that_is_not_durable_keeps_the_offset_below_it(
    log, store, dead, opened, tmp_path
):
    dead.is_open = False
    with opened() as view:
        bad = log.send(b"bad", b"garbage")
        announce(log, store, "a")
        wait_for(lambda: _ids(view) == ["a"])
    assert _recorded(tmp_path / "index").offset == bad

    dead.is_open = True
    with opened() as view:
        wait_for(lambda: dead.reasons == [(bad, "not_json")])

    assert _recorded(tmp_path / "index").offset == 2


def test_the_age_grows_while_the_log_does_not_answer(log, opened):
    with opened() as view:
        wait_for(lambda: view.age_s() is not None)
        log.is_reachable = False
        time.sleep(0.6)  # longer than a question takes to be asked again
        first = view.age_s()
        wait_for(lambda: view.age_s() > first + 0.6)

        log.is_reachable = True

        wait_for(lambda: view.age_s() < 0.6)


def test_the_age_grows_while_a_file_is_missing(log, store, opened, tmp_path):
    with opened() as view:
        change = change_of(store, "a")
        (tmp_path / "store" / change.descriptors.uri).unlink()
        log.send(b"a", encode_reference(change))

        wait_for(lambda: (view.age_s() or 0.0) > 1.5)


def _age_snapshot(directory: Path, seconds: float) -> None:
    snapshot = _recorded(directory)
    aged = replace(snapshot, complete_at_s=snapshot.complete_at_s - seconds)
    write_snapshot(directory, aged)


def test_a_removal_whose_tombstone_is_gone_is_found_by_reading_anew(log, store, opened, tmp_path):
    for ref_id in ("a", "b"):
        announce(log, store, ref_id)
    with opened():
        pass
    log.send(b"a", None)
    announce(log, store, "c")
    log.compact(tombstones=True)
    _age_snapshot(tmp_path / "index", 25 * 3600)

    with opened() as view:
        assert _ids(view) == ["b", "c"]
        assert view.offset == 4

    assert time.time() - _recorded(tmp_path / "index").complete_at_s < 60


def test_reading_anew_fetches_nothing_that_is_known(log, store, opened, tmp_path):
    for ref_id in ("a", "b"):
        announce(log, store, ref_id)
    with opened() as view:
        before = view.current().version
    _age_snapshot(tmp_path / "index", 25 * 3600)
    for file in (tmp_path / "store").iterdir():
        file.unlink()

    with opened() as view:
        assert view.current().version == before
        assert view.num_pending == 0


def test_a_short_absence_is_no_reason_to_read_anew(log, store, opened, tmp_path):
    announce(log, store, "a")
    with opened():
        pass
    log.records = []  # what is read again would be missed
    _age_snapshot(tmp_path / "index", 3600)

    with opened() as view:
        assert _ids(view) == ["a"]


def test_a_view_that_was_cut_off_for_too_long_ends_with_a_sentence(log, opened, monkeypatch):
    monkeypatch.setattr(reference_follower, "MAX_GAP_S", 2.0)
    with opened() as view:
        log.is_reachable = False
        time.sleep(3.0)  # longer than it may be away
        log.is_reachable = True

        with pytest.raises(SetupError, match="a removal may have been missed"):
            wait_for(lambda: not _ids(view) and False)


def test_gaps_of_a_compacted_topic_are_passed(log, store, opened):
    for seed in range(4):
        announce(log, store, "a", seed=seed)
    log.send(b"b", None)
    log.compact(tombstones=True)

    with opened() as view:
        assert (_ids(view), view.offset) == (["a"], 5)


def test_another_log_is_refused(log, store, opened):
    announce(log, store, "a")
    with opened():
        pass

    with pytest.raises(SetupError, match=r"follows vcd\.references of the log sqlite:bus\.db"):
        opened(on=ReferenceLog("second")).__enter__()


def test_a_topic_that_was_made_anew_and_is_shorter_is_refused(log, store, opened):
    for ref_id in ("a", "b"):
        announce(log, store, ref_id)
    with opened():
        pass
    log.records, log.end = [], 0
    announce(log, store, "a")

    with (
        pytest.raises(SetupError, match="it was made anew"),
        opened(waits=False) as view,
    ):
        view.wait_until_caught_up(20.0)


def test_a_topic_that_was_made_anew_and_is_longer_is_refused(log, store, opened):
    for ref_id in ("a", "b"):
        announce(log, store, ref_id)
    with opened():
        pass
    log.records, log.end = [], 0
    for ref_id in ("c", "d", "e"):
        announce(log, store, ref_id)

    with (
        pytest.raises(SetupError, match="is not the record that was read there before"),
        opened(waits=False) as view,
    ):
        view.wait_until_caught_up(20.0)


def test_a_topic_that_shrinks_under_a_running_view_ends_it(log, store, opened):
    for ref_id in ("a", "b"):
        announce(log, store, ref_id)
    with opened() as view:
        log.records, log.end = [], 0

        with pytest.raises(SetupError, match="it was made anew"):
            wait_for(lambda: not _ids(view))


def test_a_view_that_meets_an_error_of_ours_blames_no_upload(log, opened, monkeypatch):
    def refuse(*_: object) -> None:
        raise InputError("an entry is damaged")

    with opened() as view:
        monkeypatch.setattr(view._follower, "step", refuse)

        with pytest.raises(SetupError, match="an entry is damaged"):
            wait_for(lambda: view.current() is None)


def test_a_missing_topic_is_named_with_the_command_that_makes_it(log, opened):
    log.num_partitions = 0

    with pytest.raises(SetupError, match=r"vcd log create --log sqlite:bus\.db"):
        opened().__enter__()


def test_a_topic_of_several_partitions_has_no_order(log, opened):
    log.num_partitions = 3

    with pytest.raises(SetupError, match="wanted one partition"):
        opened().__enter__()


def test_a_second_worker_needs_a_directory_of_its_own(log, opened):
    with opened(), pytest.raises(SetupError, match="directory of its own: --index"):
        opened().__enter__()


def test_an_ordinary_index_is_not_taken_over(log, store, opened, tmp_path):
    with IndexWriter.open(
        tmp_path / "index", space=SPACE, rate_hz=RATE_HZ, weights="test"
    ) as writer:
        writer.add(change_of(store, "a").video, described("a"))
    before = sorted(path.name for path in (tmp_path / "index").iterdir())

    with pytest.raises(SetupError, match="vcd references add --from-index"):
        opened().__enter__()

    assert sorted(path.name for path in (tmp_path / "index").iterdir()) == before


def test_an_index_that_follows_a_log_is_written_by_nobody_else(log, store, opened, tmp_path):
    announce(log, store, "a")
    with opened():
        pass

    with pytest.raises(SetupError, match=r"vcd references add\|remove --log sqlite:bus\.db"):
        IndexWriter.open(tmp_path / "index", space=SPACE, rate_hz=RATE_HZ, weights="test")

    assert [video.id for video in read_info(tmp_path / "index").refs] == ["a"]


def test_other_weights_are_refused(log, store, opened):
    announce(log, store, "a")
    with opened():
        pass

    with pytest.raises(SetupError, match="holds descriptors of"):
        opened(terms=replace(TERMS, space=OTHER_SPACE)).__enter__()


def test_a_damaged_record_of_the_offset_is_a_sentence(log, store, opened, tmp_path):
    with opened():
        pass
    (tmp_path / "index" / "log.json").write_text('{"format": "vcd reference view"}')

    with pytest.raises(SetupError, match="remove the directory"):
        opened().__enter__()


def test_a_view_that_could_not_open_lets_go_of_the_directory(log, store, opened, tmp_path):
    announce(log, store, "a")
    with opened():
        pass
    with pytest.raises(SetupError, match="follows"):
        opened(on=ReferenceLog("second")).__enter__()

    with opened() as view:
        assert _ids(view) == ["a"]
