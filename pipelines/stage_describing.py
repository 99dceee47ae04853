"""Feed one describer with the frames of many uploads, from one thread that owns the children.

A child ends with the thread that started it, and only frames that meet in one describer can
share batches; so all that is decoded and described of a stream goes through here.
"""

import contextlib
import logging
from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue

from pipelines.stage_ticket import Outcome, Ticket, unforeseen
from vcd.core import (
    Descriptors,
    Examination,
    InputError,
    SetupError,
    TransientError,
    VcdError,
)
from vcd.detector import Detector
from vcd.media import DecodeRequest

__all__ = ["Describing"]

_WORTH_ANOTHER_TRY = frozenset({"decoder_died", "undescribable"})
"""Refusals that a machine short of memory explains as well as the file does."""

_logger = logging.getLogger(__name__)

HandOn = Callable[[Ticket, Examination, Descriptors], None]
Settle = Callable[[Ticket, Outcome], None]


class Describing:
    """The describe thread's work: fetched uploads in, descriptors out, as each is done.

    Args:
        detector: whose children and describer are used, by the thread that calls `run` alone.
        rate_hz: frames sampled a second.
        hand_on: takes what was described.
        settle: takes what will not be.
    """

    def __init__(
        self, detector: Detector, *, rate_hz: float, hand_on: HandOn, settle: Settle
    ) -> None:
        self._detector = detector
        self._rate_hz = rate_hz
        self._hand_on = hand_on
        self._settle = settle
        self._waiting: SimpleQueue[Ticket] = SimpleQueue()
        self._tickets: dict[str, Ticket] = {}
        self._is_stopped = False

    def put(self, ticket: Ticket) -> None:
        """Take a fetched upload; any thread may."""
        self._waiting.put(ticket)
        self._detector.pool.ring()

    def look_again(self) -> None:
        """Notice uploads that are not wanted any more; any thread may."""
        self._detector.pool.ring()

    def stop(self) -> None:
        """Have `run` end at once; any thread may."""
        self._is_stopped = True
        self._detector.pool.stop()

    def run(self) -> None:
        """Describe until stopped, and end the children.

        An error that nobody foresaw costs the uploads in work one of their tries.

        Raises:
            SetupError: nothing can be described.
        """
        with self._detector.pool:
            while True:
                try:
                    self._describe()
                except SetupError:
                    raise
                except Exception as error:
                    if self._is_stopped:
                        return
                    _logger.exception("%s uploads met an error of ours", len(self._tickets))
                    self._give_back(error)

    def _describe(self) -> None:
        pool, describer = self._detector.pool, self._detector.describer
        with (
            contextlib.closing(
                pool.decode_live(self._requests(), is_wanted=self._is_wanted)
            ) as events,
            contextlib.closing(describer.describe(events, views=self._detector.views)) as described,
        ):
            for examination, descriptors in described:
                ticket = self._tickets.pop(examination.video_id)
                self._conclude(ticket, *ticket.described(examination, descriptors))

    def _requests(self) -> Iterator[DecodeRequest | None]:
        while True:
            try:
                ticket = self._waiting.get_nowait()
            except Empty:
                yield None
                continue
            self._tickets[ticket.key] = ticket
            yield ticket.request(
                rate_hz=self._rate_hz,
                max_short_edge_px=self._detector.describer.max_short_edge_px,
            )

    def _is_wanted(self, key: str) -> bool:
        ticket = self._tickets.get(key)
        return ticket is not None and ticket.is_wanted

    def _conclude(self, ticket: Ticket, examination: Examination, descriptors: Descriptors) -> None:
        refusal = _refusal(ticket, examination, descriptors)
        if refusal is None:
            self._hand_on(ticket, examination, descriptors)
        else:
            self._settle(ticket, refusal)

    def _give_back(self, error: Exception) -> None:
        tickets = list(self._tickets.values())
        self._tickets.clear()
        if not tickets:
            raise SetupError(f"describing failed without any upload in work: {error!r}") from error
        for ticket in tickets:
            self._settle(ticket, unforeseen(ticket, error))


def _refusal(ticket: Ticket, examination: Examination, descriptors: Descriptors) -> VcdError | None:
    """Say why an upload cannot be searched for; a report without matches would say otherwise."""
    reason = examination.reason or ""
    if examination.refused is not None:
        kind = TransientError if reason in _WORTH_ANOTHER_TRY else InputError
        return kind(ticket.said_of_upload(examination.refused), reason=reason)
    if descriptors.is_informative.any():
        return None
    name, num_frames = ticket.upload.video_id, len(descriptors)
    if num_frames == 0:
        return InputError(f"{name}: wanted frames, none could be decoded", reason="undecodable")
    return InputError(
        f"{name}: wanted frames that carry evidence, all {num_frames} are nearly uniform",
        reason="uninformative",
    )
