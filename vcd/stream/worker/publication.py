"""One upload on its way, and the message that its outcome becomes."""

import logging
import time
from dataclasses import dataclass
from typing import Any, Literal

from vcd.core import InputError, MatchReport, VcdError
from vcd.stream.log import Headers, Record
from vcd.stream.messages.dead_letters import dead_letter_of
from vcd.stream.messages.records import Upload
from vcd.stream.messages.report_message import encode_report_message
from vcd.stream.metrics import StreamMetrics
from vcd.stream.topics import DEAD_LETTERS, REPORTS
from vcd.stream.worker.assignment import Assignment, lane_of

__all__ = ["Flight", "Publication", "count_outcome"]

_logger = logging.getLogger(__name__)

_MAX_CUT_BYTES = 4096
"""Of key and of value, each, once the log has refused the whole."""


@dataclass(slots=True, kw_only=True, eq=False)
class Flight:
    """One record from its beginning to its durable outcome.

    Attributes:
        record: as it was delivered.
        assignment: under which it was; its outcome counts only under that.
        begun_s: when, on the worker's clock.
        upload: what the record says; None while that is not known.
        num_tries: how often it was begun.
        work: what the stage promised; None while it waits for another try.
        publication: its outcome; None while there is none.
        num_sends: how often the outcome was sent.
        send_number: of the last sending.
    """

    record: Record
    assignment: Assignment
    begun_s: float
    upload: Upload | None = None
    num_tries: int = 0
    work: Any = None
    publication: "Publication | None" = None
    num_sends: int = 0
    send_number: int = -1

    @property
    def submitted_at_s(self) -> float:
        """When its producer sent it, seconds since 1970."""
        return self.record.time_s if self.upload is None else self.upload.submitted_at_s

    @property
    def extra(self) -> dict[str, str]:
        """What every line of the log about it carries."""
        extra = {"place": str(self.record.place)}
        if self.upload is not None:
            extra |= {"trace_id": self.upload.trace_id, "video_id": self.upload.video_id}
        return extra


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """A message to be made durable.

    Attributes:
        topic: where to.
        key: as `Writer.send` takes it.
        value: as `Writer.send` takes it.
        headers: as `Writer.send` takes it.
        report: what it says, of a report.
        error: why it is one, of a dead letter.
        is_cut: whether the dead letter has only the beginning of its original bytes.
    """

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers
    report: MatchReport | None = None
    error: VcdError | None = None
    is_cut: bool = False

    @property
    def outcome(self) -> Literal["report", "dead_letter"]:
        return "report" if self.error is None else "dead_letter"

    @classmethod
    def of_report(
        cls, flight: Flight, report: MatchReport, *, worker: str, max_bytes: int
    ) -> "Publication":
        """Write a report, under the id of its video."""
        key = flight.record.key
        trace_id = "" if flight.upload is None else flight.upload.trace_id
        return cls(
            topic=REPORTS,
            key=key,
            value=encode_report_message(report, max_bytes=max_bytes),
            headers=(
                ("trace-id", trace_id.encode()),
                ("source", str(flight.record.place).encode()),
                ("worker", worker.encode()),
            ),
            report=report,
        )

    @classmethod
    def of_dead_letter(
        cls, flight: Flight, error: VcdError, *, worker: str, is_cut: bool = False
    ) -> "Publication":
        """Write a dead letter."""
        named = error if error.reason else InputError(str(error), reason="unnamed")
        limit = {"max_bytes": _MAX_CUT_BYTES} if is_cut else {}
        key, value, headers = dead_letter_of(
            flight.record,
            named,
            attempts=flight.num_tries,
            worker=worker,
            now_s=time.time(),
            **limit,
        )
        return cls(
            topic=DEAD_LETTERS, key=key, value=value, headers=headers, error=named, is_cut=is_cut
        )


def count_outcome(flight: Flight, metrics: StreamMetrics) -> None:
    """Tell whoever counts that an upload has an outcome that is durable."""
    publication = flight.publication
    if publication is None:
        raise ValueError(f"{flight.record.place} has no outcome yet")
    place = flight.record.place
    elapsed_s = time.time() - flight.submitted_at_s
    metrics.upload_done(lane_of(place.partition), publication.outcome, elapsed_s)
    if publication.error is not None:
        metrics.dead_letter(publication.error.reason)
    if publication.report is not None:
        metrics.report(publication.report)
        for stage, seconds in publication.report.elapsed_s.items():
            metrics.stage_elapsed(stage, seconds)
    _logger.info("%s: %s in %.1f s", place, publication.outcome, elapsed_s, extra=flight.extra)
