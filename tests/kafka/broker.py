"""A real Kafka broker on this machine's Java: for tests, and in the foreground for `make kafka`.

Its jars are the published ones, fetched once by Maven into ``.kafka/`` of the
checkout. One process is broker and controller (KRaft). It listens on loopback
only, and dies with the process that started it, whatever that one dies of.
"""

import argparse
import base64
import functools
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

__all__ = ["Broker", "NoBrokerError", "fetch_jars", "free_port"]

VERSION = "4.3.1"
CACHE = Path(__file__).parents[2] / ".kafka"

_MAVEN_GOAL = "org.apache.maven.plugins:maven-dependency-plugin:3.7.1:copy-dependencies"
_SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    # A killed broker may come back only when its old self counts as dead: 9 s by default.
    "broker.session.timeout.ms": "2000",
    "broker.heartbeat.interval.ms": "500",
    "auto.create.topics.enable": "false",
    # A test cannot wait for a cleaner that looks every 15 s, or 5 min.
    "log.cleaner.backoff.ms": "500",
    "log.retention.check.interval.ms": "1000",
    "log.initial.task.delay.ms": "500",
}
_JAVA_OPTIONS = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")
_FIRST_PORT, _LAST_PORT = 20_000, 30_000
"""Below the ports that the system lends to outgoing connections.

A client that tries to reach a broker that is down could otherwise be lent the broker's own port,
and be connected to itself.
"""


class NoBrokerError(Exception):
    """There can be no broker on this machine now; says what is missing."""


def free_port() -> int:
    """Find a port of 127.0.0.1 that nobody listens on."""
    for port in random.sample(range(_FIRST_PORT, _LAST_PORT), 200):
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port
    raise NoBrokerError(f"wanted a free port in [{_FIRST_PORT}, {_LAST_PORT}), tried 200")


@functools.cache
def fetch_jars(version: str = VERSION) -> Path:
    """Return the folder of the broker's jars; Maven fetches them when they are not there yet.

    Raises:
        NoBrokerError: Java 17, Maven or the way to the jars is missing.
    """
    _check_java()
    folder = CACHE / version
    if not (folder / f"kafka_2.13-{version}.jar").is_file():
        CACHE.mkdir(exist_ok=True)
        partial = CACHE / f"{version}.{uuid.uuid4().hex}.partial"
        _run_maven(version, partial)
        with suppress(OSError):  # somebody else was faster: theirs are as good
            partial.rename(folder)
        shutil.rmtree(partial, ignore_errors=True)
    return folder


def _check_java() -> None:
    java = shutil.which("java")
    if java is None:
        raise NoBrokerError("a Kafka broker needs Java 17 or newer (Debian: default-jdk-headless)")
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
    found = re.search(r'version "(\d+)', said.stderr)
    if found is None or int(found.group(1)) < 17:
        raise NoBrokerError(f"a Kafka broker needs Java 17 or newer, found: {said.stderr.strip()}")


