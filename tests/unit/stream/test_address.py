import pytest

from vcd.core import SetupError
from vcd.stream.address import open_log
from vcd.stream.settings import KafkaSettings, StreamSettings


def _open(address):
    return open_log(address, stream=StreamSettings(), kafka=KafkaSettings())


def test_a_file_is_a_local_log_and_is_not_made_by_naming_it(tmp_path):
    log = _open(f"sqlite:{tmp_path}/bus.log")

    assert type(log).__name__ == "LocalLog"
    assert log.address == f"sqlite:{tmp_path}/bus.log"
    assert list(tmp_path.iterdir()) == []
    log.close()


@pytest.mark.parametrize(
    "address", ["kafka:localhost:9092", "kafka:one:9092,two.example:9093,[::1]:9094"]
)
def test_brokers_are_a_kafka_log(address):
    log = _open(address)

    assert type(log).__name__ == "KafkaLog"
    assert log.address == address
    log.close()


@pytest.mark.parametrize(
    "address",
    [
        "",
        "sqlite",
        "sqlite:",
        "bus.log",
        "kafka:",
        "kafka:localhost",
        "kafka:localhost:9092,",
        "kafka:localhost:port",
        "kafka:user:secret@localhost:9092",
        "kafka://localhost:9092",
        "redis:localhost:6379",
    ],
)
def test_anything_else_is_refused_with_the_two_forms(address):
    with pytest.raises(SetupError, match=r"sqlite:FILE or kafka:HOST:PORT"):
        _open(address)
