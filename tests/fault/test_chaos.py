"""A small storm on each log; `make chaos` runs the large one."""

import time

import pytest

from tests.chaos.storm import Storm, run_storm
from tests.kafka.broker import Broker, NoBrokerError


def _storm(folder, address, restart_broker=None):
    return Storm(
        folder=folder,
        address=address,
        num_uploads=100,
        uploads_hz=5.0,
        num_kills=3,
        adds_late=True,
        restart_broker=restart_broker,
        seed=7,
    )


def _check(result):
    ends = [end for end in result["kills"] if end.startswith("SIG")]

    assert result["faults"] == []
    assert sum(result["kills"][end] for end in ends) == 3
    assert result["num_reports"] >= 90
    assert sum(result["dead_letters"].values()) >= 1


@pytest.mark.slow
def test_a_storm_over_sqlite_loses_nothing_and_says_nothing_twice(tmp_path):
    result = run_storm(_storm(tmp_path, f"sqlite:{tmp_path / 'bus.db'}"))

    _check(result)


@pytest.mark.slow
@pytest.mark.kafka
def test_a_storm_over_kafka_and_a_broker_that_crashes_loses_nothing(tmp_path):
    try:
        broker = Broker(tmp_path / "broker")
        broker.start()
    except NoBrokerError as error:
        pytest.skip(str(error))

    def restart():
        broker.kill()
        time.sleep(2.0)
        broker.start()

    try:
        result = run_storm(_storm(tmp_path, broker.address, restart))
    finally:
        broker.stop()

    _check(result)
    assert result["kills"]["broker"] == 1
