"""TLS and SASL as `KafkaSettings` say it, on a real broker; what is wrong is named in time."""

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fault.log_member import gather, make_topic, send_all
from tests.kafka.broker import Broker
from vcd.core import SetupError
from vcd.stream.kafka_log.log import KafkaLog
from vcd.stream.settings import KafkaSettings, StreamSettings

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

NAME, WORD = "worker", "only-for-tests"


def _certificate(folder: Path) -> tuple[Path, Path]:
    """Make a certificate for 127.0.0.1 that signs itself; returns it, and it with its key."""
    folder.mkdir()
    key, certificate, both = folder / "key.pem", folder / "certificate.pem", folder / "both.pem"
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    made = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject]
    subprocess.run(
        ["/usr/bin/openssl", *made, "-keyout", str(key), "-out", str(certificate)],
        check=True,
        capture_output=True,
    )
    both.write_text(key.read_text() + certificate.read_text())
    return certificate, both


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return _certificate(tmp_path_factory.mktemp("tls") / "pems")


@pytest.fixture(scope="module")
def guarded(
    kafka_broker: Broker, certificate: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Broker]:
    """A broker with one listener for each way in."""
    jaas = "org.apache.kafka.common.security.plain.PlainLoginModule required"
    settings = {"sasl.enabled.mechanisms": "PLAIN"}
    for listener in ("login", "both"):
        settings[f"listener.name.{listener}.plain.sasl.jaas.config"] = (
            f'{jaas} user_{NAME}="{WORD}";'
        )
    for listener in ("tls", "both"):
        settings[f"listener.name.{listener}.ssl.keystore.type"] = "PEM"
        settings[f"listener.name.{listener}.ssl.keystore.location"] = str(certificate[1])
    listeners = {"LOGIN": "SASL_PLAINTEXT", "TLS": "SSL", "BOTH": "SASL_SSL"}
    folder = tmp_path_factory.mktemp("guarded")
    with Broker(folder, listeners=listeners, settings=settings) as broker:
        yield broker


def _log(broker: Broker, listener: str, settings: KafkaSettings) -> KafkaLog:
    kafka = replace(settings, connect_timeout_s=4.0)
    return KafkaLog(broker.address_of(listener), StreamSettings(), kafka)


def _login(protocol: str, word: str = WORD) -> KafkaSettings:
    return KafkaSettings(
        security_protocol=protocol, sasl_mechanism="PLAIN", sasl_username=NAME, sasl_password=word
    )


@pytest.mark.parametrize(
    ("listener", "protocol"), [("LOGIN", "SASL_PLAINTEXT"), ("TLS", "SSL"), ("BOTH", "SASL_SSL")]
)
def test_a_record_goes_there_and_back_by_every_way_in(guarded, certificate, listener, protocol):
    settings = _login(protocol) if "SASL" in protocol else KafkaSettings(security_protocol=protocol)
    log = _log(guarded, listener, replace(settings, ssl_cafile=str(certificate[0])))
    topic = make_topic(log, 1)

    send_all(log, topic, [(b"k", b"v")])

    tail = log.tail(topic)
    assert [record.value for record in gather(tail, 1)] == [b"v"]
    tail.close()


def test_a_wrong_password_is_named_with_its_user_and_never_shown(guarded):
    log = _log(guarded, "LOGIN", _login("SASL_PLAINTEXT", "guessed"))

    with pytest.raises(SetupError, match=f"(refuses|hangs up on) user {NAME} by PLAIN") as raised:
        log.topics()

    assert "guessed" not in str(raised.value)


def test_a_certificate_that_nobody_vouches_for_is_named(guarded):
    log = _log(guarded, "TLS", KafkaSettings(security_protocol="SSL"))

    with pytest.raises(SetupError, match=r"no TLS with 127\.0\.0\.1.*certificate verify failed"):
        log.topics()


@pytest.mark.parametrize(
    ("listener", "protocol", "said"),
    [
        ("PLAINTEXT", "SSL", "no TLS with"),
        ("TLS", "PLAINTEXT", "does not answer as a broker that speaks PLAINTEXT"),
        ("LOGIN", "PLAINTEXT", "does not answer as a broker that speaks PLAINTEXT"),
    ],
    ids=["TLS to plain text", "plain text to TLS", "no login where one is asked for"],
)
def test_the_wrong_protocol_is_a_sentence_in_time(guarded, listener, protocol, said):
    log = _log(guarded, listener, KafkaSettings(security_protocol=protocol))

    with pytest.raises(SetupError, match=said):
        log.topics()
