"""A process of its own on a local log: ``read FILE GROUP TOPIC`` or ``send FILE TOPIC NAME NUM``.

Writes one JSON line for each thing that happens, for the test to read.
"""

import json
import signal
import sys
from collections.abc import Mapping
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from types import FrameType

from vcd.stream.address import open_log
from vcd.stream.log import Commit, Log, Partition, Place
from vcd.stream.settings import KafkaSettings, StreamSettings


def _say(**what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


class _Worker:
    """Commits each record when it has said so; a released partition was committed already."""

    def __init__(self, log: Log, group: str, topic: str) -> None:
        self._reader = log.reader(group, [topic], self)
        self._is_stopping = False
        signal.signal(signal.SIGTERM, self._stop)

    def _stop(self, _signal: int, _frame: FrameType | None) -> None:
        self._is_stopping = True

    def gained(self, partitions: frozenset[Partition]) -> None:
        _say(gained=sorted(map(str, partitions)))

    def released(self, partitions: frozenset[Partition]) -> Mapping[Partition, Commit]:
        _say(released=sorted(map(str, partitions)))
        return {}

    def lost(self, partitions: frozenset[Partition]) -> None:
        _say(lost=sorted(map(str, partitions)))

    def work(self) -> None:
        while not self._is_stopping:
            for record in self._reader.poll(0.05, limit=5):
                _say(value=(record.value or b"").decode(), place=str(record.place))
                place = record.place
                self._reader.commit({place.partition: Commit(offset=place.offset + 1)})
        self._reader.close(5.0)
        _say(closed=True)


def _say_sent(text: str, sent: Future[Place]) -> None:
    _say(sent=text, place=str(sent.result()))


def _send(log: Log, topic: str, name: str, num_records: int) -> None:
    writer = log.writer()
    for number in range(num_records):
        text = f"{name}-{number}"
        sent = writer.send(topic, key=text.encode(), value=text.encode())
        sent.add_done_callback(partial(_say_sent, text))
    writer.close(60.0)


def main() -> None:
    verb, file, *rest = sys.argv[1:]
    stream = StreamSettings(session_timeout_s=1.0)
    log = open_log(f"sqlite:{Path(file)}", stream=stream, kafka=KafkaSettings())
    if verb == "read":
        group, topic = rest
        _Worker(log, group, topic).work()
    else:
        topic, name, number = rest
        _send(log, topic, name, int(number))
    log.close()


if __name__ == "__main__":
    main()
