"""An address says which log is meant: ``sqlite:FILE`` or ``kafka:HOST:PORT[,...]``."""

import re
from pathlib import Path

from vcd.core import SetupError
from vcd.stream.log import Log
from vcd.stream.settings import KafkaSettings, StreamSettings

__all__ = ["open_log"]

_BROKER = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[^\s:,/@\[\]]+):[0-9]{1,5}")


def open_log(address: str, *, stream: StreamSettings, kafka: KafkaSettings) -> Log:
    """Open the log that an address names; nothing is made, and a broker may not be asked yet.

    Args:
        address: ``sqlite:FILE`` (``~`` is the home folder) or ``kafka:HOST:PORT[,HOST:PORT...]``.
        stream: the session timeout is taken from here.
        kafka: how brokers are reached.

    Raises:
        SetupError: the address is neither, or incomplete.
    """
    scheme, _, rest = address.partition(":")
    if scheme == "sqlite" and rest:
        from vcd.stream.local_log.log import LocalLog

        return LocalLog(address, Path(rest), stream)
    if scheme == "kafka" and all(_BROKER.fullmatch(broker) for broker in rest.split(",")):
        from vcd.stream.kafka_log.log import KafkaLog

        return KafkaLog(address, stream, kafka)
    raise SetupError(
        f"the address of a log is sqlite:FILE or kafka:HOST:PORT[,HOST:PORT...], got {address!r}"
    )
