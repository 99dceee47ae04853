"""Named villains of the disk: die, or run out of space, before the k-th step of a writer.

A step is whatever changes the disk: make a folder, open for writing, write,
flush, rename, remove.
"""

import contextlib
import errno
import io
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from tests.factories import SPACE, make_descriptors, make_video
from vcd.core import Descriptors
from vcd.search import IndexWriter, read_info

_NAMES = ("mkdir", "fsync", "replace", "unlink", "ftruncate", "pwrite")


class _SteppingFile:
    """A file whose writes are steps."""

    def __init__(self, file: Any, step: Callable[[], None]) -> None:
        self._file = file
        self._step = step

    def write(self, data: Any) -> Any:
        self._step()
        return self._file.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> "_SteppingFile":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


@contextlib.contextmanager
def before_each_step(step: Callable[[], None]) -> Iterator[None]:
    """Call ``step`` before everything that changes the disk."""

    def stepping(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            step()
            return function(*args, **kwargs)

        return call

    def stepping_open(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        if "w" not in mode:
            return real_open(file, mode, *args, **kwargs)
        step()
        return _SteppingFile(real_open(file, mode, *args, **kwargs), step)

    real_open = io.open
    with contextlib.ExitStack() as stack:
        for name in _NAMES:
            stack.enter_context(mock.patch.object(os, name, stepping(getattr(os, name))))
        stack.enter_context(mock.patch.object(io, "open", stepping_open))
        yield


class Countdown:
    """Do something at the k-th step, the first being number 0."""

    def __init__(self, k: int, strike: Callable[[], None]) -> None:
        self.num_left = k
        self._strike = strike

    def __call__(self) -> None:
        self.num_left -= 1
        if self.num_left == -1:
            self._strike()


def kill_self() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def run_out_of_space() -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def interrupt() -> None:
    raise KeyboardInterrupt


def open_writer(path: Path) -> IndexWriter:
    return IndexWriter.open(path, space=SPACE, rate_hz=2.0, weights="test")


def references() -> list[Descriptors]:
    rng = np.random.default_rng(11)
    return [make_descriptors(f"r{i}", 3 + i, rng) for i in range(9)]


def fill(path: Path) -> str:
    """Publish the first version: r0 to r5, in several shards. Returns it."""
    for first, stop in ((0, 4), (4, 5), (5, 6)):
        with open_writer(path) as writer:
            for ref in references()[first:stop]:
                writer.add(make_video(ref.video_id), ref)
    return read_info(path).version


def change(path: Path) -> list[str]:
    """Publish two more versions. Returns them."""
    refs = references()
    with open_writer(path) as writer:
        for ref in refs[6:8]:
            writer.add(make_video(ref.video_id), ref)
        for ref_id in ("r0", "r1", "r2"):
            if ref_id in writer:
                writer.remove(ref_id)
        writer.publish()
        versions = [writer.info.version]
        writer.add(make_video("r8"), refs[8])
    return [*versions, writer.info.version]


def main(filled: Path, out: Path) -> None:
    """Let a child die before its k-th step, for every k, each in a copy of its own."""
    k = 0
    while True:
        copy = out / f"{k:03d}"
        shutil.copytree(filled, copy)
        child = os.fork()
        if child == 0:
            with before_each_step(Countdown(k, kill_self)):
                change(copy)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if status == 0:
            return
        if not os.WIFSIGNALED(status):
            raise SystemExit(f"step {k}: the writer ended with status {status}")
        k += 1


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
