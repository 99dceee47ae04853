"""Worker processes that are started, killed, frozen and counted; what they leave behind shows."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil

__all__ = ["Fleet", "wait_for"]

_PR_SET_CHILD_SUBREAPER = 36


def wait_for(condition: Callable[[], bool], *, timeout_s: float, what: str) -> None:
    """Look again and again until it holds.

    Raises:
        TimeoutError: it did not in time.
    """
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"waited {timeout_s:.0f} s for this, in vain: {what}")
        time.sleep(0.1)


@dataclass(kw_only=True)
class Fleet:
    """The workers of a storm; a context manager that ends them all.

    Whatever a dead worker leaves behind becomes a child of this process, so that
    orphans can be counted.

    Attributes:
        folder: indexes and logs, one of each for every worker.
        log: address of the message bus.
        config: settings file of the workers.
        env: their environment, in addition to ours.
        revived: workers that ended by themselves, with their last words.
        cores: the core that a worker and its children are held to; None leaves it free.
        program: module of a worker, and what comes before its flags.
    """

    folder: Path
    log: str
    config: Path
    env: dict[str, str]
    cores: dict[int, int] = field(default_factory=dict)
    program: tuple[str, ...] = ("pipelines.cli", "worker")
    workers: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)
    frozen: set[int] = field(default_factory=set)
    revived: list[str] = field(default_factory=list)

    def __enter__(self) -> "Fleet":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.workers.values():
            if worker.poll() is None:
                worker.send_signal(signal.SIGCONT)
                worker.kill()
                worker.wait()
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)

    def start(self, name: int) -> None:
        """Start a worker, in the index folder that an earlier one of this name had."""
        command = [sys.executable, "-m", *self.program, "--log", self.log]
        command += ["--index", str(self.folder / f"index{name}"), "--config", str(self.config)]
        if name in self.cores:
            command = ["taskset", "--cpu-list", str(self.cores[name]), *command]
        with (self.folder / f"worker{name}.log").open("ab") as output:
            self.workers[name] = subprocess.Popen(
                command,
                stdout=output,
                stderr=output,
                env={**os.environ, **self.env},
            )

    def kill(self, name: int, number: signal.Signals, *, timeout_s: float) -> int:
        """End a worker by a signal and wait until it is gone; returns its exit code."""
        worker = self.workers[name]
        worker.send_signal(number)
        return worker.wait(timeout=timeout_s)

    def freeze(self, name: int) -> None:
        self.frozen.add(name)
        self.workers[name].send_signal(signal.SIGSTOP)

    def thaw(self, name: int) -> None:
        self.frozen.discard(name)
        self.workers[name].send_signal(signal.SIGCONT)

    def revive(self) -> None:
        """Start again what ended by itself, as whoever runs workers would."""
        for name, worker in list(self.workers.items()):
            code = worker.poll()
            if code is not None:
                words = (self.folder / f"worker{name}.log").read_text().splitlines()[-1:]
                self.revived.append(f"worker {name} exit {code}: {' '.join(words)[:300]}")
                self.start(name)

    def running(self) -> list[int]:
        """List the workers that are neither dead nor frozen."""
        return sorted(
            name
            for name, worker in self.workers.items()
            if worker.poll() is None and name not in self.frozen
        )

    def resident_bytes(self) -> dict[int, int]:
        """Measure each running worker alone, without its decoding children."""
        return {
            name: psutil.Process(self.workers[name].pid).memory_info().rss
            for name in self.running()
        }

    def stop(self, *, timeout_s: float) -> dict[int, int]:
        """Ask all to drain; returns their exit codes."""
        alive = self.running()
        for name in alive:
            self.workers[name].send_signal(signal.SIGTERM)
        return {name: self.workers[name].wait(timeout=timeout_s) for name in alive}

    def orphans(self) -> list[str]:
        """Name what dead workers left running."""
        known = {worker.pid for worker in self.workers.values()}
        left = []
        for child in psutil.Process().children():
            if child.pid in known:
                continue
            if child.status() == psutil.STATUS_ZOMBIE:
                os.waitpid(child.pid, os.WNOHANG)
            elif "sandbox_child" in (command := " ".join(child.cmdline())):
                left.append(f"{child.pid} {command}")
        return left
