"""What of `vcd check`'s speed the stage of the stream reaches, on the same files in one run.

    python -m benchmarks.bench_stream --repeats 5 [--children 2] [FOLDER]

Both do the same work with as many decoding children, in turns, so that what else the machine does
hits both; the ratio is the median of the ratios of neighbours. Without a folder, on made films.
"""

import argparse
import contextlib
import json
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipelines.check import _Run
from pipelines.detection import open_dense_pool, open_detector, requests_for
from pipelines.items import Items, find_items
from pipelines.stream_stage import open_stage
from vcd.config import load_settings
from vcd.core import Index, MatchReport
from vcd.core.codec import encode_report
from vcd.evaluation.drawn_film import draw_film
from vcd.media import Fetcher, FetchSettings, write_video
from vcd.search import ExactIndex
from vcd.stream.messages.records import Upload

_RATE_HZ = 2.0
_NUM_FILMS = 24
_FILM_S = 20.0
_FILM_RATE_HZ = 25.0

Reports = dict[str, MatchReport]


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, help="videos to check")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--children", type=int, default=2)
    arguments = parser.parse_args(argv)
    with _folder(arguments.folder) as folder:
        items = find_items([folder])
        index = _index(items)
        overrides: dict[str, object] = {"media.num_children": arguments.children}
        rounds = []
        for _ in range(arguments.repeats):
            check = _timed(lambda: _check(items, index, overrides))
            stream = _timed(lambda: _stream(items, index, overrides, folder))
            rounds.append(
                {
                    "check_s": round(check[0], 2),
                    "stream_s": round(stream[0], 2),
                    "ratio": round(check[0] / stream[0], 3),
                    "cpu_ratio": round(check[1] / stream[1], 3),
                    "num_equal": sum(check[2][name] == stream[2][name] for name in check[2]),
                }
            )
            print(json.dumps(rounds[-1]), file=sys.stderr, flush=True)
    medians = {
        name: statistics.median(each[name] for each in rounds) for name in ("ratio", "cpu_ratio")
    }
    print(json.dumps({"num_files": len(items), "children": arguments.children, **medians}))
    return 0


def _timed(run: Callable[[], tuple[float, Reports]]) -> tuple[float, float, dict[str, str]]:
    """Measure wall clock of the work, processor time of all of it, and what came out."""
    before_s = _processor_s()
    wall_s, reports = run()
    texts = {name: encode_report(each, with_elapsed=False) for name, each in reports.items()}
    return wall_s, _processor_s() - before_s, texts


def _processor_s() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _check(items: Items, index: Index, overrides: dict[str, object]) -> tuple[float, Reports]:
    with open_detector(None, overrides) as detector, open_dense_pool(None) as dense_pool:
        run = _Run(detector=detector, dense_pool=dense_pool, index=index, log=None)
        began_s = time.perf_counter()
        reports = {report.query_id: report for report in run.check(items, rate_hz=_RATE_HZ)}
        wall_s = time.perf_counter() - began_s
    return wall_s, {name: each for name, each in reports.items() if each.refused is None}


def _stream(
    items: Items, index: Index, overrides: dict[str, object], folder: Path
) -> tuple[float, Reports]:
    settings = load_settings(None, overrides)
    fetch = FetchSettings(allowed_prefixes=(f"{folder.resolve().as_uri()}/",))
    with (
        open_detector(None, overrides) as detector,
        Fetcher(fetch) as fetcher,
        open_stage(detector, settings, current_index=lambda: index, fetcher=fetcher) as stage,
    ):
        began_s = time.perf_counter()
        futures = [
            stage.submit(
                Upload(video_id=item.id, uri=item.path.resolve().as_uri(), submitted_at_s=0.0)
            )
            for item in items
        ]
        failed = [future.exception() for future in futures]
        wall_s = time.perf_counter() - began_s
    done = [future.result() for future, error in zip(futures, failed, strict=True) if error is None]
    return wall_s, {report.query_id: report for report in done}


def _index(items: Items) -> Index:
    """Make every fourth video a reference."""
    with open_detector(None, {}) as detector:
        requests = requests_for(
            list(items)[::4],
            detector,
            rate_hz=_RATE_HZ,
            is_wanted=lambda *_: True,
            on_refused=print,
        )
        found = detector.describe(requests)
        return ExactIndex([descriptors for each, descriptors in found if each.refused is None])


@contextlib.contextmanager
def _folder(given: Path | None) -> Iterator[Path]:
    if given is not None:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="vcd-bench-") as name:
        for seed in range(_NUM_FILMS):
            write_video(Path(name) / f"film{seed:02}.mp4", _film(seed), rate_hz=_FILM_RATE_HZ)
        yield Path(name)


def _film(seed: int) -> Iterator[NDArray[np.uint8]]:
    film = draw_film(f"film {seed}", seed=seed, duration_s=_FILM_S, size=(640, 360))
    for frame in range(round(_FILM_S * _FILM_RATE_HZ)):
        yield np.asarray(film.picture_at(frame / _FILM_RATE_HZ))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
