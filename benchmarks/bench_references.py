"""How long a change of a reference takes to be in effect, and what a thousand of them cost.

    python -m benchmarks.bench_references [--log ADDRESS] [--views 3] [--refs 1000]

Each view is a process of its own that follows the topic and, all the while, searches for a query.
After a start with so many references, 100 additions and 50 removals flow at so many a second; the
time of each runs from the moment in which the log acknowledged it until a view serves an index that
reflects it. Then a thousand more changes flow, for memory, open files and mapped files: ``rss_mb``
has the pages of the index that happen to be in memory, ``own_mb`` does not.
"""

import argparse
import json
import multiprocessing
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from vcd.core import Descriptors, DescriptorSpace, Timeline, Video
from vcd.search import SearchSettings
from vcd.stream.address import open_log
from vcd.stream.log import Log, Place, Record, Writer
from vcd.stream.messages.envelope import encode_reference
from vcd.stream.messages.records import ReferenceChange
from vcd.stream.references.descriptor_store import DescriptorStore
from vcd.stream.references.index import IndexTerms
from vcd.stream.references.view import ReferenceView
from vcd.stream.settings import KafkaSettings, StreamSettings
from vcd.stream.topics import REFERENCES, topic_specs

SPACE = DescriptorSpace(name="bench", dim=256, fingerprint="bench")
RATE_HZ = 2.0
SECONDS = 60
"""Of each reference: 120 descriptors."""
QUERY_SECONDS = 30
_WAIT_S = 300.0


