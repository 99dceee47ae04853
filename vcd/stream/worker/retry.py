"""When to try again: later each time, at random, and not for ever."""

from dataclasses import dataclass

import numpy as np

from vcd.core import TransientError, VcdError
from vcd.stream.settings import StreamSettings

__all__ = ["RetryPolicy", "failure_of"]

_MAX_RESEND_S = 10.0
"""A log that answers again is noticed within this time."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """The waits between tries: exponential with full jitter.

    Workers that fail together do not come back together.

    Attributes:
        settings: how often, how soon, how long.
        rng: seeded by who waits.
    """

    settings: StreamSettings
    rng: np.random.Generator

    def delay_s(self, num_tries: int, elapsed_s: float) -> float | None:
        """Choose how long to wait before an upload is tried again.

        Args:
            num_tries: how often it was tried.
            elapsed_s: since it was begun first.

        Returns:
            Seconds; None when it is to be given up.
        """
        if num_tries >= self.settings.max_attempts:
            return None
        delay_s = float(self.rng.uniform(0.0, 2.0 * self._mean_s(num_tries)))
        return delay_s if elapsed_s + delay_s <= self.settings.max_retry_s else None

    def resend_delay_s(self, num_sends: int) -> float:
        """Choose how long to wait before an outcome is sent again, which is never given up."""
        mean_s = min(_MAX_RESEND_S, self._mean_s(num_sends))
        return float(self.rng.uniform(0.5 * mean_s, mean_s))

    def _mean_s(self, num_tries: int) -> float:
        return self.settings.first_retry_s * 2.0 ** min(num_tries - 1, 30)


def failure_of(error: BaseException) -> VcdError:
    """Name what went wrong, also when nobody expected it."""
    if isinstance(error, VcdError):
        return error if error.reason else TransientError(str(error), reason="unavailable")
    return TransientError(f"{type(error).__name__}: {error}", reason="internal")
