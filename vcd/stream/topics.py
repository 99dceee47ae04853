"""The topics of the stream, and what each is made with."""

from vcd.stream.log import TopicSpec

__all__ = [
    "BACKFILL",
    "DEAD_LETTERS",
    "LANES",
    "REFERENCES",
    "REPORTS",
    "UPLOADS",
    "topic_specs",
]

UPLOADS = "vcd.uploads"
"""Fresh uploads: checked first."""

BACKFILL = "vcd.backfill"
"""Old uploads: checked when fresh ones leave room."""

REFERENCES = "vcd.references"
"""Changes of the references; one partition, so that all workers see one order."""

REPORTS = "vcd.reports"
"""What was found, under the id of the video."""

DEAD_LETTERS = "vcd.dead-letters"
"""Messages that cannot be used, as they came, with the reason in headers."""

LANES = {"live": UPLOADS, "backfill": BACKFILL}
"""What ``vcd submit --lane`` names."""

_DAY_S = 86_400.0


def topic_specs(num_partitions: int) -> tuple[TopicSpec, ...]:
    """List the topics of the stream.

    Args:
        num_partitions: of uploads and backfill: at least four for each worker that may run.
    """
    return (
        TopicSpec(name=UPLOADS, num_partitions=num_partitions, retention_s=14 * _DAY_S),
        TopicSpec(name=BACKFILL, num_partitions=num_partitions, retention_s=30 * _DAY_S),
        TopicSpec(name=REFERENCES, num_partitions=1, is_compacted=True),
        TopicSpec(
            name=REPORTS,
            num_partitions=num_partitions,
            is_compacted=True,
            retention_s=90 * _DAY_S,
        ),
        TopicSpec(name=DEAD_LETTERS, num_partitions=1, retention_s=90 * _DAY_S),
    )