def _descriptors(video_id: str, seconds: int, seed: int) -> Descriptors:
    rng = np.random.default_rng([seed, *video_id.encode()])
    rows = rng.normal(size=(int(seconds * RATE_HZ), SPACE.dim)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    timeline = Timeline.from_starts(np.arange(len(rows)) / RATE_HZ, end_s=float(seconds))
    return Descriptors.from_frames(video_id, timeline, rows, SPACE)


def _open(address: str) -> Log:
    return open_log(address, stream=StreamSettings(), kafka=KafkaSettings())


def _usage() -> dict[str, float]:
    """Look at this process as the system sees it."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return {
        "rss_mb": int(status["VmRSS"].split()[0]) / 1024,
        "own_mb": int(status["RssAnon"].split()[0]) / 1024,
        "num_files": sum(1 for _ in Path("/proc/self/fd").iterdir()),
        "num_maps": Path("/proc/self/maps").read_text().count("\n"),
    }


def _durable_at_once(record: Record, error: Exception) -> "Future[Place]":
    print(f"refused: {error}", file=sys.stderr)
    sent: Future[Place] = Future()
    sent.set_result(record.place)
    return sent


def _follow(address: str, directory: str, store: str, pipe: Connection) -> None:
    """Be one worker: serve an index, search it, and note when each offset came into effect."""
    log = _open(address)
    terms = IndexTerms(space=SPACE, rate_hz=RATE_HZ, weights="bench")
    view = ReferenceView(
        log,
        Path(directory),
        terms,
        search=SearchSettings(),
        store=DescriptorStore(store),
        refuse=_durable_at_once,
    )
    view.wait_until_caught_up(_WAIT_S)
    stop = threading.Event()
    searches: list[str] = []
    searching = threading.Thread(target=_search, args=(view, stop, searches))
    searching.start()
    pipe.send(view.offset)
    seen: list[tuple[float, int]] = []
    while True:
        if not seen or view.offset > seen[-1][1]:
            seen.append((time.time(), view.offset))
        if pipe.poll(0.002):
            question = pipe.recv()
            if question == "stop":
                break
            pipe.send({"seen": seen, "num_searches": len(searches), "usage": _usage()})
    stop.set()
    searching.join()
    view.close()
    log.close()


def _search(view: ReferenceView, stop: threading.Event, searches: list[str]) -> None:
    query = _descriptors("query", QUERY_SECONDS, seed=1)
    while not stop.wait(0.05):
        index = view.current()
        for _ in index.hits(query, min_score=0.5):
            pass
        searches.append(index.version)


@dataclass
class _Producer:
    """Sends changes and notes when each was acknowledged."""

    writer: Writer
    store: DescriptorStore
    acknowledged: dict[int, float] = field(default_factory=dict)

    def add(self, ref_id: str) -> "Future[Place]":
        video = Video(
            id=ref_id, uri="", sha256="0" * 64, duration_s=SECONDS, width_px=640, height_px=360
        )
        file = self.store.put(_descriptors(ref_id, SECONDS, seed=0))
        change = ReferenceChange(video=video, descriptors=file, space=SPACE, rate_hz=RATE_HZ)
        return self._send(ref_id, encode_reference(change))

    def remove(self, ref_id: str) -> "Future[Place]":
        return self._send(ref_id, None)

    def _send(self, ref_id: str, value: bytes | None) -> "Future[Place]":
        sent = self.writer.send(REFERENCES, key=ref_id.encode(), value=value)
        sent.add_done_callback(self._note)
        return sent

    def _note(self, sent: "Future[Place]") -> None:
        self.acknowledged[sent.result().offset] = time.time()


@contextmanager
def _views(address: str, folder: Path, store: str, count: int) -> Iterator[list[Connection]]:
    spawn = multiprocessing.get_context("spawn")
    pipes, children = [], []
    for number in range(count):
        ours, theirs = spawn.Pipe()
        arguments = (address, str(folder / f"view-{number}"), store, theirs)
        children.append(spawn.Process(target=_follow, args=arguments))
        children[-1].start()
        pipes.append(ours)
    try:
        for pipe in pipes:
            pipe.recv()
        yield pipes
    finally:
        for pipe, child in zip(pipes, children, strict=True):
            pipe.send("stop")
            child.join()


def _answers(pipes: list[Connection], end: int) -> list[dict[str, Any]]:
    """Wait until every view reflects the topic up to this offset."""
    stop_s = time.monotonic() + _WAIT_S
    while True:
        for pipe in pipes:
            pipe.send("how far")
        answers = [pipe.recv() for pipe in pipes]
        if all(answer["seen"][-1][1] >= end for answer in answers):
            return answers
        if time.monotonic() > stop_s:
            raise SystemExit(f"a view did not come to offset {end} in {_WAIT_S:g} s")
        time.sleep(0.2)


def _delays_s(acknowledged: dict[int, float], answers: list[dict[str, Any]]) -> list[float]:
    delays = []
    for answer in answers:
        times, offsets = zip(*answer["seen"], strict=True)
        for offset, at in acknowledged.items():
            first = int(np.searchsorted(offsets, offset + 1))
            delays.append(max(0.0, times[first] - at))
    return delays


def _flow(producer: _Producer, arguments: argparse.Namespace) -> int:
    """Send additions and removals, turn by turn; returns the end of the topic."""
    producer.acknowledged.clear()
    sent: list[Future[Place]] = []
    for step in range(max(arguments.adds, arguments.removals)):
        if step < arguments.adds:
            sent.append(producer.add(f"new-{step}"))
        if step < arguments.removals:
            sent.append(producer.remove(f"ref-{step}"))
        time.sleep(1.0 / arguments.rate)
    return max(each.result().offset for each in sent) + 1


def _measured(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    address = arguments.log or f"sqlite:{folder / 'bus.db'}"
    log = _open(address)
    log.create_topics(topic_specs(4))
    store = str(folder / "store")
    producer = _Producer(log.writer(), DescriptorStore(store))
    for number in range(arguments.refs):
        producer.add(f"ref-{number}")
    with _views(address, folder, store, arguments.views) as pipes:
        answers = _answers(pipes, _flow(producer, arguments))
        delays = _delays_s(producer.acknowledged, answers)
        memory = [[answer["usage"] for answer in answers]]
        for batch in range(arguments.changes // 100):
            ids = [f"more-{batch}-{number}" for number in range(50)]
            for ref_id in ids:
                producer.add(ref_id)
            last = [producer.remove(ref_id) for ref_id in ids][-1]
            answers = _answers(pipes, last.result().offset + 1)
            memory.append([answer["usage"] for answer in answers])
    producer.writer.close(10.0)
    log.close()
    return {
        "log": address.partition(":")[0],
        "num_views": arguments.views,
        "num_refs": arguments.refs,
        "num_changes": len(delays) // arguments.views,
        "effect_s": {f"p{q}": round(float(np.percentile(delays, q)), 3) for q in (50, 99, 100)},
        "num_searches": [answer["num_searches"] for answer in answers],
        "num_versions": [len(answer["seen"]) for answer in answers],
        "after_changes": {str(100 * n): rows for n, rows in enumerate(memory)},
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--log", help="an empty log; a SQLite file of its own when not given")
    parser.add_argument("--views", type=int, default=1)
    parser.add_argument("--refs", type=int, default=1000)
    parser.add_argument("--adds", type=int, default=100)
    parser.add_argument("--removals", type=int, default=50)
    parser.add_argument("--rate", type=float, default=10.0, help="additions a second")
    parser.add_argument("--changes", type=int, default=1000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="vcd-references-") as name:
        print(json.dumps(_measured(arguments, Path(name)), indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
