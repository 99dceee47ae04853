"""Reaches Kafka's brokers: makes clients, and says in a sentence why there is none.

`kafka_*.py` are the only modules that know kafka-python, and they know 3.0.12: what is
avoided here, and why, is in `docs/design/stream_logs.md`.
"""

import importlib
import itertools
import logging
import operator
import socket
import ssl
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from vcd.core import SetupError
from vcd.stream.kafka_log.records import KafkaObject
from vcd.stream.settings import KafkaSettings, StreamSettings

__all__ = [
    "MAX_RECORD_BYTES",
    "KafkaClients",
    "NoAnswerError",
    "passing_errors",
    "refusals",
    "unreadable_errors",
]

MAX_RECORD_BYTES = 1024 * 1024 + 128 * 1024
"""Largest record that is sent, and that our topics take: what a foreign producer sends by default
(1 MiB) and the headers that make it a dead letter."""

_SCHEME = "kafka:"
_SOCKETS = "closed-if-refused"
"""What our way of making connections is registered as; no proxy."""

_CLIENT_LOG_LEVEL = "CRITICAL"
"""The client tells at length of each attempt to reach a broker; we tell what becomes of them."""


class NoAnswerError(SetupError):
    """No broker answers; at start that is final, later it may pass."""


def refusals() -> tuple[type[Exception], ...]:
    """List what a broker says that no waiting will change."""
    from kafka import errors

    return (
        errors.AuthorizationError,
        errors.SaslAuthenticationFailedError,
        errors.UnsupportedSaslMechanismError,
        errors.IllegalSaslStateError,
        errors.KafkaConfigurationError,
        errors.InvalidGroupIdError,
        errors.InvalidSessionTimeoutError,
    )


def unreadable_errors() -> tuple[type[Exception], ...]:
    """List what the client says of bytes that are no records."""
    from kafka import errors

    return errors.CorruptRecordError, errors.UnsupportedCodecError


def passing_errors() -> tuple[type[Exception], ...]:
    """List what may be better in a moment; `refusals` and `unreadable_errors` are among them."""
    from kafka import errors

    return errors.KafkaError, OSError, NoAnswerError


