"""What every test can ask for: seeded randomness, a broker, and skips that are declared."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from tests.kafka.broker import Broker

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "2")  # before numpy's first product: tests share the machine
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # nor does a thread that waits burn a core

settings.register_profile("same", derandomize=True)
settings.register_profile("search")
settings.load_profile("same")
"""Laws are tried on the same examples in every run, so that a change is blamed only for what it
breaks; ``pytest tests/property --hypothesis-profile=search`` looks for new ones."""


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20240229)


@pytest.fixture(scope="session")
def kafka_broker(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Broker]":
    """One Kafka broker for all tests of a run: make topics and groups with names of your own.

    Whoever wants to stop, kill or freeze one starts another (`tests.kafka.broker.Broker`).
    """
    from tests.kafka.broker import Broker, NoBrokerError

    broker = Broker(tmp_path_factory.mktemp("kafka"))
    try:
        broker.start()
    except NoBrokerError as error:
        pytest.skip(str(error))
    yield broker
    broker.kill()


@pytest.fixture(scope="session")
def kafka_address(kafka_broker: "Broker") -> str:
    return kafka_broker.address


@pytest.fixture
def mount_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Give a disk of its own of the size asked for, as ``1m``; only root may mount one."""
    folder = tmp_path / "disk"

    def mount(size: str) -> Path:
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
        try:
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            pytest.skip(f"no disk can be mounted here: {error}")
        return folder

    yield mount
    if folder.is_mount():
        command = ["umount", "--lazy", str(folder)]
        subprocess.run(command, check=True, capture_output=True)


def _required() -> frozenset[str]:
    """What ``VCD_REQUIRE`` lists: markers whose tests may not skip here."""
    return frozenset(filter(None, os.environ.get("VCD_REQUIRE", "").replace(" ", "").split(",")))


def pytest_configure(config: pytest.Config) -> None:
    declared = {line.partition(":")[0].strip() for line in config.getini("markers")}
    unknown = _required() - declared
    if unknown:
        raise pytest.UsageError(f"VCD_REQUIRE lists no known marker: {', '.join(sorted(unknown))}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    """Turn the skip of a required test into a failure that says so."""
    report = yield
    required = sorted(_required() & {marker.name for marker in item.iter_markers()})
    if report.skipped and required and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"VCD_REQUIRE asks for {', '.join(required)}, but: {reason}"
    return report
