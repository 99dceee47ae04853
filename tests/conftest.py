"""What every test can ask for: seeded randomness, and skips that are declared."""

import os

import numpy as np
import pytest

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "2")  # before numpy's first product: tests share the machine
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # nor does a thread that waits burn a core


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20240229)


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
