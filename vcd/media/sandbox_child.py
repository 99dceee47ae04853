"""The inside of a decoding process: give up every right, then decode what is asked for.

It speaks with its parent over one socket, in JSON, and hands frames over in two
shared buffers that it fills in turn. It never sends anything that the parent
would have to trust: no pickles, no addresses, only numbers and sentences.
"""

import argparse
import json
import mmap
import os
import signal
import socket
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vcd.core import Examination, InputError, Interval
from vcd.media.confinement import confine, die_with_parent, rearm_cpu_limit
from vcd.media.decode import load_decoders, sample_file
from vcd.media.request import DecodeRequest
from vcd.media.settings import MediaSettings

__all__ = ["main"]

_PROGRESS_EVERY_S = 0.1
"""Well below what the parent takes for silence."""

_INTERVALS_A_MESSAGE = 200
_MAX_SENTENCE = 2000


class _Parent:
    """The other end of the socket."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def send(self, kind: str, **fields: object) -> None:
        self._connection.send(json.dumps({"kind": kind, **fields}).encode("ascii"))

    def receive(self) -> dict[str, Any]:
        """Wait for a message; without a parent there is nothing left to do."""
        data = self._connection.recv(1 << 16)
        if not data:
            os._exit(0)
        message: dict[str, Any] = json.loads(data)
        return message


class _SharedSink:
    """Write samples into whichever buffer is free and tell the parent when one is full."""

    def __init__(self, parent: _Parent, memory: mmap.mmap, settings: MediaSettings) -> None:
        self._parent = parent
        self._settings = settings
        self._bytes = np.frombuffer(memory, dtype=np.uint8)
        self._free = [1, 0]
        self._slot: int | None = None
        self._shape: tuple[int, ...] = ()
        self._times: list[tuple[float, float]] = []
        self._told_s = 0.0

    def put(self, start_s: float, end_s: float, pixels_HWC: NDArray[np.uint8]) -> None:
        is_full = len(self._times) >= self._capacity(pixels_HWC.nbytes)
        if self._times and (is_full or pixels_HWC.shape != self._shape):
            self._hand_over()
        if self._slot is None:
            self._slot = self._free_slot()
        self._shape = pixels_HWC.shape
        first = self._slot * self._settings.slot_bytes + len(self._times) * pixels_HWC.nbytes
        room = self._bytes[first : first + pixels_HWC.nbytes].reshape(pixels_HWC.shape)
        np.copyto(room, pixels_HWC)
        self._times.append((start_s, end_s))

    def finish(self, end_s: float | None) -> None:
        if not self._times:
            return
        if end_s is not None:
            self._times[-1] = (self._times[-1][0], end_s)
        self._hand_over()

    def drop(self) -> None:
        """Forget what was not handed over."""
        self._times = []

    def begin(self, decoder: str) -> None:
        self._parent.send("decoder", name=decoder)

    def progress(self, position_s: float) -> None:
        now_s = time.monotonic()
        if now_s - self._told_s >= _PROGRESS_EVERY_S:
            self._told_s = now_s
            rearm_cpu_limit(self._settings.max_stall_s)
            self._parent.send("progress", position_s=position_s)

    def freed(self, slot: int) -> None:
        self._free.append(slot)

    def _capacity(self, frame_bytes: int) -> int:
        return max(
            1, min(self._settings.max_batch_frames, self._settings.slot_bytes // frame_bytes)
        )

    def _hand_over(self) -> None:
        self._parent.send(
            "batch",
            slot=self._slot,
            shape=[len(self._times), *self._shape],
            start_s=[start_s for start_s, _ in self._times],
            end_s=[end_s for _, end_s in self._times],
        )
        self._slot, self._times = None, []

    def _free_slot(self) -> int:
        while not self._free:
            message = self._parent.receive()
            if message["kind"] == "free":
                self.freed(message["slot"])
        return self._free.pop()


def main(arguments: list[str]) -> None:
    """Run a decoding process until its parent closes the socket.

    Args:
        arguments: descriptors of the socket and of the shared memory, the parent's process id,
            and the settings in JSON.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parser = argparse.ArgumentParser()
    for name in ("socket", "memory", "parent"):
        parser.add_argument(name, type=int)
    parser.add_argument("settings", type=json.loads)
    options = parser.parse_args(arguments)
    die_with_parent(options.parent)
    settings = MediaSettings(**options.settings)
    parent = _Parent(socket.socket(fileno=options.socket))
    memory = mmap.mmap(options.memory, 2 * settings.slot_bytes)
    load_decoders()
    held = confine(max_memory_bytes=settings.max_memory_bytes)
    parent.send("ready", held=list(held))
    _serve(parent, _SharedSink(parent, memory, settings), settings)


def _serve(parent: _Parent, sink: _SharedSink, settings: MediaSettings) -> None:
    while True:
        message = parent.receive()
        if message["kind"] == "free":
            sink.freed(message["slot"])
        elif message["kind"] == "decode":
            rearm_cpu_limit(settings.max_stall_s)
            _answer(parent, _decode(message, sink, settings))
            sink.drop()


def _decode(
    message: dict[str, Any], sink: _SharedSink, settings: MediaSettings
) -> Examination | InputError:
    """Decode one video; whatever goes wrong becomes a sentence about it, and a reason."""
    path = message["path"]
    try:
        return sample_file(
            _request(message),
            settings,
            sink,
            first_cell=message["first_cell"],
            may_use_decord=message["may_use_decord"],
        )
    except InputError as error:
        return error
    except MemoryError:
        limit_mib = settings.max_memory_bytes // 2**20
        sentence = f"{path}: wanted to decode it within {limit_mib} MiB of memory, it needs more"
        return InputError(sentence, reason="over_limit")
    except Exception as error:  # noqa: BLE001  # one bad file never ends the run
        sentence = f"{path}: wanted a video, its decoder gave up: {error!r}"[:_MAX_SENTENCE]
        return InputError(sentence, reason="undecodable")


def _request(message: dict[str, Any]) -> DecodeRequest:
    interval = message["interval"]
    return DecodeRequest(
        video_id=message["video_id"],
        path=Path(message["path"]),
        sha256="0" * 64,
        rate_hz=message["rate_hz"],
        max_short_edge_px=message["max_short_edge_px"],
        interval=None if interval is None else Interval(*interval),
    )


def _answer(parent: _Parent, found: Examination | InputError) -> None:
    """Report on a video as numbers and a sentence, in messages of bounded size."""
    if isinstance(found, InputError):
        parent.send("done", refused=str(found), reason=found.reason)
        return
    if found.video is None:
        parent.send("done", refused=found.refused, reason=found.reason)
        return
    examined = [[part.start_s, part.end_s] for part in found.examined]
    skipped = [[part.interval.start_s, part.interval.end_s, part.reason] for part in found.skipped]
    for first in range(0, max(len(examined), len(skipped)), _INTERVALS_A_MESSAGE):
        stop = first + _INTERVALS_A_MESSAGE
        parent.send("account", examined=examined[first:stop], skipped=skipped[first:stop])
    parent.send(
        "done",
        refused=None,
        decoder=found.decoder,
        size=[found.video.width_px, found.video.height_px],
        duration_s=found.video.duration_s,
    )
