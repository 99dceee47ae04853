"""What the stream depends on: how much is in flight, how patient it is, how Kafka is reached."""

import math
from dataclasses import dataclass

__all__ = ["KafkaSettings", "StreamSettings"]

_COUNTS = ("window", "max_attempts", "max_crashes", "max_message_bytes", "max_report_bytes")
_STREAM_SPANS = (
    *("commit_every_s", "first_retry_s", "max_retry_s"),
    *("max_silence_s", "session_timeout_s"),
)
_KAFKA_SPANS = ("delivery_timeout_s", "max_poll_interval_s", "connect_timeout_s")


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSettings:
    """How a worker shares, holds, retries and gives up uploads.

    Attributes:
        group: workers of one group share the uploads; another group checks all of them again.
        window: uploads in flight in one worker; more keep decoders busy while others wait to be
            fetched, and are done again after a crash.
        backfill_share: largest part of the window that old uploads may take.
        max_span: how far, in records of one partition, work may run ahead of the first upload
            that is not done; bounds what is remembered, at most 16,384 (4,096 bytes of note).
        commit_every_s: seconds between commits; what was done since the last one is known to the
            log anyway, so a crash costs time and no doubled verdict.
        max_attempts: tries of an upload when the world is at fault, before it is a dead letter.
        first_retry_s: mean wait before the second try; doubles with each, at random between 0 and
            twice the mean.
        max_retry_s: seconds after the first try from which on there is no other.
        max_message_bytes: a larger upload message is a dead letter, unread.
        max_report_bytes: from a larger report the weakest matches are left out and counted.
        grace_s: seconds between SIGTERM and leaving, in which what is in flight may finish.
        max_silence_s: a worker whose main loop says nothing for so long is stuck: it writes the
            stacks of its threads and ends with exit code 70.
        max_crashes: deaths of workers over one upload before it is tried alone; if it kills that
            worker too, it is a dead letter.
        session_timeout_s: a member that is not heard of for so long loses its partitions.
        descriptor_store: folder or fsspec address where ``vcd references add`` puts descriptor
            files; None is a folder beside the file of a SQLite log.
        metrics_address: HOST:PORT that serves /metrics, /livez and /readyz; None serves nothing.
    """

    group: str = "vcd"
    window: int = 32
    backfill_share: float = 0.5
    max_span: int = 8192
    commit_every_s: float = 1.0
    max_attempts: int = 4
    first_retry_s: float = 0.5
    max_retry_s: float = 120.0
    max_message_bytes: int = 65_536
    max_report_bytes: int = 900_000
    grace_s: float = 25.0
    max_silence_s: float = 60.0
    max_crashes: int = 3
    session_timeout_s: float = 45.0
    descriptor_store: str | None = None
    metrics_address: str | None = None

    def __post_init__(self) -> None:
        for name in _COUNTS:
            if getattr(self, name) < 1:
                raise ValueError(f"stream.{name} must be at least 1, got {getattr(self, name)}")
        for name in _STREAM_SPANS:
            _check_span(f"stream.{name}", getattr(self, name))
        if not 0.0 <= self.grace_s < math.inf:
            raise ValueError(f"stream.grace_s must be 0 or more seconds, got {self.grace_s}")
        if not 1 <= self.max_span <= 16_384:
            raise ValueError(f"stream.max_span must be in [1, 16384], got {self.max_span}")
        if not 0.0 < self.backfill_share <= 1.0:
            raise ValueError(f"stream.backfill_share must be in (0, 1], got {self.backfill_share}")
        if not self.group:
            raise ValueError("stream.group must not be empty")


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaSettings:
    """How brokers are reached; used by ``kafka:`` addresses only.

    Attributes:
        security_protocol: ``PLAINTEXT``, ``SSL``, ``SASL_PLAINTEXT`` or ``SASL_SSL``.
        ssl_cafile: certificates that are trusted; None trusts the system's.
        ssl_certfile: our certificate, for brokers that ask for one.
        ssl_keyfile: file of the key that belongs to it.
        sasl_mechanism: ``PLAIN``, ``SCRAM-SHA-256``, ``SCRAM-SHA-512``, ``GSSAPI``; None for
            protocols without SASL.
        sasl_username: the name that the brokers know us by.
        sasl_password: best given as VCD_KAFKA__SASL_PASSWORD, never in a file.
        replication_factor: copies of the topics that ``vcd log create`` makes; None takes the
            brokers' default.
        delivery_timeout_s: how long a record may take to be durable before its sender is told to
            try again.
        max_poll_interval_s: a member that does not poll for so long leaves the group.
        connect_timeout_s: how long to look for a broker at start before giving up with a sentence.
    """

    security_protocol: str = "PLAINTEXT"
    ssl_cafile: str | None = None
    ssl_certfile: str | None = None
    ssl_keyfile: str | None = None
    sasl_mechanism: str | None = None
    sasl_username: str | None = None
    sasl_password: str | None = None
    replication_factor: int | None = None
    delivery_timeout_s: float = 60.0
    max_poll_interval_s: float = 60.0
    connect_timeout_s: float = 10.0

    def __post_init__(self) -> None:
        protocols = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
        if self.security_protocol not in protocols:
            raise ValueError(
                f"kafka.security_protocol must be one of {', '.join(protocols)}, "
                f"got {self.security_protocol!r}"
            )
        for name in _KAFKA_SPANS:
            _check_span(f"kafka.{name}", getattr(self, name))
        if self.replication_factor is not None and self.replication_factor < 1:
            raise ValueError(
                f"kafka.replication_factor must be at least 1, got {self.replication_factor}"
            )


def _check_span(name: str, span_s: float) -> None:
    if not 0.0 < span_s < math.inf:
        raise ValueError(f"{name} must be a positive number of seconds, got {span_s}")
