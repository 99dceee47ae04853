"""Decoders that do what a hostile file could make one do; the file's name says what.

A pool that is given this module as its child's runs the real child with the real
limits, but the decoder inside is replaced.
"""

import ctypes
import os
import resource
import socket
import subprocess
import sys
import time

from vcd.core import InputError
from vcd.media import MediaSettings, sandbox_child
from vcd.media.decode import sample_file


def main(arguments):
    vars(sandbox_child)["sample_file"] = _misbehave
    sandbox_child.main(arguments)


def _misbehave(request, settings, sink, **options):
    deed = request.path.name.partition("-")[0]
    villain = _VILLAINS.get(deed)
    if villain is not None:
        villain(request, sink, options)
    return sample_file(request, settings, sink, **options)


def _spin(request, sink, options):
    sink.begin("pyav")
    while True:
        pass


def _sleep(request, sink, options):
    sink.begin("pyav")
    time.sleep(1000)


def _crash(request, sink, options):
    ctypes.string_at(0)


def _bomb(request, sink, options):
    hoard = [bytearray(64 * 2**20) for _ in range(1000)]
    raise AssertionError(f"{len(hoard)} blocks of 64 MiB could be had")


class _FaintingSink:
    """Give up after a number of samples, the way decord does."""

    def __init__(self, sink, num_samples, end):
        self._sink = sink
        self._left = num_samples
        self._end = end

    def put(self, *sample):
        if self._left == 0:
            self._end()
        self._left -= 1
        self._sink.put(*sample)

    def __getattr__(self, name):
        return getattr(self._sink, name)


def _decord_dies(request, sink, options, end):
    if options["may_use_decord"]:
        fainting = _FaintingSink(sink, 40, end)
        settings = MediaSettings()
        sample_file(request, settings, fainting, **options)


def _decord_crashes(request, sink, options):
    _decord_dies(request, sink, options, lambda: ctypes.string_at(0))


def _decord_hangs(request, sink, options):
    _decord_dies(request, sink, options, lambda: time.sleep(1000))


def _liar(request, sink, options):
    sink._parent.send("batch", slot=7, shape=[1, 2, 2, 3], start_s=[0.0], end_s=[1.0])
    time.sleep(1000)


def _overrun(request, sink, options):
    shape = [1, 4000, 4000, 3]  # more than a slot, less than both
    sink._parent.send("batch", slot=0, shape=shape, start_s=[0.0], end_s=[1.0])
    time.sleep(1000)


def _babble(request, sink, options):
    sink._parent._connection.send(b"\x80\x05cos\nsystem\n")
    time.sleep(1000)


def _try(request, deed):
    """Report what became of a deed as the reason of a refusal."""
    try:
        outcome = f"succeeded: {deed()}"
    except OSError as error:
        outcome = f"failed: {error.strerror or error}"
    raise InputError(outcome)


def _connect(request, sink, options):
    port = int(request.path.stem.partition("-")[2])
    _try(request, lambda: socket.create_connection(("127.0.0.1", port), timeout=2.0))


def _write(request, sink, options):
    _try(request, lambda: request.path.with_suffix(".written").write_text("x"))


def _overwrite(request, sink, options):
    _try(request, lambda: request.path.open("r+b").write(b"x"))


def _unlink(request, sink, options):
    _try(request, request.path.unlink)


def _program(request, sink, options):
    _try(request, lambda: subprocess.run([sys.executable, "-c", "pass"], check=True))


def _signal(request, sink, options):
    _try(request, lambda: os.kill(os.getppid(), 0))


def _secret(request, sink, options):
    found = "succeeded" if "VCD_TEST_SECRET" in os.environ else "failed"
    raise InputError(f"{found}: the environment has {len(os.environ)} variables")


def _limits(request, sink, options):
    torch = "torch" in sys.modules
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    raise InputError(f"torch {torch}, files {files}, pid {os.getpid()}")


_VILLAINS = {
    "spin": _spin,
    "sleep": _sleep,
    "crash": _crash,
    "bomb": _bomb,
    "decordcrash": _decord_crashes,
    "decordhang": _decord_hangs,
    "liar": _liar,
    "overrun": _overrun,
    "babble": _babble,
    "connect": _connect,
    "write": _write,
    "overwrite": _overwrite,
    "unlink": _unlink,
    "program": _program,
    "signal": _signal,
    "secret": _secret,
    "limits": _limits,
}
