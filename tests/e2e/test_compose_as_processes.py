"""What docker-compose.yml starts, without an engine: the same commands, as processes."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.house.house import ROOT

_BIN = Path(sys.executable).parent
_PATIENCE_S = 240.0
_SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]


class Machine:
    """One machine that stands for all containers.

    Attributes:
        folder: what lies in volumes there lies here.
        log: stands for the broker of the file.
    """

    def __init__(self, folder: Path, log: str) -> None:
        self.folder = folder
        self.log = log
        for name in ("uploads", "descriptors"):
            (folder / name).mkdir()

    def start(self, service: str, *, metrics_port: int = 0) -> "subprocess.Popen[str]":
        """Start what a service starts; stdout is kept, stderr goes into a file of its name."""
        told = {
            "kafka:kafka:19092": self.log,
            "0.0.0.0:9100": f"127.0.0.1:{metrics_port}",
            "/var/lib/vcd/index": str(self.folder / f"{service}.index"),
            "/var/lib/vcd/descriptors": str(self.folder / "descriptors"),
            "/srv/uploads": str(self.folder / "uploads"),
        }

        def here(text: str) -> str:
            for there, instead in told.items():
                text = text.replace(there, instead)
            return text

        own = _SERVICES[service]
        words = [*own.get("entrypoint", ["vcd"]), *own["command"]]
        variables = {key: here(value) for key, value in own.get("environment", {}).items()}
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("VCD_")}
        path = {"PATH": f"{_BIN}:{inherited['PATH']}", "PYTHONUNBUFFERED": "1"}
        with (self.folder / f"{service}.err").open("w") as stderr:
            return subprocess.Popen(
                [here(word) for word in words],
                cwd=self.folder,
                env={**inherited, **path, **variables},
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                start_new_session=True,
            )

    def said(self, service: str) -> str:
        return (self.folder / f"{service}.err").read_text()


@pytest.fixture
def machine(request, tmp_path: Path) -> Machine:
    if request.param == "kafka":
        return Machine(tmp_path, request.getfixturevalue("kafka_address"))
    return Machine(tmp_path, f"sqlite:{tmp_path / 'bus.db'}")


def _stop(process: "subprocess.Popen[str]") -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _page(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)


def _until(claim, machine: Machine) -> None:
    latest_s = time.monotonic() + _PATIENCE_S
    while not claim():
        said = "\n".join(path.read_text()[-3000:] for path in machine.folder.glob("*.err"))
        assert time.monotonic() < latest_s, said
        time.sleep(0.2)


def _samples(port: int) -> Iterator[tuple[str, dict[str, str], float]]:
    for family in text_string_to_metric_families(_page(port, "/metrics")[1]):
        for sample in family.samples:
            yield sample.name, sample.labels, sample.value


def _sum(ports, name: str, **labels: str) -> float:
    return sum(
        value
        for port in ports
        for found, its_labels, value in _samples(port)
        if found == name and labels.items() <= its_labels.items()
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "machine", ["sqlite", pytest.param("kafka", marks=pytest.mark.kafka)], indirect=True
)
def test_what_compose_starts_finds_the_copies_and_says_how_it_is(machine):
    workers = [name for name, one in _SERVICES.items() if one.get("command", [""])[0] == "worker"]
    ports = [_free_port() for _ in workers]
    with ExitStack() as stack:

        def start(service: str, *, metrics_port: int = 0):
            process = machine.start(service, metrics_port=metrics_port)
            stack.callback(_stop, process)
            return process

        assert start("topics").wait(_PATIENCE_S) == 0, machine.said("topics")
        running = [
            start(name, metrics_port=port) for name, port in zip(workers, ports, strict=True)
        ]
        start("demo-producer")

        _until(lambda: all(_page(port, "/readyz")[0] == 200 for port in ports), machine)
        _until(lambda: _sum(ports, "vcd_uploads_total") >= 10, machine)
        _until(lambda: _sum(ports, "vcd_index_references") == 8 * len(ports), machine)

        assert _sum(ports, "vcd_uploads_total", outcome="report") == 10, machine.said(workers[0])
        assert _sum(ports, "vcd_reports_total", verdict="match") >= 5
        assert _sum(ports, "vcd_partitions_owned") == 16
        assert _sum(ports, "vcd_upload_seconds_count") == 10
        assert _sum(ports, "vcd_examined_seconds_total") > 60
        assert max(_sum([port], "vcd_index_age_seconds") for port in ports) < 30

        for process in running:
            process.send_signal(signal.SIGTERM)
        assert [process.wait(_PATIENCE_S) for process in running] == [0, 0]

    lines = [json.loads(line) for name in workers for line in machine.said(name).splitlines()]
    traced = {line["trace_id"] for line in lines if line.get("trace_id")}
    assert len(traced) == 10
    assert [line for line in lines if line["level"] in {"ERROR", "CRITICAL"}] == []
