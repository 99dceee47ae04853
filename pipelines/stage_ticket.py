"""One upload on its way through the stage: its future, its file, and how long each part took."""

import contextlib
import logging
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, field, replace

from vcd.core import Descriptors, Examination, MatchReport, TransientError, VcdError
from vcd.media import DecodeRequest, Fetched, Fetcher
from vcd.stream.messages.records import Upload

__all__ = ["Outcome", "Ticket", "unforeseen"]

Outcome = MatchReport | VcdError

_logger = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True, eq=False)
class Ticket:
    """What goes from thread to thread; one of them has it at a time.

    Attributes:
        key: what decoders call it: short, ours, and never used again. Two uploads in work may
            have the same video id.
        upload: what was asked.
        future: what was promised; it stays pending until it is settled, so that it can be
            cancelled at any time.
        elapsed_s: seconds by stage.
    """

    key: str
    upload: Upload
    future: "Future[MatchReport]" = field(default_factory=Future)
    elapsed_s: dict[str, float] = field(default_factory=dict)
    _fetched: Fetched | None = None
    _held: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _began_s: float = field(default_factory=time.monotonic)

    @property
    def is_wanted(self) -> bool:
        """Whether its future still waits."""
        return not self.future.done()

    @property
    def log_fields(self) -> dict[str, str]:
        """What every line about it carries."""
        return {"trace_id": self.upload.trace_id, "video_id": self.upload.video_id}

    def fetch(self, fetcher: Fetcher) -> None:
        """Bring the file here, where it stays until the ticket is settled or dropped."""
        began_s = time.monotonic()
        with contextlib.ExitStack() as stack:
            self._fetched = stack.enter_context(fetcher.fetch(self.upload.uri))
            with self._lock:
                self._held = stack.pop_all()
        self._began_s = time.monotonic()
        self.elapsed_s["fetch"] = self._began_s - began_s

    def request(self, *, rate_hz: float, max_short_edge_px: int) -> DecodeRequest:
        """Ask for the frames of the fetched file."""
        if self._fetched is None:
            raise ValueError(f"{self.upload.video_id}: wanted a fetched file, it was not fetched")
        return DecodeRequest(
            video_id=self.key,
            path=self._fetched.path,
            sha256=self._fetched.sha256,
            rate_hz=rate_hz,
            max_short_edge_px=max_short_edge_px,
        )

    def described(
        self, examination: Examination, descriptors: Descriptors
    ) -> tuple[Examination, Descriptors]:
        """Note how long it took, and call it by its own name again."""
        self.elapsed_s["describe"] = time.monotonic() - self._began_s
        name, video = self.upload.video_id, examination.video
        video = None if video is None else replace(video, id=name)
        return replace(examination, video_id=name, video=video), replace(descriptors, video_id=name)

    def said_of_upload(self, sentence: str) -> str:
        """Say of the upload what was said of a file that is here for a minute."""
        if self._fetched is not None:
            sentence = sentence.replace(str(self._fetched.path), self.upload.video_id)
        return sentence

    def settle(self, outcome: Outcome) -> None:
        """Let go of the file, then keep the promise; only once.

        A file that turns out to have changed meanwhile spoils a report.
        """
        try:
            self._release()
        except VcdError as error:
            outcome = error if isinstance(outcome, MatchReport) else outcome
        if not self.future.set_running_or_notify_cancel():
            return
        if isinstance(outcome, MatchReport):
            self.future.set_result(outcome)
        else:
            self.future.set_exception(outcome)

    def drop(self) -> None:
        """Let go of the file, whatever becomes of the promise; any thread may, more than once."""
        with contextlib.suppress(VcdError):
            self._release()

    def _release(self) -> None:
        with self._lock:
            held, self._held = self._held, contextlib.ExitStack()
        try:
            held.close()
        except VcdError:
            raise
        except Exception:
            _logger.exception("a file could not be let go", extra=self.log_fields)


def unforeseen(ticket: Ticket, error: Exception) -> TransientError:
    """Say that an upload failed for no reason of its own; another try costs little."""
    return TransientError(
        f"{ticket.upload.video_id}: failed for a reason that nobody foresaw: {error!r}",
        reason="internal",
    )
