"""Take bytes in, from wherever they come: counted, timed and digested in the same pass."""

import hashlib
import time
from collections.abc import Callable

from vcd.core import InputError, TransientError

__all__ = ["Intake"]


class Intake:
    """What one fetch may still cost, and what came in so far."""

    def __init__(
        self,
        shown: str,
        *,
        max_bytes: int,
        max_wall_s: float,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start the clock.

        Args:
            shown: what sentences call it; without secrets.
            max_bytes: more are refused.
            max_wall_s: seconds from now that all of it may take.
            now_s: the clock.
        """
        self.shown = shown
        self.num_bytes = 0
        self._max_bytes = max_bytes
        self._max_wall_s = max_wall_s
        self._now_s = now_s
        self._end_s = now_s() + max_wall_s
        self._digest = hashlib.sha256()

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def remaining_s(self) -> float:
        """Seconds that are left.

        Raises:
            TransientError: none are.
        """
        remaining_s = self._end_s - self._now_s()
        if remaining_s <= 0:
            raise TransientError(
                f"{self.shown}: wanted within fetch.max_wall_s = {self._max_wall_s:g} s, "
                f"only {self.num_bytes:,} bytes had come",
                reason="fetch_failed",
            )
        return remaining_s

    def expect(self, num_bytes: int | None) -> None:
        """Refuse early what says itself that it is too large; None is not known yet.

        Raises:
            InputError: it is (``too_large``).
        """
        if num_bytes is not None and num_bytes > self._max_bytes:
            raise InputError(
                f"{self.shown}: wanted at most fetch.max_bytes = {self._max_bytes:,} bytes, "
                f"it has {num_bytes:,}",
                reason="too_large",
            )

    def take(self, chunk: bytes) -> None:
        """Count and digest a chunk.

        Raises:
            InputError: it is one too many (``too_large``).
            TransientError: it is too late.
        """
        self.remaining_s()
        self.num_bytes += len(chunk)
        if self.num_bytes > self._max_bytes:
            raise InputError(
                f"{self.shown}: wanted at most fetch.max_bytes = {self._max_bytes:,} bytes, "
                "it has more",
                reason="too_large",
            )
        self._digest.update(chunk)