def _run_maven(version: str, folder: Path) -> None:
    if shutil.which("mvn") is None:
        raise NoBrokerError("the broker's jars are fetched by Maven (Debian: maven): no mvn here")
    pom = Path(__file__).with_name("pom.xml")
    command = ["mvn", "-q", "-B", "-f", str(pom), f"-Dkafka.version={version}", _MAVEN_GOAL]
    command += ["-DincludeScope=runtime", f"-DoutputDirectory={folder}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    except subprocess.TimeoutExpired:
        raise NoBrokerError("Maven did not fetch the broker's jars within 10 minutes") from None
    if done.returncode != 0:
        shutil.rmtree(folder, ignore_errors=True)
        raise NoBrokerError(f"Maven could not fetch the broker's jars: {done.stdout[-1000:]}")


class Broker:
    """One broker with a folder of its own; start, stop, kill and start it again at will.

    Args:
        folder: for its data, its properties and what it says (``broker.log``).
        port: of 127.0.0.1; None takes a free one, and keeps it over restarts.
        listeners: further listeners, name -> security protocol (``SASL`` -> ``SASL_PLAINTEXT``).
        settings: further lines of its properties.
    """

    def __init__(
        self,
        folder: Path,
        *,
        port: int | None = None,
        listeners: Mapping[str, str] | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.ports = {"PLAINTEXT": port or free_port(), "CONTROLLER": free_port()}
        self.ports |= {name: free_port() for name in listeners or {}}
        self._protocols = {"PLAINTEXT": "PLAINTEXT", "CONTROLLER": "PLAINTEXT", **(listeners or {})}
        self._settings = dict(settings or {})
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """As `open_log` takes it."""
        return self.address_of("PLAINTEXT")

    @property
    def port(self) -> int:
        return self.ports["PLAINTEXT"]

    @property
    def pid(self) -> int:
        """Of the broker's process, to freeze it or to look at it."""
        if self._process is None:
            raise NoBrokerError("the broker is not running")
        return self._process.pid

    def address_of(self, listener: str) -> str:
        """Name one of its listeners, as `open_log` takes it."""
        return f"kafka:127.0.0.1:{self.ports[listener]}"

    def start(self, timeout_s: float = 60.0) -> None:
        """Start it and wait until it serves; its data are those of the last time."""
        java = ["java", *_JAVA_OPTIONS, "-cp", f"{fetch_jars()}/*"]
        properties = self.folder / "server.properties"
        self.folder.mkdir(parents=True, exist_ok=True)
        properties.write_text("".join(f"{name}={value}\n" for name, value in self._lines()))
        if not (self.folder / "data" / "meta.properties").is_file():
            cluster = ["-t", _random_cluster_id(), "-c", str(properties)]
            self._run_to_its_end([*java, "kafka.tools.StorageTool", "format", *cluster], timeout_s)
        self._spawn([*java, "kafka.Kafka", str(properties)])
        self._wait_until_it_serves(timeout_s)

    def _lines(self) -> list[tuple[str, str]]:
        named = {name: f"{name}://127.0.0.1:{port}" for name, port in self.ports.items()}
        advertised = [place for name, place in named.items() if name != "CONTROLLER"]
        protocols = [f"{name}:{protocol}" for name, protocol in self._protocols.items()]
        places = {
            "listeners": ",".join(named.values()),
            "advertised.listeners": ",".join(advertised),
            "listener.security.protocol.map": ",".join(protocols),
            "controller.quorum.voters": f"1@127.0.0.1:{self.ports['CONTROLLER']}",
            "log.dirs": str(self.folder / "data"),
        }
        return list((_SETTINGS | places | self._settings).items())

    def _run_to_its_end(self, command: list[str], timeout_s: float) -> None:
        with (self.folder / "broker.log").open("ab") as log:
            done = subprocess.run(command, stdout=log, stderr=log, timeout=timeout_s, check=False)
        if done.returncode != 0:
            raise NoBrokerError(f"the broker's folder was not formatted: {self._last_words()}")

    def _spawn(self, command: list[str]) -> None:
        with (self.folder / "broker.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        # The other end of this pipe closes with this process, however it ends. PR_SET_PDEATHSIG
        # would not do: it speaks of the thread that started the broker.
        self._guard = subprocess.Popen(
            ["/bin/sh", "-c", 'read -r quietly || kill -s KILL "$1"', "sh", str(self.pid)],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _wait_until_it_serves(self, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while not self._is_open():
            if self._process is None or self._process.poll() is not None:
                self._reap()
                raise NoBrokerError(f"the broker ended while it started: {self._last_words()}")
            if time.monotonic() > deadline:
                self.kill()
                raise NoBrokerError(f"no broker after {timeout_s:.0f} s: {self._last_words()}")
            time.sleep(0.1)

    def _is_open(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1.0):
            return True
        return False

    def _last_words(self) -> str:
        return (self.folder / "broker.log").read_text(errors="replace")[-2000:]

    def kill(self) -> None:
        """End it as a crash does."""
        if self._process is not None:
            self._process.kill()
            self._reap()

    def stop(self, timeout_s: float = 30.0) -> None:
        """End it as an operator does; kill it when that takes too long."""
        if self._process is None:
            return
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout_s)
        self.kill()

    def _reap(self) -> None:
        if self._process is not None:
            self._process.wait()
            self._process = None
        if self._guard is not None:
            with suppress(BrokenPipeError):
                self._guard.communicate(b"quietly\n")
            self._guard = None

    def wait(self) -> int:
        """Wait until it ends by itself; returns its exit status."""
        if self._process is None:
            return 0
        return self._process.wait()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()


def _random_cluster_id() -> str:
    """Make one that does not begin with a dash, which would be taken for an option."""
    made = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    return _random_cluster_id() if made.startswith("-") else made


def main() -> int:
    """Run a broker in the foreground until it is interrupted; its data stay."""
    parser = argparse.ArgumentParser(prog="python -m tests.kafka.broker", description=__doc__)
    parser.add_argument("--port", type=int, default=9092, help="of 127.0.0.1 (default: 9092)")
    parser.add_argument("--folder", type=Path, default=CACHE / "data", help="where its data stay")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    broker = Broker(options.folder, port=options.port)
    try:
        broker.start()
        sys.stdout.write(f"{broker.address} is up, {broker.folder} has its log; ^C ends it\n")
        sys.stdout.flush()
        return broker.wait()
    except NoBrokerError as error:
        sys.stderr.write(f"make kafka: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 0
    finally:
        broker.stop()


if __name__ == "__main__":
    sys.exit(main())
