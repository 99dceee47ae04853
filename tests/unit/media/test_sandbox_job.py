from typing import Any, cast

import pytest

from tests.clips import request_for
from vcd.media.sandbox_job import Job


class FakeProcess:
    """A child that is up; nothing is ever sent to it."""

    is_ready = True
    num_videos = 0


@pytest.fixture
def job(tmp_path):
    return Job(
        request=request_for(tmp_path / "a.mp4"), process=cast("Any", FakeProcess()), looked_s=100.0
    )


def understood(job, kind, **fields):
    return job.understand({"kind": kind, **fields}, max_duration_s=3600.0)


def test_silence_counts_from_the_last_look_on(job):
    job.look(101.5, since_s=101.4, has_spoken=False)

    assert job.stalled_s == pytest.approx(1.5)
    assert job.waited_s == pytest.approx(1.5)


def test_of_a_child_that_has_spoken_only_the_wait_counts(job):
    job.look(101.5, since_s=101.4, has_spoken=True)

    assert job.stalled_s == pytest.approx(0.1)


def test_a_parent_that_was_frozen_for_minutes_blames_nobody(job):
    job.look(400.0, since_s=399.9, has_spoken=False)

    assert job.stalled_s == pytest.approx(2.0)


def test_a_word_ends_the_silence(job):
    job.look(101.5, since_s=101.4, has_spoken=False)
    assert job.is_slow

    understood(job, "progress", position_s=3.0)

    assert not job.is_slow
    assert job.position_s == 3.0


def test_a_long_video_is_slow_however_much_its_child_says(job):
    for second in range(31):
        job.look(101.0 + second, since_s=100.0 + second, has_spoken=True)
        understood(job, "progress", position_s=float(second))

    assert job.is_slow


def test_a_child_that_is_still_starting_is_not_slow(job):
    job.process.is_ready = False

    job.look(101.5, since_s=101.4, has_spoken=False)

    assert not job.is_slow


@pytest.mark.parametrize(
    ("said", "reason"), [("not_a_video", "not_a_video"), ("invented", "undecodable")]
)
def test_a_child_does_not_invent_reasons(job, said, reason):
    found = understood(job, "done", refused="no good", reason=said)

    assert (found.refused, found.reason) == ("no good", reason)
