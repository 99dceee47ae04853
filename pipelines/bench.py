"""`vcd bench`: how fast each stage is on this machine, and what the whole reaches of it.

Everything is measured in one run on footage made for the purpose, each stage alone on all
cores, so that the ratios hold on a noisy machine. The last line of a full run compares the
whole with what its two costly stages would allow if they had to share the machine:
1 / (1 / decode + 1 / describe). `stream` times the worker and the loop of `vcd check` in turns.
"""

import argparse
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipelines import bench_stream, console
from pipelines.cli import verb_parser
from pipelines.detection import open_dense_pool
from pipelines.matching import open_matcher
from vcd.align import TemporalNetwork
from vcd.core import Descriptors, DescriptorSpace, Examination, FrameBatch, Timeline
from vcd.descriptors import WHOLE_CUT, Fit
from vcd.detector import Detector
from vcd.media import DecodeRequest, digest_file, write_video
from vcd.search import ExactIndex, best_pairs

__all__ = ["main"]

_ABOUT = "Measure the stages on footage made for the purpose; rates are medians of the repeats."
_SOURCE_RATE_HZ = 25.0
_LENGTH_S = 24.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """What one stage does in a second.

    Attributes:
        stage: name of the stage.
        per_s: median over the repeats.
        spread_per_s: slowest and fastest repeat.
        unit: what is counted.
    """

    stage: str
    per_s: float
    spread_per_s: tuple[float, float]
    unit: str


def main(argv: Sequence[str]) -> int:
    """Run the verb; see ``vcd bench --help``."""
    arguments = _parse(argv)
    wanted = [arguments.stage] if arguments.stage else list(_STAGES)
    with _bench(arguments) as bench:
        rates = [rate for stage in wanted for rate in _STAGES[stage](bench)]
    document = {
        "machine": {"processor": platform.processor(), "num_cores": _num_cores()},
        "num_repeats": arguments.repeats,
        "fit": bench.detector.fit and bench.detector.fit.digest,
        "rates": [
            {"stage": r.stage, "per_s": r.per_s, "spread_per_s": r.spread_per_s, "unit": r.unit}
            for r in rates
        ],
        **_ratios({rate.stage: rate.per_s for rate in rates}),
    }
    if arguments.json:
        console.print_json(document)
        return 0
    for rate in rates:
        low, high = rate.spread_per_s
        print(f"{rate.stage:<12} {rate.per_s:>12,.1f}  ({low:,.1f} to {high:,.1f}) {rate.unit}")
    if "end_to_end_ratio" in document:
        print(
            f"end to end is {document['end_to_end_ratio']:.2f} of 1/(1/decode + 1/describe) "
            f"on {_num_cores()} cores"
        )
    if "stream_over_check" in document:
        print(f"the stream is {document['stream_over_check']:.2f} of the loop of `vcd check`")
    return 0


def _ratios(per_s: dict[str, float]) -> dict[str, float]:
    ratios = {}
    if {"decode", "describe", "end-to-end"} <= per_s.keys():
        allowed = 1.0 / (1.0 / per_s["decode"] + 1.0 / per_s["describe"])
        ratios["end_to_end_ratio"] = per_s["end-to-end"] / allowed
    if {"stream", "check"} <= per_s.keys():
        ratios["stream_over_check"] = per_s["stream"] / per_s["check"]
    return ratios


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bench:
    """What the stages are measured on.

    Attributes:
        detector: as `vcd check` opens it, with the fit that the settings mean.
        config: settings file that it was opened with.
        paths: made videos.
        rate_hz: frames sampled a second.
        num_repeats: how often each stage is timed, after one run that is not.
    """

    detector: Detector
    config: Path | None
    paths: tuple[Path, ...]
    rate_hz: float
    num_repeats: int

    def requests(self) -> Iterator[DecodeRequest]:
        for path in self.paths:
            yield DecodeRequest(
                video_id=path.stem,
                path=path,
                sha256=digest_file(path),
                rate_hz=self.rate_hz,
                max_short_edge_px=self.detector.describer.max_short_edge_px,
                interval=None,
            )

    def rates(self, unit: str, **works: Callable[[], int]) -> list[Rate]:
        """Time pieces of work in turns; each returns how much it did."""
        per_s: dict[str, list[float]] = {stage: [] for stage in works}
        for repeat in range(1 + self.num_repeats):
            for stage, work in works.items():
                started_s = time.perf_counter()
                amount = work()
                if repeat:
                    per_s[stage].append(amount / (time.perf_counter() - started_s))
        return [
            Rate(
                stage=stage.replace("_", "-"),
                per_s=statistics.median(found),
                spread_per_s=(min(found), max(found)),
                unit=unit,
            )
            for stage, found in per_s.items()
        ]


def _decode(bench: _Bench) -> list[Rate]:
    def work() -> int:
        events = bench.detector.pool.decode(bench.requests())
        return sum(len(event) for event in events if isinstance(event, FrameBatch))

    return bench.rates("sampled frames", decode=work)


def _describe(bench: _Bench) -> list[Rate]:
    events: list[FrameBatch | Examination] = list(bench.detector.pool.decode(bench.requests()))

    def work() -> int:
        described = bench.detector.describer.describe(iter(events))
        return sum(len(descriptors.timeline) for _, descriptors in described)

    return bench.rates("sampled frames", describe=work)


