"""One decoding process as its parent sees it: a socket, a shared buffer, and a way to end it."""

import fcntl
import json
import mmap
import os
import signal
import socket
import subprocess
import sys
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vcd.core import SetupError
from vcd.media.settings import MediaSettings

__all__ = ["DecodingProcess"]

_BOOT = (
    "import importlib, json, sys; sys.path[:0] = json.loads(sys.argv[1]); "
    "importlib.import_module(sys.argv[2]).main(sys.argv[3:])"
)
_KEPT_ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "TZ")
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "DECORD_NUM_THREADS")
_MAX_MESSAGE_BYTES = 1 << 16
_MAX_NOISE_BYTES = 2000


class DecodingProcess:
    """A spawned child; it is never forked from what the parent has loaded."""

    def __init__(self, settings: MediaSettings, *, child_module: str) -> None:
        self._slot_bytes = settings.slot_bytes
        self.num_videos = 0
        self.is_ready = False
        self._socket, childs_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.settimeout(0.0)
        self._noise = os.memfd_create("vcd-noise")
        frames = _sealed_memory(2 * settings.slot_bytes)
        try:
            self._memory = mmap.mmap(frames, 2 * settings.slot_bytes, prot=mmap.PROT_READ)
            self._process = subprocess.Popen(  # noqa: S603  # our own interpreter and module
                _command(settings, child_module, childs_end.fileno(), frames),
                pass_fds=(childs_end.fileno(), frames),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._noise,
                env=_environment(),
                process_group=0,
            )
        finally:
            os.close(frames)
            childs_end.close()

    @property
    def connection(self) -> socket.socket:
        """What becomes readable when the child has something to say, or is gone."""
        return self._socket

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, kind: str, **fields: object) -> None:
        """Send a message; one that the child is no longer there for is lost without a word."""
        try:
            self._socket.send(json.dumps({"kind": kind, **fields}).encode("ascii"))
        except OSError:
            return

    def receive(self) -> dict[str, Any] | None:
        """Take the next message, None when the child is gone.

        Raises:
            ValueError: it is no message.
        """
        try:
            data = self._socket.recv(_MAX_MESSAGE_BYTES)
        except BlockingIOError:
            return {"kind": "nothing"}
        except OSError:
            return None
        if not data:
            return None
        message = json.loads(data)
        if not isinstance(message, dict):
            raise ValueError("a message must be an object")  # noqa: TRY004  # the child is at fault
        return message

    def copy_slot(self, slot: int, shape: tuple[int, int, int, int]) -> NDArray[np.uint8]:
        """Copy a batch out of shared memory, and let the child have the room back.

        Raises:
            ValueError: the batch does not lie within its slot.
        """
        num_bytes = int(np.prod(shape, dtype=np.int64)) if min(shape) > 0 else -1
        if slot not in (0, 1) or not 0 < num_bytes <= self._slot_bytes:
            raise ValueError(f"a batch of shape {shape} in slot {slot}")
        first = slot * self._slot_bytes
        pixels = np.frombuffer(self._memory, np.uint8, num_bytes, first).reshape(shape).copy()
        self.send("free", slot=slot)
        return pixels

    def kill(self) -> int:
        """End the process at once and return how it ended, which may have been earlier."""
        self._socket.close()
        try:
            code = self._process.wait(timeout=0.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        return code

    def ending(self) -> str:
        """Wait for a process that has hung up, and say what it died of."""
        try:
            code = self._process.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            code = self.kill()
        return signal.Signals(-code).name if code < 0 else f"exit code {code}"

    def close(self) -> None:
        """End the process and give back what it held here."""
        self.kill()
        os.close(self._noise)
        self._memory.close()

    def check_started(self) -> None:
        """Tell a process that never came up from one that a video killed.

        Raises:
            SetupError: it did not get as far as its first message.
        """
        if self.is_ready:
            return
        noise = os.pread(self._noise, 1 << 20, 0)[-_MAX_NOISE_BYTES:].decode(errors="replace")
        last_line = noise.strip().splitlines()[-1] if noise.strip() else "no message"
        raise SetupError(
            f"wanted a decoding process, it ended before it was ready "
            f"({self.ending()}): {last_line}"
        )


def _command(settings: MediaSettings, child_module: str, end: int, frames: int) -> list[str]:
    paths = [os.path.abspath(path) for path in sys.path if path]  # noqa: PTH100  # strings for JSON
    return [
        sys.executable,
        "-I",
        "-c",
        _BOOT,
        json.dumps(paths),
        child_module,
        str(end),
        str(frames),
        str(os.getpid()),
        json.dumps(asdict(settings)),
    ]


def _environment() -> dict[str, str]:
    """Hand on what finding libraries needs and nothing that could be worth stealing."""
    kept = {name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ}
    return kept | dict.fromkeys(_ONE_THREAD, "1")


def _sealed_memory(num_bytes: int) -> int:
    """Make shared memory without a name that the child cannot shrink under the parent's feet."""
    descriptor = os.memfd_create("vcd-frames", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(descriptor, num_bytes)
    seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
    return descriptor
