"""A message bus, its workers and what they fetch from, set up by the commands as a stranger would.

films -> references add -> vcd.references -> workers
clips -> submit         -> vcd.uploads    -> workers -> vcd.reports, vcd.dead-letters
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.conftest import run_vcd
from tests.fault.web_server import WebServer, answer
from vcd.stream.address import open_log
from vcd.stream.log import Headers, Place, Record, TopicSpec
from vcd.stream.messages.readback import ends_of, records_until
from vcd.stream.settings import KafkaSettings, StreamSettings
from vcd.stream.topics import REPORTS, UPLOADS

__all__ = ["RunningWorker", "World", "redirecting", "until"]

_PATIENCE_S = 90.0
MAX_MESSAGE_BYTES = 4000
"""Lower than what a log takes, so that what is too large for a worker can get in."""


def until(
    claim: Callable[[], Any], what: str, *, patience_s: float = _PATIENCE_S, pause_s: float = 0.2
) -> None:
    """Look again and again until it holds."""
    latest_s = time.monotonic() + patience_s
    while not claim():
        assert time.monotonic() < latest_s, f"in vain for {patience_s:g} s: {what}"
        time.sleep(pause_s)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


class RunningWorker:
    """A `vcd worker` in a process of its own, with children of its own."""

    def __init__(self, words: list[object], said: Path, env: Mapping[str, str]) -> None:
        self.port = _free_port()
        self._said = said
        words = [*words, "--metrics", f"127.0.0.1:{self.port}"]
        with said.open("w") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "pipelines.cli", "worker", *map(str, words)],
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                env={**os.environ, **env},
            )

    def said(self) -> str:
        return self._said.read_text()

    def lines(self) -> list[dict[str, Any]]:
        """Read what it said: every line of it is a JSON object."""
        whole, _, _ = self.said().rpartition("\n")
        return [json.loads(line) for line in whole.splitlines()]

    def page(self, path: str) -> tuple[int, str]:
        """Ask for a page; status 0 while nobody answers."""
        try:
            url = f"http://127.0.0.1:{self.port}{path}"
            with urllib.request.urlopen(url, timeout=10) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    def total(self, name: str, **labels: str) -> float:
        """Sum the samples of a metric that have these labels."""
        return sum(
            sample.value
            for family in text_string_to_metric_families(self.page("/metrics")[1])
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def until_ready(self) -> "RunningWorker":
        def is_ready() -> bool:
            assert self.process.poll() is None, self.said()
            return self.page("/readyz")[0] == 200

        until(is_ready, "the worker is ready")
        return self

    def send_signal(self, number: int) -> None:
        self.process.send_signal(number)

    def exit_code(self) -> int:
        return self.process.wait(_PATIENCE_S)

    def end(self, number: int = signal.SIGTERM) -> int:
        self.send_signal(number)
        return self.exit_code()

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


class World:
    """A log with topics, and everything that stands around it.

    Attributes:
        folder: where indexes, uploads and what workers said lie.
        log: its address.
        films: footage, by name.
        cdn: a web server that workers may fetch from.
        inner: one that they may not reach, whatever its name.
        before_create: what a worker said before there were all topics.
    """

    def __init__(self, folder: Path, log: str, *, cdn: WebServer, inner: WebServer) -> None:
        self.folder = folder
        self.log = log
        self.cdn = cdn
        self.inner = inner
        self.uploads = folder / "uploads"
        self.uploads.mkdir(parents=True)
        allowed = [
            f"{self.uploads.as_uri()}/",
            f"http://127.0.0.2:{cdn.port}/",
            *(f"http://{name}:{inner.port}/" for name in ("127.0.0.1", "localhost")),
        ]
        self.env = {
            "VCD_FETCH__ALLOWED_PREFIXES": json.dumps(allowed),
            "VCD_FETCH__ALLOWED_NETWORKS": '["127.0.0.2/32"]',
            "VCD_STREAM__DESCRIPTOR_STORE": str(folder / "descriptors"),
            "VCD_STREAM__MAX_MESSAGE_BYTES": str(MAX_MESSAGE_BYTES),
            "VCD_STREAM__SESSION_TIMEOUT_S": "8",
        }
        self._workers: list[RunningWorker] = []
        self._first: RunningWorker | None = None
        self._reading = open_log(log, stream=StreamSettings(), kafka=KafkaSettings())

    def create(self) -> None:
        """Make the topics; hears first what a worker says when only the first one is there."""
        self._reading.create_topics([TopicSpec(name=UPLOADS, num_partitions=2)])
        self.before_create = self.vcd("worker", "--index", self.index("early"))
        result = self.vcd("log", "create", "--partitions", "2")
        assert result.returncode == 0, result.stderr

    def vcd(
        self, *words: object, env: Mapping[str, str] | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """Run a verb of the bus."""
        return self.run(*words, "--log", self.log, env=env)

    def run(
        self, *words: object, env: Mapping[str, str] | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """Run any verb under this world's settings."""
        return run_vcd(*words, env={**self.env, **(env or {})})

    def index(self, name: str = "first") -> Path:
        return self.folder / f"{name}.index"

    def start(self, name: str, **env: str) -> RunningWorker:
        """Start a worker on the index of this name."""
        words: list[object] = ["--log", self.log, "--index", self.index(name)]
        said = self.folder / f"{name}-{len(self._workers)}.err"
        worker = RunningWorker(words, said, {**self.env, **env})
        self._workers.append(worker)
        return worker

    @property
    def worker(self) -> RunningWorker:
        """The worker on the first index; started anew when it has ended."""
        if self._first is None or self._first.process.poll() is not None:
            self._first = self.start("first").until_ready()
        return self._first

    def close(self) -> None:
        for worker in self._workers:
            worker.kill()
        self._reading.close()

    def place(self, name: str, film: Path) -> Path:
        """Put footage under a name where workers may read it."""
        path = self.uploads / f"{name}.mp4"
        shutil.copy(film, path)
        return path

    def submit(self, *paths: object) -> list[dict[str, Any]]:
        """Submit, and give what the command says of each."""
        result = self.vcd("submit", *paths, "--json")
        assert result.returncode == 0, result.stderr
        uploads: list[dict[str, Any]] = json.loads(result.stdout)["uploads"]
        return uploads

    def send(self, topic: str, *messages: tuple[bytes, bytes]) -> list["Future[Place]"]:
        """Send keys and values that no command sends; the futures are done."""
        writer = self._reading.writer()
        futures = [writer.send(topic, key=key, value=value) for key, value in messages]
        for future in futures:
            future.exception(timeout=_PATIENCE_S)
        writer.close(10.0)
        return futures

    def records(self, topic: str) -> list[Record]:
        return list(records_until(self._reading, topic, ends_of(self._reading, topic)))

    def reports(self, video_id: str) -> list[dict[str, Any]]:
        """Read every report of an upload, first one first, and what stands beside it."""
        return [
            {**json.loads(record.value or b""), "headers": _texts(record.headers)}
            for record in self.records(REPORTS)
            if record.key == video_id.encode()
        ]

    def report(self, video_id: str, *, ordinal: int = 0) -> dict[str, Any]:
        """Wait for a report of an upload."""
        until(lambda: len(self.reports(video_id)) > ordinal, f"a report of {video_id}")
        return self.reports(video_id)[ordinal]

    def answer_to(self, name: str, film: Path) -> dict[str, Any]:
        """Submit footage under a new name and wait for its report."""
        self.submit(self.place(name, film))
        return self.report(name)

    def dead_letters(self) -> dict[str, dict[str, Any]]:
        """List, by key, what could not be used."""
        result = self.vcd("dead-letters", "list", "--json")
        assert result.returncode == 0, result.stderr
        return {letter["key"]: letter for letter in json.loads(result.stdout)["dead_letters"]}


def redirecting(target: str) -> Callable[[socket.socket, str], None]:
    """Answer every request with a redirect."""
    return answer("302 Found", f"Location: {target}", "Content-Length: 0", "Connection: close")


def _texts(headers: Headers) -> dict[str, str]:
    return {name: value.decode() for name, value in headers}
