"""Open the message bus that a verb was given, and say at once when it is not usable."""

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from vcd.config import Settings, load_settings
from vcd.core import SetupError
from vcd.stream.address import open_log
from vcd.stream.log import Log

__all__ = ["add_log_flag", "open_bus", "patience_s", "require_topics"]


def add_log_flag(parser: argparse.ArgumentParser) -> None:
    """Add the one flag that all verbs of the bus share."""
    parser.add_argument(
        "--log", required=True, metavar="L", help="sqlite:FILE or kafka:HOST:PORT[,HOST:PORT...]"
    )


@contextmanager
def open_bus(address: str, config: Path | None) -> Iterator[tuple[Log, Settings]]:
    """Open a log for the time of a block, with the settings that a verb runs under.

    Raises:
        SetupError: the address or a setting is wrong.
    """
    settings = load_settings(config, {})
    log = open_log(address, stream=settings.stream, kafka=settings.kafka)
    try:
        yield log, settings
    finally:
        log.close()


def patience_s(settings: Settings) -> float:
    """Say how long to wait for a message to be durable, in seconds.

    Twice what the log itself takes before it says that a message cannot be delivered: who waits
    so long has heard the log's own reason, if it has one.
    """
    return 2 * settings.kafka.delivery_timeout_s


def require_topics(log: Log, names: Sequence[str]) -> None:
    """Make sure that the log can be reached and has these topics.

    Raises:
        SetupError: it cannot, or lacks one.
    """
    there = log.topics()
    missing = [name for name in names if name not in there]
    if missing:
        raise SetupError(
            f"{log.address}: wanted the topic {missing[0]}, found "
            f"{', '.join(sorted(there)) or 'none'}; `vcd log create --log {log.address}` makes it"
        )
