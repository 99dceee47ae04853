"""How the stream behaves under load: beside `vcd check`, with two workers, for half an hour.

    python -m benchmarks.stream_load throughput        beside `vcd check` of the same files
    python -m benchmarks.stream_load scaling           one worker and two, each held to one core
    python -m benchmarks.stream_load latency           30 s uploads at half of full load
    python -m benchmarks.stream_load soak --minutes 30

A latency is the time from the upload's record to its report's record, both as the log
stamped them. Everything runs on drawn films and on a log of its own; `--log kafka` starts a broker.
"""

import argparse
import contextlib
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from tests.chaos.fleet import Fleet, wait_for
from tests.chaos.storm import is_done, run_vcd, write_config
from tests.chaos.verdicts import read_all
from tests.kafka.broker import Broker
from vcd.config import load_settings
from vcd.evaluation.synthesis.drawn_film import draw_film
from vcd.media import write_video
from vcd.stream.address import open_log
from vcd.stream.log import Log
from vcd.stream.messages.envelope import encode_upload
from vcd.stream.messages.records import Upload
from vcd.stream.topics import REPORTS, UPLOADS

_RATE_HZ = 12.0
_SIZE = (640, 360)


@dataclass(kw_only=True)
class _Bench:
    """A log, its workers, and films to send."""

    folder: Path
    log: Log
    group: str
    films: Sequence[Path]
    num_sent: int = 0

    def send(self, num_uploads: int, *, every_s: float = 0.0) -> list[str]:
        """Send uploads, one each ``every_s`` seconds; returns their ids."""
        writer = self.log.writer()
        began_s = time.monotonic()
        ids = []
        for ordinal in range(num_uploads):
            time.sleep(max(0.0, began_s + ordinal * every_s - time.monotonic()))
            ids.append(f"load-{self.num_sent:06d}")
            film = self.films[self.num_sent % len(self.films)]
            upload = Upload(
                video_id=ids[-1], uri=film.as_uri(), submitted_at_s=time.time(), trace_id=ids[-1]
            )
            writer.send(UPLOADS, key=ids[-1].encode(), value=encode_upload(upload))
            self.num_sent += 1
        if not writer.flush(60.0):
            raise TimeoutError("the log did not take the uploads within a minute")
        writer.close(10.0)
        return ids

    def settle(self) -> None:
        wait_for(lambda: is_done(self.log, self.group), timeout_s=1200, what="all uploads done")

    def uploads_hz(self, num_uploads: int) -> float:
        """Measure how many uploads a second come out when there is always one more."""
        began_s = time.monotonic()
        self.send(num_uploads)
        self.settle()
        return num_uploads / (time.monotonic() - began_s)

    def latencies_s(self, ids: Sequence[str]) -> list[float]:
        sent_s = _times(self.log, UPLOADS)
        done_s = _times(self.log, REPORTS)
        return [done_s[video_id] - sent_s[video_id] for video_id in ids]


def _times(log: Log, topic: str) -> dict[str, float]:
    return {(record.key or b"").decode(): record.time_s for record in read_all(log, topic)}


def _film(seed: int, length_s: float) -> Iterator[NDArray[np.uint8]]:
    film = draw_film(f"film {seed}", seed=seed, duration_s=length_s, size=_SIZE)
    for frame in range(round(length_s * _RATE_HZ)):
        yield np.asarray(film.picture_at(frame / _RATE_HZ))


@contextlib.contextmanager
def _address(kind: str, folder: Path) -> Iterator[str]:
    if kind == "sqlite":
        yield f"sqlite:{folder / 'bus.db'}"
        return
    with Broker(folder / "broker") as broker:
        yield broker.address


@contextlib.contextmanager
def _bench(
    arguments: argparse.Namespace, *, cores: dict[int, int]
) -> Iterator[tuple[_Bench, Fleet]]:
    with tempfile.TemporaryDirectory(prefix="vcd-load-") as name:
        folder = Path(name)
        (folder / "clips").mkdir()
        films = [folder / "clips" / f"film{seed}.mp4" for seed in range(8)]
        for seed, path in enumerate(films):
            write_video(path, _film(seed, arguments.length_s), rate_hz=_RATE_HZ)
        with _address(arguments.log, folder) as address:
            config = write_config(folder)
            run_vcd("log", "create", "--log", address, "--partitions", "8")
            run_vcd("references", "add", *map(str, films[:4]), "--log", address, config=config)
            settings = load_settings(config, {})
            log = open_log(address, stream=settings.stream, kafka=settings.kafka)
            fleet = Fleet(folder=folder, log=address, config=config, env={}, cores=cores)
            with fleet:
                yield (
                    _Bench(folder=folder, log=log, group=settings.stream.group, films=films),
                    fleet,
                )
                fleet.stop(timeout_s=60)
            log.close()