def _end_to_end(bench: _Bench) -> list[Rate]:
    index = _made_index(bench)

    def work() -> int:
        num_frames = 0
        for examination, descriptors in bench.detector.describe(bench.requests()):
            bench.detector.match(examination, descriptors, index)
            num_frames += len(descriptors.timeline)
        return num_frames

    return bench.rates("sampled frames", end_to_end=work)


def _stream(bench: _Bench) -> list[Rate]:
    index = _made_index(bench)
    overrides = {"media.rate_hz": bench.rate_hz}
    with (
        open_dense_pool(bench.config) as dense_pool,
        bench_stream.open_worker(bench.config, overrides, bench.paths, index) as check_by_worker,
    ):
        return bench.rates(
            "videos",
            check=lambda: bench_stream.check_videos(
                bench.detector, dense_pool, bench.requests(), index
            ),
            stream=check_by_worker,
        )


def _search(bench: _Bench) -> list[Rate]:
    rng = np.random.default_rng(0)
    detector, fit, space = bench.detector, bench.detector.fit, bench.detector.describer.space
    index = _index_of((_random_descriptors(f"r{i}", 1000, space, rng) for i in range(100)), fit)
    query = _random_descriptors("q", 60, space, rng)

    def work() -> int:
        prepared = query if fit is None else fit.prepare_query(query)
        best_pairs(index.hits(prepared, min_score=detector.search.min_score), detector.search)
        return len(query)

    return bench.rates("query frames against 100,000 reference frames", search=work)


def _align(bench: _Bench) -> list[Rate]:
    aligner = TemporalNetwork(bench.detector.align)
    rng = np.random.default_rng(0)
    maps = [_planted_map(rng) for _ in range(200)]

    def work() -> int:
        for similarity_QR in maps:
            aligner.align(similarity_QR)
        return len(maps)

    return bench.rates("60 x 60 matrices", align=work)


def _made_index(bench: _Bench) -> ExactIndex:
    described = replace(bench.detector, views=WHOLE_CUT).describe(bench.requests())
    return _index_of((descriptors for _, descriptors in described), bench.detector.fit)


def _index_of(refs: Iterable[Descriptors], fit: Fit | None) -> ExactIndex:
    """Hold references as `vcd check` searches them."""
    return ExactIndex(refs if fit is None else map(fit.prepare_ref, refs))


def _planted_map(rng: np.random.Generator) -> NDArray[np.float32]:
    similarity_QR = rng.normal(0.0, 0.1, (60, 60)).astype(np.float32)
    first, shift, length = rng.integers(0, 25), rng.integers(0, 10), rng.integers(10, 25)
    steps = np.arange(length)
    similarity_QR[first + steps, first + shift + steps] = 0.8
    return similarity_QR


def _random_descriptors(
    video_id: str, num_frames: int, space: DescriptorSpace, rng: np.random.Generator
) -> Descriptors:
    features = rng.normal(size=(num_frames, space.dim)).astype(np.float32)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    timeline = Timeline.from_starts(np.arange(num_frames) / 2.0, end_s=num_frames / 2.0)
    return Descriptors.from_frames(video_id, timeline, features, space)


@contextmanager
def _bench(arguments: argparse.Namespace) -> Iterator[_Bench]:
    with (
        tempfile.TemporaryDirectory(prefix="vcd-bench-") as folder,
        open_matcher(arguments.config, {}) as matcher,
    ):
        paths = tuple(Path(folder, f"video{i}.mp4") for i in range(arguments.videos))
        for number, path in enumerate(paths):
            write_video(path, _footage(number), rate_hz=_SOURCE_RATE_HZ)
        yield _Bench(
            detector=matcher.detector,
            config=arguments.config,
            paths=paths,
            rate_hz=2.0,
            num_repeats=arguments.repeats,
        )


def _footage(seed: int) -> Iterator[NDArray[np.uint8]]:
    """Look through a window that wanders over a large textured field, 640 x 360."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (60, 100, 3)).astype(np.uint8)
    field = np.kron(coarse, np.ones((12, 12, 1), dtype=np.uint8))
    field += rng.integers(0, 16, field.shape).astype(np.uint8)
    for step in range(int(_LENGTH_S * _SOURCE_RATE_HZ)):
        top = int(180 + 170 * np.sin(step / 90.0))
        left = int(280 + 270 * np.sin(step / 70.0 + seed))
        yield np.ascontiguousarray(field[top : top + 360, left : left + 640])


def _num_cores() -> int:
    return len(os.sched_getaffinity(0))


_STAGES: dict[str, Callable[[_Bench], list[Rate]]] = {
    "decode": _decode,
    "describe": _describe,
    "search": _search,
    "align": _align,
    "end-to-end": _end_to_end,
    "stream": _stream,
}


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = verb_parser("bench", _ABOUT)
    parser.add_argument("stage", nargs="?", choices=list(_STAGES), help="default: all of them")
    parser.add_argument("--json", action="store_true", help="print the numbers as JSON")
    parser.add_argument("--videos", type=int, default=6, metavar="N", help="videos made (6)")
    parser.add_argument("--repeats", type=int, default=3, metavar="N", help="timed runs (3)")
    return parser.parse_args(argv)
