"""The worker of the stream beside the loop of `vcd check`, on the same videos in one run.

Both do the same: every frame is decoded and described, every bound looked at more densely. The
worker has a message bus around it, one SQLite file, on which each video is an upload.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from pipelines.detection import denser_for
from pipelines.matching import open_matcher
from pipelines.stream_stage import open_stage
from vcd.config import Settings, load_settings
from vcd.core import Index, SetupError
from vcd.detector import Detector
from vcd.media import DecodePool, DecodeRequest, Fetcher
from vcd.stream.address import open_log
from vcd.stream.log import Log
from vcd.stream.messages.envelope import encode_upload
from vcd.stream.messages.records import Upload
from vcd.stream.metrics import StreamMetrics
from vcd.stream.topics import DEAD_LETTERS, REPORTS, UPLOADS, topic_specs
from vcd.stream.worker.worker import Worker

__all__ = ["check_videos", "open_worker"]

_NUM_PARTITIONS = 4
_POLL_S = 0.05
_SEND_S = 30.0


def check_videos(
    detector: Detector, dense_pool: DecodePool, requests: Iterator[DecodeRequest], index: Index
) -> int:
    """Check videos one after the other, as `vcd check` does; returns how many."""
    num_checked = 0
    for examination, descriptors in detector.describe(requests):
        denser = denser_for(detector, dense_pool, examination, descriptors)
        detector.match(examination, descriptors, index, denser=denser)
        num_checked += 1
    return num_checked


@contextlib.contextmanager
def open_worker(
    config: Path | None, overrides: Mapping[str, object], paths: Sequence[Path], index: Index
) -> Iterator[Callable[[], int]]:
    """Start a worker on a bus of its own; yields what sends it all videos and waits for reports.

    Args:
        config: settings file.
        overrides: dotted key -> value, over what the file says.
        paths: of the videos, all in one folder; the bus is made beside them.
        index: the references, as the fit of the settings makes them.

    Raises:
        SetupError: the worker stopped, or could not use a video.
    """
    folder = paths[0].parent
    overrides = {**overrides, "fetch.allowed_prefixes": [f"{folder.resolve().as_uri()}/"]}
    settings = load_settings(config, overrides)
    log = open_log(f"sqlite:{folder / 'bus.db'}", stream=settings.stream, kafka=settings.kafka)
    log.create_topics(topic_specs(_NUM_PARTITIONS))
    with contextlib.ExitStack() as stack:
        stack.callback(log.close)
        detector = stack.enter_context(open_matcher(config, overrides)).detector
        fetcher = stack.enter_context(Fetcher(settings.fetch))
        stage = stack.enter_context(
            open_stage(detector, settings, current_index=lambda: index, fetcher=fetcher)
        )
        worker = Worker(log, stage, settings.stream, metrics=StreamMetrics(), name="bench")
        running = stack.enter_context(ThreadPoolExecutor(1)).submit(worker.run)
        stack.callback(worker.stop)
        yield lambda: _check_by_worker(log, settings, paths, running)


def _check_by_worker(
    log: Log, settings: Settings, paths: Sequence[Path], running: "Future[None]"
) -> int:
    reports, letters = (
        log.tail(topic, start=log.offsets(settings.stream.group, topic).ends)
        for topic in (REPORTS, DEAD_LETTERS)
    )
    with contextlib.closing(reports), contextlib.closing(letters):
        _send(log, paths)
        num_left = len(paths)
        while num_left:
            num_left -= len(reports.poll(_POLL_S, limit=num_left))
            for record in letters.poll(0.0, limit=1):
                raise SetupError(f"{(record.key or b'').decode()}: the worker could not use it")
            if running.done():
                running.result()
                raise SetupError("the worker stopped before all videos were checked")
    return len(paths)


def _send(log: Log, paths: Sequence[Path]) -> None:
    writer = log.writer()
    for path in paths:
        uri = path.resolve().as_uri()
        upload = Upload(video_id=path.stem, uri=uri, submitted_at_s=time.time())
        writer.send(UPLOADS, key=path.stem.encode(), value=encode_upload(upload))
    writer.close(_SEND_S)
