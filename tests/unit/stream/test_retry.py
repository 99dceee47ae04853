"""Tries are fewer, later and at random; sending an outcome never ends."""

from dataclasses import replace

import numpy as np
import pytest

from vcd.core import InputError, TransientError
from vcd.stream.settings import StreamSettings
from vcd.stream.worker.retry import RetryPolicy, failure_of

_SETTINGS = StreamSettings(first_retry_s=0.5, max_attempts=4, max_retry_s=120.0)


def _policy(settings: StreamSettings = _SETTINGS, seed: int = 7) -> RetryPolicy:
    return RetryPolicy(settings, np.random.default_rng(seed))


def _delays(policy: RetryPolicy, num_tries: int) -> list[float]:
    delays = [policy.delay_s(num_tries, 0.0) for _ in range(400)]
    return [delay for delay in delays if delay is not None]


@pytest.mark.parametrize(("num_tries", "mean_s"), [(1, 0.5), (2, 1.0), (3, 2.0)])
def test_the_wait_doubles_and_lies_anywhere_between_zero_and_twice_the_mean(num_tries, mean_s):
    delays = _delays(_policy(), num_tries)

    assert min(delays) < 0.1 * mean_s
    assert 1.9 * mean_s < max(delays) <= 2.0 * mean_s
    assert np.mean(delays) == pytest.approx(mean_s, rel=0.1)


def test_the_last_try_is_the_last():
    assert _policy().delay_s(4, 0.0) is None


def test_no_try_begins_after_the_time_is_up():
    policy = _policy(replace(_SETTINGS, first_retry_s=1e-9))

    assert policy.delay_s(1, 119.0) is not None
    assert policy.delay_s(1, 120.0) is None


def test_the_same_seed_waits_the_same():
    assert _delays(_policy(seed=3), 1) == _delays(_policy(seed=3), 1)
    assert _delays(_policy(seed=3), 1) != _delays(_policy(seed=4), 1)


def test_an_outcome_is_sent_again_for_ever_at_most_ten_seconds_apart():
    delays = [_policy().resend_delay_s(num_sends) for num_sends in range(1, 2000)]

    assert min(delays) >= 0.25
    assert max(delays) <= 10.0


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (TransientError("503", reason="fetch_failed"), "fetch_failed"),
        (TransientError("503"), "unavailable"),
        (InputError("no frames", reason="undecodable"), "undecodable"),
        (ZeroDivisionError("division by zero"), "internal"),
        (MemoryError(), "internal"),
    ],
)
def test_every_failure_has_a_reason(error, reason):
    assert failure_of(error).reason == reason
