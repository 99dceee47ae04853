"""Every series that a worker shows to Prometheus: its name, its labels, and what it means."""

import math
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

from vcd.stream.topics import LANES

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

__all__ = [
    "MAX_REF_LABELS",
    "IndexSeries",
    "PartitionsSeries",
    "ReportsSeries",
    "SeriesMaker",
    "UploadsSeries",
    "label_of",
]

MAX_REF_LABELS = 1000
"""References whose matches are counted by name; those of all others count as ``other``."""

_OTHER = "other"
_MAX_LABEL_CHARS = 128
_BUCKETS_S = (
    *(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0),
    *(10.0, 30.0, 60.0, 120.0, 300.0, 600.0),
)
"""From a stage of one image to an upload that was retried to the end."""

_MOVES = ("gained", "released", "lost")


@dataclass(frozen=True, slots=True)
class SeriesMaker:
    """Makes series and registers them."""

    registry: "CollectorRegistry"

    def counter(self, name: str, about: str, *labels: str) -> "Counter":
        from prometheus_client import Counter

        return Counter(name, about, labels, registry=self.registry)

    def gauge(self, name: str, about: str, *labels: str) -> "Gauge":
        from prometheus_client import Gauge

        return Gauge(name, about, labels, registry=self.registry)

    def histogram(self, name: str, about: str, *labels: str) -> "Histogram":
        from prometheus_client import Histogram

        return Histogram(name, about, labels, registry=self.registry, buckets=_BUCKETS_S)


class UploadsSeries:
    """What becomes of uploads; series that are known beforehand start at 0, so that rates work."""

    def __init__(self, make: SeriesMaker) -> None:
        self.done = make.counter(
            "vcd_uploads_total",
            "Uploads whose outcome is durable: a report, a dead letter, or one that was there"
            " already (known).",
            *("lane", "outcome"),
        )
        self.elapsed_s = make.histogram(
            "vcd_upload_seconds",
            "Seconds from an upload's submission by its producer to its durable report or dead"
            " letter.",
            *("lane", "outcome"),
        )
        self.in_flight = make.gauge(
            "vcd_uploads_in_flight", "Uploads that this worker has begun and not finished.", "lane"
        )
        self.retries = make.counter(
            "vcd_retries_total",
            "Tries of an upload that failed for a reason that may pass, by that reason.",
            "reason",
        )
        self.dead_letters = make.counter(
            "vcd_dead_letters_total",
            "Messages that were given up and put on the topic of dead letters, by reason.",
            "reason",
        )
        self.decode_failures = make.counter(
            "vcd_decode_failures_total",
            "Tries to decode a video that failed, by reason.",
            "reason",
        )
        self.stage_s = make.histogram(
            "vcd_stage_seconds", "Seconds that one upload spent in a stage.", "stage"
        )
        for lane in LANES:
            self.in_flight.labels(lane)
            self.done.labels(lane, "known")
            for outcome in ("report", "dead_letter"):
                self.done.labels(lane, outcome)
                self.elapsed_s.labels(lane, outcome)


class PartitionsSeries:
    """How this worker stands in the log."""

    def __init__(self, make: SeriesMaker) -> None:
        self.lag = make.gauge(
            "vcd_lag_records",
            "Records of a partition that this worker owns whose outcome is not committed yet.",
            *("topic", "partition"),
        )
        self.owned = make.gauge(
            "vcd_partitions_owned", "Partitions of uploads and backfill that this worker owns."
        )
        self.moves = make.counter(
            "vcd_partition_moves_total",
            "Partitions that came to this worker (gained) or went: handed over (released) or"
            " taken away after it was silent for too long (lost).",
            "kind",
        )
        self.blocked = make.gauge(
            "vcd_partitions_blocked",
            "Partitions whose next record cannot be read; nothing behind it is checked.",
        )
        self.commits = make.counter(
            "vcd_commits_total",
            "Commits of offsets: kept by the log, or failed and to be tried again.",
            "outcome",
        )
        for kind in _MOVES:
            self.moves.labels(kind)
        for outcome in ("kept", "failed"):
            self.commits.labels(outcome)


class ReportsSeries:
    """What its reports say."""

    def __init__(self, make: SeriesMaker) -> None:
        self._refs: set[str] = set()
        self._lock = Lock()
        self.verdicts = make.counter(
            "vcd_reports_total",
            "Reports by what they say: a match, no match in what was examined, or refused because"
            " nothing could be examined.",
            "verdict",
        )
        self.matches = make.counter(
            "vcd_matches_total",
            f"Matches by reference; the first {MAX_REF_LABELS} references that match are counted"
            f" by id, the rest as {_OTHER}.",
            "ref_id",
        )
        self.examined_s = make.counter(
            "vcd_examined_seconds_total", "Seconds of uploaded video that were searched."
        )
        self.skipped_s = make.counter(
            "vcd_skipped_seconds_total",
            "Seconds of uploaded video that were not searched, by reason.",
            "reason",
        )
        for verdict in ("match", "no_match", "refused"):
            self.verdicts.labels(verdict)

    def ref_label(self, ref_id: str) -> str:
        """Name a reference as long as there is room for names."""
        with self._lock:
            if ref_id not in self._refs and len(self._refs) >= MAX_REF_LABELS:
                return _OTHER
            self._refs.add(ref_id)
        return label_of(ref_id)


class IndexSeries:
    """Which references it knows, and how fresh they are."""

    def __init__(self, make: SeriesMaker) -> None:
        self.refs = make.gauge("vcd_index_references", "References in the index in use.")
        self.offset = make.gauge(
            "vcd_index_offset",
            "Offset of vcd.references up to which changes are in effect in this worker.",
        )
        self.pending = make.gauge(
            "vcd_index_pending_changes",
            "Changes of references that this worker has read and that are not in effect yet.",
        )
        self.age_s = make.gauge(
            "vcd_index_age_seconds",
            "Seconds since the index was last known to reflect every change of the references;"
            " +Inf before the first time.",
        )
        self.version = make.gauge(
            "vcd_index_info", "Always 1; its label names the index version in use.", "version"
        )
        self.age_s.set(math.inf)


def label_of(text: str) -> str:
    """Make a label of any text: bounded, and such that it can be written as UTF-8."""
    plain = text[:_MAX_LABEL_CHARS].encode("utf-8", "backslashreplace").decode("utf-8")
    return plain or "unknown"
