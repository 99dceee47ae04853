"""Films, references, a fetcher whose files go away again, and a stage with villains in it."""

import contextlib
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from pipelines.stream_stage import DetectorStage, StagePlan
from vcd.core import Index, InputError
from vcd.detector import Detector
from vcd.evaluation.synthesis.drawn_film import draw_film
from vcd.media import DecodePool, Fetched, MediaSettings, digest_file, write_video
from vcd.stream.messages.records import Upload

__all__ = ["CopyingFetcher", "open_test_stage", "upload", "write_film"]

FILM_RATE_HZ = 6.0
RATE_HZ = 2.0
VILLAINS = "tests.fault.villains"


def write_film(path: Path, seed: int, *, first_s: float = 0.0, length_s: float = 12.0) -> Path:
    """Write a stretch of the film of this seed."""
    film = draw_film(f"film {seed}", seed=seed, duration_s=30.0, size=(256, 192))
    steps = range(round(length_s * FILM_RATE_HZ))
    pictures = (np.asarray(film.picture_at(first_s + step / FILM_RATE_HZ)) for step in steps)
    write_video(path, pictures, rate_hz=FILM_RATE_HZ)
    return path


def upload(path: Path | str, video_id: str | None = None) -> Upload:
    name = video_id if video_id is not None else Path(path).stem
    return Upload(video_id=name, uri=str(path), submitted_at_s=0.0, trace_id=f"trace {name}")


class CopyingFetcher:
    """Lends copies of local files under their own names, and takes them away again."""

    def __init__(self, *, wait_for: threading.Event | None = None) -> None:
        """Make one.

        Args:
            wait_for: what a file called ``slow`` waits for.
        """
        self.lent: set[Path] = set()
        self.num_lent = 0
        self._wait_for = wait_for

    @contextlib.contextmanager
    def fetch(self, uri: str) -> Iterator[Fetched]:
        path = Path(uri)
        if path.stem == "slow" and self._wait_for is not None:
            self._wait_for.wait(60.0)
        if not path.exists():
            raise InputError(f"{uri}: nothing there", reason="not_found")
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(shutil.copy(path, Path(folder) / path.name))
            self.lent.add(copy)
            self.num_lent += 1
            try:
                yield Fetched(path=copy, sha256=digest_file(path), num_bytes=copy.stat().st_size)
            finally:
                self.lent.discard(copy)


@contextlib.contextmanager
def open_test_stage(
    detector: Detector,
    index: Index | Callable[[], Index],
    *,
    fetcher: CopyingFetcher | None = None,
    **changes: Any,
) -> Iterator[DetectorStage]:
    """Run the detector, with villains for children, as a stage."""
    media = MediaSettings(**({"max_stall_s": 2.0, "num_children": 2} | changes))
    stage = DetectorStage(
        replace(detector, pool=DecodePool(media, child_module=VILLAINS)),
        fetcher=cast("Any", fetcher or CopyingFetcher()),
        current_index=index if callable(index) else lambda: index,
        open_dense_pool=lambda: DecodePool(replace(media, num_children=1)),
        plan=StagePlan(rate_hz=RATE_HZ, num_fetchers=4),
    )
    try:
        yield stage
    finally:
        stage.close()
