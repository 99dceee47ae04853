"""Turn a container's presentation times into seconds since the first shown frame.

Containers start anywhere (a transport stream at 1.4 s or at 20 h), leave times
out, repeat them, jump. The clock of a video starts at 0 and strictly increases.
"""

__all__ = ["PresentationClock"]


class PresentationClock:
    """Seconds since the first shown frame, strictly increasing whatever the container says."""

    def __init__(
        self, *, nominal_frame_s: float, first_pts_s: float | None = None, max_jump_s: float | None
    ) -> None:
        """Start a clock.

        Args:
            nominal_frame_s: how far a frame without a usable time is moved on.
            first_pts_s: the container's time of the first frame; None takes that of the first call.
            max_jump_s: a larger jump ahead is a cut between two recordings and not a pause; None
                trusts every jump ahead.
        """
        self._nominal_frame_s = nominal_frame_s
        self._max_jump_s = max_jump_s
        self._origin_s = first_pts_s
        self._last_s: float | None = None

    def time_s(self, pts_s: float | None) -> float:
        """Return the time of the next frame in order of presentation.

        Args:
            pts_s: what the container says, None when it says nothing.
        """
        if self._origin_s is None:
            self._origin_s = pts_s if pts_s is not None else 0.0
        if self._last_s is None:
            self._last_s = max(0.0, pts_s - self._origin_s) if pts_s is not None else 0.0
            return self._last_s
        follows_s = self._last_s + self._nominal_frame_s
        time_s = pts_s - self._origin_s if pts_s is not None else follows_s
        if pts_s is not None and self._is_jump(time_s):
            self._origin_s = pts_s - follows_s
            time_s = follows_s
        self._last_s = time_s if time_s > self._last_s else follows_s
        return self._last_s

    def _is_jump(self, time_s: float) -> bool:
        """Tell a new beginning from frames that are a little out of order."""
        step_s = time_s - (self._last_s or 0.0)
        return step_s < -1.0 or (self._max_jump_s is not None and step_s > self._max_jump_s)
