"""`KafkaLog` keeps what every log promises, on a real broker."""

from collections.abc import Iterator

import pytest

from tests.fault.log_contract import LogContract
from vcd.stream.kafka_log.log import KafkaLog
from vcd.stream.log import Log
from vcd.stream.settings import KafkaSettings, StreamSettings

STREAM = StreamSettings(session_timeout_s=3.0)
KAFKA = KafkaSettings(max_poll_interval_s=3.0)


@pytest.mark.kafka
@pytest.mark.slow
class TestKafkaLog(LogContract):
    """The contract, member for member."""

    @pytest.fixture
    def log(self, kafka_address: str) -> Iterator[Log]:
        log = KafkaLog(kafka_address, STREAM, KAFKA)
        yield log
        log.close()

    @pytest.fixture
    def other_log(self, kafka_address: str) -> Iterator[Log]:
        log = KafkaLog(kafka_address, STREAM, KAFKA)
        yield log
        log.close()