def _throughput(arguments: argparse.Namespace) -> dict[str, Any]:
    """One worker beside one `vcd check`, in turn, each with its start taken out."""
    ratios = []
    with _bench(arguments, cores={}) as (bench, fleet):
        folder = bench.folder / "again"
        folder.mkdir()
        for ordinal in range(arguments.uploads):
            film = bench.films[ordinal % len(bench.films)]
            (folder / f"again{ordinal:03d}.mp4").hardlink_to(film)
        fleet.start(0)
        bench.uploads_hz(8)
        for _ in range(arguments.repeats):
            stream_hz = bench.uploads_hz(arguments.uploads)
            one_s = _check_s(bench.folder, [folder / "again000.mp4"])
            all_s = _check_s(bench.folder, [folder])
            ratios.append((stream_hz, (arguments.uploads - 1) / (all_s - one_s)))
    median = statistics.median(stream / check for stream, check in ratios)
    return {"stream_and_check_uploads_hz": ratios, "stream_over_check": round(median, 3)}


def _check_s(folder: Path, paths: Sequence[Path]) -> float:
    began_s = time.monotonic()
    run_vcd(
        "check",
        *map(str, paths),
        "--index",
        str(folder / "index0"),
        config=folder / "storm.toml",
    )
    return time.monotonic() - began_s


def _scaling(arguments: argparse.Namespace) -> dict[str, Any]:
    with _bench(arguments, cores={0: 0, 1: 1}) as (bench, fleet):
        rates: dict[int, list[float]] = {1: [], 2: []}
        for _ in range(arguments.repeats):
            for num_workers in (1, 2):
                for name in range(num_workers):
                    fleet.start(name)
                bench.uploads_hz(4 * num_workers)
                rates[num_workers].append(bench.uploads_hz(arguments.uploads))
                fleet.stop(timeout_s=60)
    one, two = (statistics.median(rates[number]) for number in (1, 2))
    return {"uploads_hz": rates, "two_over_one": round(two / one, 3)}


def _latency(arguments: argparse.Namespace) -> dict[str, Any]:
    with _bench(arguments, cores={}) as (bench, fleet):
        fleet.start(0)
        bench.uploads_hz(8)
        full_hz = bench.uploads_hz(arguments.uploads)
        ids = bench.send(arguments.uploads, every_s=2.0 / full_hz)
        bench.settle()
        spent_s = bench.latencies_s(ids)
    p50, p95, p99 = np.percentile(spent_s, [50, 95, 99])
    return {
        "full_load_uploads_hz": round(full_hz, 3),
        "p50_s": round(float(p50), 3),
        "p95_s": round(float(p95), 3),
        "p99_s": round(float(p99), 3),
    }


def _soak(arguments: argparse.Namespace) -> dict[str, Any]:
    samples: list[tuple[float, int, int]] = []
    with _bench(arguments, cores={}) as (bench, fleet):
        fleet.start(0)
        bench.uploads_hz(8)
        half_hz = bench.uploads_hz(arguments.uploads) / 2
        worker = psutil.Process(fleet.workers[0].pid)
        began_s = time.monotonic()
        num_sent = 0
        while time.monotonic() < began_s + 60 * arguments.minutes:
            num_sent += len(bench.send(max(1, round(10 * half_hz)), every_s=1.0 / half_hz))
            children = [child.memory_info().rss for child in worker.children(recursive=True)]
            samples.append((time.monotonic() - began_s, worker.memory_info().rss, sum(children)))
        bench.settle()
    fifth = max(1, len(samples) // 5)
    first, last = samples[fifth : 2 * fifth], samples[-fifth:]
    return {
        "minutes": arguments.minutes,
        "num_uploads": num_sent,
        "worker_mb_second_fifth": round(statistics.median(mine for _, mine, _ in first) / 2**20, 1),
        "worker_mb_last_fifth": round(statistics.median(mine for _, mine, _ in last) / 2**20, 1),
        "children_mb_last_fifth": round(statistics.median(s for _, _, s in last) / 2**20, 1),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("throughput", "scaling", "latency", "soak"))
    parser.add_argument("--log", choices=("sqlite", "kafka"), default="sqlite")
    parser.add_argument("--uploads", type=int, default=60)
    parser.add_argument("--length-s", type=float, default=30.0)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=30.0)
    arguments = parser.parse_args()
    measures = {
        "throughput": _throughput,
        "scaling": _scaling,
        "latency": _latency,
        "soak": _soak,
    }
    measured = measures[arguments.what](arguments)
    result = {"what": arguments.what, "log": arguments.log, **measured}
    print(json.dumps(result, indent=2, sort_keys=True))
    return 0


if __name__ == "__main__":
    sys.exit(main())