class KafkaClients:
    """Makes the clients of one cluster.

    Args:
        address: ``kafka:HOST:PORT[,...]``.
        stream: how patient the members of a group are.
        kafka: how brokers are reached.
    """

    def __init__(self, address: str, stream: StreamSettings, kafka: KafkaSettings) -> None:
        self.address = address
        self.stream = stream
        self.kafka = kafka
        self._servers = _servers(address)
        with warnings.catch_warnings():
            # It reads its own files in a way that Python 3.11 calls deprecated.
            warnings.simplefilter("ignore", DeprecationWarning)
            importlib.import_module("kafka")
        _register_sockets()
        if logging.getLogger("kafka").level == logging.NOTSET:
            logging.getLogger("kafka").setLevel(_CLIENT_LOG_LEVEL)

    def admin(self) -> KafkaObject:
        """Make a client that asks for and changes what is there.

        Raises:
            SetupError: no broker answers within the time for it, or it refuses us.
        """
        from kafka import KafkaAdminClient

        timeout_ms = round(self.kafka.connect_timeout_s * 1000)
        return self._connected(KafkaAdminClient, request_timeout_ms=timeout_ms)

    def consumer(self, group: str | None) -> KafkaObject:
        """Make a client that reads, as a member of a group or for itself.

        Raises:
            SetupError: no broker answers within the time for it, or it refuses us.
        """
        from kafka import KafkaConsumer
        from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor

        session_ms = round(self.stream.session_timeout_s * 1000)
        return self._connected(
            KafkaConsumer,
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            partition_assignment_strategy=[CooperativeStickyAssignor],
            session_timeout_ms=session_ms,
            heartbeat_interval_ms=max(100, min(3000, session_ms // 3)),
            max_poll_interval_ms=round(self.kafka.max_poll_interval_s * 1000),
            max_partition_fetch_bytes=2 * MAX_RECORD_BYTES,
            request_timeout_ms=15_000,
            reconnect_backoff_max_ms=1000,
            allow_auto_create_topics=False,
            metrics_enabled=False,
        )

    def producer(self) -> KafkaObject:
        """Make a client that writes.

        Raises:
            SetupError: no broker answers within the time for it, or it refuses us.
        """
        from kafka import KafkaProducer

        delivery_ms = round(self.kafka.delivery_timeout_s * 1000)
        return self._connected(
            KafkaProducer,
            acks="all",
            # An idempotent producer of 3.0.12 never sends again once a batch has expired.
            enable_idempotence=False,
            max_in_flight_requests_per_connection=1,
            linger_ms=5,
            compression_type="lz4",
            max_request_size=MAX_RECORD_BYTES,
            delivery_timeout_ms=delivery_ms,
            request_timeout_ms=max(500, min(15_000, delivery_ms // 2)),
            max_block_ms=max(500, min(5000, delivery_ms // 4)),
            reconnect_backoff_max_ms=1000,
            allow_auto_create_topics=False,
            metrics_enabled=False,
        )

    def missing(self, topic: str) -> SetupError:
        """Say that a topic is not there."""
        return SetupError(f"{self.address} has no topic {topic}: make it with vcd log create")

    def _connected(self, make: Callable[..., KafkaObject], **configs: KafkaObject) -> KafkaObject:
        from kafka.net.compat import KafkaNetClient

        opened: list[KafkaObject] = []
        causes: list[Exception] = []

        def heard(cause: Exception) -> None:
            if not any(isinstance(known, refusals()) for known in causes):
                causes[:] = [cause]

        def client(**options: KafkaObject) -> KafkaObject:
            opened.append(KafkaNetClient(**options))
            _overhear(opened[-1], heard)
            return opened[-1]

        deadline = time.monotonic() + self.kafka.connect_timeout_s
        self._find_listener(deadline)
        left_ms = max(500, round((deadline - time.monotonic()) * 1000))
        connection = self._connection() | {"bootstrap_timeout_ms": left_ms}
        try:
            return make(**connection, **configs, kafka_client=client)
        except passing_errors() as error:
            _close_all(opened)
            cause = causes[0] if causes else error
            if isinstance(cause, refusals()):
                raise self.refusal(cause) from error
            raise NoAnswerError(f"{self.address}{self._silence()}: {cause}") from error

    def _silence(self) -> str:
        """Say what may be wrong; of a refusal, the client often hears the hanging up alone."""
        protocol = f"{self.kafka.security_protocol} (kafka.security_protocol)"
        if self.kafka.sasl_mechanism is None:
            return f": who listens there does not answer as a broker that speaks {protocol}"
        who = f"user {self.kafka.sasl_username} by {self.kafka.sasl_mechanism}"
        return f" hangs up on {who}: a wrong name or password, or it does not speak {protocol}"

    def refusal(self, error: Exception) -> SetupError:
        """Say that the brokers do not want us."""
        name, mechanism = self.kafka.sasl_username, self.kafka.sasl_mechanism
        who = f"user {name} by {mechanism}" if mechanism else "us, who give no credentials"
        return SetupError(f"{self.address} refuses {who}: {type(error).__name__}: {error}")

    def _connection(self) -> dict[str, Any]:
        kafka = self.kafka
        given = {
            "ssl_cafile": kafka.ssl_cafile,
            "ssl_certfile": kafka.ssl_certfile,
            "ssl_keyfile": kafka.ssl_keyfile,
            "sasl_mechanism": kafka.sasl_mechanism,
            "sasl_plain_username": kafka.sasl_username,
            "sasl_plain_password": kafka.sasl_password,
        }
        return {
            "bootstrap_servers": [f"{host}:{port}" for host, port in self._servers],
            "client_id": "vcd",
            "proxy_url": f"{_SOCKETS}://",
            "security_protocol": kafka.security_protocol,
            **{name: value for name, value in given.items() if value is not None},
        }

    def _find_listener(self, deadline: float) -> None:
        """Wait until somebody listens; kafka-python would not say what is wrong with TLS."""
        for attempt in itertools.count():
            server = self._servers[attempt % len(self._servers)]
            try:
                self._greet(server, max(0.5, deadline - time.monotonic()))
            except ssl.SSLError as error:
                raise SetupError(
                    f"{self.address}: no TLS with {server[0]}:{server[1]}: {error}"
                ) from error
            except OSError as error:
                if time.monotonic() + 0.2 > deadline and attempt + 1 >= len(self._servers):
                    raise NoAnswerError(
                        f"{self.address}: no broker answers within "
                        f"{self.kafka.connect_timeout_s:g} s (kafka.connect_timeout_s): {error}"
                    ) from error
                time.sleep(0.2)
            else:
                return

    def _greet(self, server: tuple[str, int], timeout_s: float) -> None:
        with socket.create_connection(server, timeout=timeout_s) as plain:
            if "SSL" not in self.kafka.security_protocol:
                return
            context = ssl.create_default_context(cafile=self.kafka.ssl_cafile)
            if self.kafka.ssl_certfile is not None:
                context.load_cert_chain(self.kafka.ssl_certfile, self.kafka.ssl_keyfile)
            with context.wrap_socket(plain, server_hostname=server[0]):
                return


def _overhear(client: KafkaObject, tell: Callable[[Exception], None]) -> None:
    """Learn why connections fail: the client itself only says that time ran out."""
    manager = operator.attrgetter("_manager")(client)
    connect = manager.get_connection

    def get_connection(*place: KafkaObject, **options: KafkaObject) -> KafkaObject:
        connection = connect(*place, **options)
        connection.init_future.add_errback(tell)
        return connection

    manager.get_connection = get_connection


def _register_sockets() -> None:
    """Close the socket of each attempt that fails: the client leaves them lying about."""
    from kafka.net.inet import KafkaNetSocket

    async def sock_connect(
        self: KafkaObject, net: KafkaObject, sock: socket.socket, *place: KafkaObject, **more: float
    ) -> KafkaObject:
        try:
            return await KafkaNetSocket.sock_connect(self, net, sock, *place, **more)
        except BaseException:
            sock.close()
            raise

    members = {"SCHEMES": (_SOCKETS,), "sock_connect": sock_connect}
    type("ClosedIfRefused", (KafkaNetSocket,), members)


def _servers(address: str) -> list[tuple[str, int]]:
    servers = []
    for place in address.removeprefix(_SCHEME).split(","):
        host, _, port = place.strip().rpartition(":")
        if not address.startswith(_SCHEME) or not host or not port.isdigit():
            raise SetupError(f"wanted kafka:HOST:PORT[,HOST:PORT...], got {address!r}")
        servers.append((host.strip("[]"), int(port)))
    return servers


def _close_all(opened: list[KafkaObject]) -> None:
    for client in opened:
        with suppress(*passing_errors()):
            client.close()
