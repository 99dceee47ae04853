import pytest

from vcd.stream.settings import KafkaSettings, StreamSettings


@pytest.mark.parametrize(
    ("settings", "changes", "sentence"),
    [
        pytest.param(StreamSettings, {"window": 0}, "stream.window must be at least 1", id="count"),
        pytest.param(
            StreamSettings, {"max_silence_s": 0.0}, "stream.max_silence_s must be", id="no time"
        ),
        pytest.param(
            StreamSettings, {"commit_every_s": -1.0}, "stream.commit_every_s must be", id="negative"
        ),
        pytest.param(
            StreamSettings,
            {"max_retry_s": float("nan")},
            "positive number of seconds",
            id="no number",
        ),
        pytest.param(
            StreamSettings, {"max_retry_s": float("inf")}, "positive number", id="without end"
        ),
        pytest.param(StreamSettings, {"grace_s": -1.0}, "stream.grace_s must be 0 or", id="grace"),
        pytest.param(
            StreamSettings, {"grace_s": float("nan")}, "stream.grace_s must be 0 or", id="no grace"
        ),
        pytest.param(StreamSettings, {"max_span": 16_385}, "stream.max_span must be", id="span"),
        pytest.param(
            KafkaSettings, {"delivery_timeout_s": 0.0}, "kafka.delivery_timeout_s", id="kafka"
        ),
        pytest.param(KafkaSettings, {"replication_factor": 0}, "at least 1, got 0", id="copies"),
        pytest.param(KafkaSettings, {"security_protocol": "TLS"}, "got 'TLS'", id="protocol"),
    ],
)
def test_a_setting_that_cannot_work_is_named(settings, changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        settings(**changes)
