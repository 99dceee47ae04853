"""What a worker says of its own health while it starts, works and leaves."""

import contextlib
import signal
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pipelines.worker import _Health, _Signals
from vcd.config import Settings
from vcd.core import TransientError


def _health(worker: Any, *, is_caught_up: bool = True) -> _Health:
    def current() -> None:
        if not is_caught_up:
            raise TransientError("the references are not complete yet")

    health = _Health(cast("Any", SimpleNamespace(current=current)), Settings())
    health.worker = worker
    return health


def _worker(*, is_leaving: bool = False, last_tick_s: float = 1e12, **blocked: str) -> Any:
    return SimpleNamespace(is_leaving=is_leaving, last_tick_s=last_tick_s, blocked=blocked)


@pytest.mark.parametrize(
    ("health", "missing"),
    [
        pytest.param(_health(_worker()), None, id="at work"),
        pytest.param(_health(None), "the worker is starting", id="no worker yet"),
        pytest.param(
            _health(None, is_caught_up=False), "the references are not complete yet", id="behind"
        ),
        pytest.param(_health(_worker(is_leaving=True)), "the worker is leaving", id="leaving"),
        pytest.param(_health(_worker(p3="damaged")), "p3: damaged", id="a blocked partition"),
    ],
)
def test_a_worker_is_ready_while_it_takes_uploads(health: _Health, missing: str | None) -> None:
    assert health.is_ready() == missing


def test_a_main_loop_that_stands_still_is_not_alive() -> None:
    assert _health(_worker()).is_live() is None
    assert _health(None).is_live() is None
    assert "silent" in (_health(_worker(last_tick_s=-1e12)).is_live() or "")


def test_a_signal_whose_exception_came_to_nothing_is_remembered() -> None:
    """Python drops what a signal handler raises while a finalizer runs."""
    heard: list[str] = []
    signals = _Signals()
    with contextlib.suppress(KeyboardInterrupt):
        signals._hear(signal.SIGTERM, None)

    signals.on_end(lambda: heard.append("stop"))

    assert heard == ["stop"]
