"""Decoding a stream that stalls, is given up in parts, and has slow videos in it."""

import threading
from collections import deque

import pytest

from tests.clips import collected, request_for
from vcd.core import Examination, FrameBatch, TransientError
from vcd.media import DecodePool, MediaSettings
from vcd.media import sandbox as sandbox_module


def _pool(**changes) -> DecodePool:
    settings = {"max_stall_s": 2.0, "num_children": 1} | changes
    return DecodePool(MediaSettings(**settings), child_module="tests.fault.villains")


class Stream:
    """Requests that come when a test says so, until it says that no more will."""

    def __init__(self, *requests):
        self.waiting = deque(requests)
        self.unwanted: set[str] = set()
        self.has_ended = False

    def __iter__(self):
        return self

    def __next__(self):
        if self.waiting:
            return self.waiting.popleft()
        if self.has_ended:
            raise StopIteration
        return None

    def is_wanted(self, video_id):
        return video_id not in self.unwanted


def _live(pool, stream):
    return pool.decode_live(stream, is_wanted=stream.is_wanted)


def test_a_stream_that_has_nothing_now_says_so_and_holds_nobody_up(named):
    stream = Stream(request_for(named("good.mp4")))
    events = []

    with _pool() as pool:
        for event in _live(pool, stream):
            events.append(event)
            stream.has_ended = isinstance(event, Examination)

    assert events[0] is None
    _, examinations = collected(event for event in events if event is not None)
    assert examinations["good.mp4"].refused is None


def test_a_ring_wakes_a_pool_that_waits(named, monkeypatch):
    monkeypatch.setattr(sandbox_module, "_TURN_S", 300.0)
    stream = Stream()
    path = named("good.mp4")

    def submit() -> None:
        stream.waiting.append(request_for(path))
        stream.has_ended = True
        pool.ring()

    with _pool() as pool:
        events = _live(pool, stream)
        assert next(events) is None
        threading.Timer(0.1, submit).start()
        found = [event for event in events if isinstance(event, Examination)]

    assert [each.video_id for each in found] == ["good.mp4"]


def test_a_video_that_nobody_wants_any_more_is_abandoned_with_its_child(named):
    stream = Stream(request_for(named("sleep-1.mp4")), request_for(named("good.mp4")))
    stream.has_ended = True

    with _pool(max_stall_s=600.0, max_wall_s=600.0) as pool:
        events = _live(pool, stream)
        while not any(process.is_ready for process in pool._all):
            next(events)
        children = set(pool._all)
        stream.unwanted.add("sleep-1.mp4")
        pool.ring()
        _, examinations = collected(event for event in events if event is not None)

    assert examinations["sleep-1.mp4"].reason == "abandoned"
    assert examinations["good.mp4"].refused is None
    assert any(child._process.returncode == -9 for child in children)


def test_a_pool_that_is_stopped_ends_its_work_and_its_children(named, monkeypatch):
    monkeypatch.setattr(sandbox_module, "_TURN_S", 300.0)
    path = named("sleep-1.mp4")

    with _pool(max_stall_s=600.0, max_wall_s=600.0) as pool:
        events = pool.decode([request_for(path)])
        threading.Timer(0.5, pool.stop).start()
        with pytest.raises(TransientError, match="the decoding processes were stopped"):
            list(events)

        assert pool._all == set()


def test_a_ring_after_the_end_is_heard_by_nobody():
    with _pool() as pool:
        pass

    pool.ring()
    pool.stop()


def test_nobody_waits_for_a_silent_child(named):
    good = [request_for(named(f"good-{ordinal}.mp4")) for ordinal in range(3)]
    stream = Stream(request_for(named("sleep-1.mp4")), *good)
    stream.has_ended = True

    with _pool(max_stall_s=600.0, max_wall_s=600.0) as pool:
        events = _live(pool, stream)
        found = (event for event in events if isinstance(event, Examination))
        order = [next(found).video_id for _ in good]
        events.close()

    assert order == ["good-0.mp4", "good-1.mp4", "good-2.mp4"]


def test_silent_children_are_doubled_and_not_more(named):
    sleepers = [request_for(named(f"sleep-{ordinal}.mp4")) for ordinal in range(4)]
    stream = Stream(*sleepers)
    stream.has_ended = True
    most = 0

    with _pool(max_stall_s=1.5) as pool:
        for _ in _live(pool, stream):
            most = max(most, len(pool._all))

    assert most == 2


def test_a_child_hangs_even_if_nobody_ever_waits_for_it(named):
    """Where describing is the bottleneck there is always another child with a batch ready."""
    endless = [
        request_for(named("good.mp4"), video_id=f"good-{ordinal}", rate_hz=100.0)
        for ordinal in range(400)
    ]
    stream = Stream(request_for(named("sleep-1.mp4")), *endless)
    refused = None

    with _pool(num_children=2, max_batch_frames=1, max_stall_s=1.0) as pool:
        for event in _live(pool, stream):
            if isinstance(event, FrameBatch):
                threading.Event().wait(0.02)  # the work of whoever takes the frames
            if isinstance(event, Examination) and event.refused is not None:
                refused = event
                break

    assert refused is not None
    assert refused.reason == "decoder_hung"
