"""What a worker counts and measures of itself, for Prometheus to collect.

Every name begins with ``vcd_`` and ends in its unit; what each means and what to
do about it is in ``docs/operations.md``, and a test keeps that page, the dashboard
and the alerts in step with what is here. A worker has one `StreamMetrics`, with a
registry of its own; every method may be called from any thread.
"""

import math
from collections.abc import Callable
from typing import cast

from vcd import __version__
from vcd.core import MatchReport
from vcd.core.timeline import total_length_s
from vcd.stream.log import Partition
from vcd.stream.series import (
    IndexSeries,
    PartitionsSeries,
    ReportsSeries,
    SeriesMaker,
    UploadsSeries,
    label_of,
)

__all__ = ["StreamMetrics"]

_DECODING_REASONS = frozenset(
    {"decoder_died", "decoder_hung", "not_a_video", "over_limit", "undecodable"}
)
"""Failures, of docs/glossary.md, that a decoder or the probe before it had with a file."""


class StreamMetrics:
    """The counters, gauges and histograms of one worker."""

    def __init__(self) -> None:
        from prometheus_client import CollectorRegistry, ProcessCollector, disable_created_metrics

        # else each counter has a second series: when it was born
        cast(Callable[[], None], disable_created_metrics)()
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        make = SeriesMaker(self._registry)
        about = "Always 1; its label names the version of the code that this worker runs."
        make.gauge("vcd_build_info", about, "version").labels(__version__).set(1)
        self._uploads = UploadsSeries(make)
        self._partitions = PartitionsSeries(make)
        self._reports = ReportsSeries(make)
        self._index = IndexSeries(make)
        self._looks: list[Callable[[], None]] = []

    def exposition(self, accept: str = "") -> tuple[bytes, str]:
        """Write everything down as it is now.

        Args:
            accept: the ``Accept`` header of whoever asks; "" gives Prometheus' plain text.

        Returns:
            The text and its content type.
        """
        from prometheus_client.exposition import choose_encoder

        for look in self._looks:
            look()
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type

    def upload_done(self, lane: str, outcome: str, elapsed_s: float) -> None:
        """Count an upload whose outcome is durable.

        Args:
            lane: ``live`` or ``backfill``.
            outcome: ``report``; ``dead_letter``; or ``known``: it had its outcome already.
            elapsed_s: seconds since its producer sent it; a negative one, of clocks that differ,
                counts as 0. Of a known one it says nothing and is not measured.
        """
        self._uploads.done.labels(lane, outcome).inc()
        if outcome != "known":
            self._uploads.elapsed_s.labels(lane, outcome).observe(max(0.0, elapsed_s))

    def dead_letter(self, reason: str) -> None:
        """Count a message that became a dead letter."""
        self._uploads.dead_letters.labels(label_of(reason)).inc()
        self._decoding_failed(reason)

    def retried(self, reason: str) -> None:
        """Count a try that failed and will be followed by another."""
        self._uploads.retries.labels(label_of(reason)).inc()
        self._decoding_failed(reason)

    def in_flight(self, lane: str, count: int) -> None:
        """Say how many uploads of a lane are begun and not done."""
        self._uploads.in_flight.labels(lane).set(count)

    def stage_elapsed(self, stage: str, seconds: float) -> None:
        """Say how long a stage took for one upload."""
        self._uploads.stage_s.labels(label_of(stage)).observe(max(0.0, seconds))

    def lag(self, partition: Partition, count: int) -> None:
        """Say how many records of a partition that is ours are behind its committed offset."""
        self._partitions.lag.labels(partition.topic, str(partition.index)).set(count)

    def rebalanced(self, kind: str, count: int) -> None:
        """Count partitions that came or went.

        When some go, what is known of the lag is forgotten, so that two workers never claim the
        lag of the same partition; the next `lag` of those that stayed brings it back.

        Args:
            kind: ``gained``, ``released`` or ``lost``.
            count: how many partitions.
        """
        self._partitions.moves.labels(kind).inc(count)
        self._partitions.owned.inc(count if kind == "gained" else -count)
        if kind != "gained":
            self._partitions.lag.clear()

    def blocked(self, count: int) -> None:
        """Say how many partitions have a next record that cannot be read."""
        self._partitions.blocked.set(count)

    def committed(self, *, ok: bool) -> None:
        """Count a commit that was kept, or was not and will be tried again."""
        self._partitions.commits.labels("kept" if ok else "failed").inc()

    def report(self, report: MatchReport) -> None:
        """Count what a report says: matches by reference, seconds that were looked at and not."""
        counts = self._reports
        verdict = "refused" if report.refused is not None else "no_match"
        counts.verdicts.labels("match" if report.matches else verdict).inc()
        counts.examined_s.inc(total_length_s(report.examined))
        for skipped in report.skipped:
            counts.skipped_s.labels(label_of(skipped.reason)).inc(skipped.interval.length_s)
        for match in report.matches:
            counts.matches.labels(counts.ref_label(match.ref_id)).inc()

    def index_state(self, num_refs: int, version: str, offset: int, pending: int) -> None:
        """Say what the index in use holds.

        Args:
            num_refs: references in it.
            version: of its contents.
            offset: of ``vcd.references``: the changes before it are in effect.
            pending: changes that were read and are not in effect yet.
        """
        self._index.refs.set(num_refs)
        self._index.offset.set(offset)
        self._index.pending.set(pending)
        self._index.version.clear()
        self._index.version.labels(version).set(1)

    def index_age(self, seconds_behind: Callable[[], float | None]) -> None:
        """Ask this, at each scrape, how old the index is.

        Args:
            seconds_behind: gives the seconds since the index was last known to reflect every
                change of the log; None before the first time. Short, from any thread.
        """

        def age_s() -> float:
            age = seconds_behind()
            return math.inf if age is None else age

        self._index.age_s.set_function(age_s)

    def before_each_scrape(self, look: Callable[[], None]) -> None:
        """Call this before everything is written down: for what nobody tells when it changes.

        Args:
            look: tells this object what it sees; short, from any thread, never raises.
        """
        self._looks.append(look)

    def _decoding_failed(self, reason: str) -> None:
        if reason in _DECODING_REASONS:
            self._uploads.decode_failures.labels(reason).inc()
