import http.client
import logging
import socket
import threading
import time
from contextlib import ExitStack

import pytest

from vcd.core import SetupError
from vcd.stream import health
from vcd.stream.health import HealthServer
from vcd.stream.metrics import StreamMetrics

_PATIENCE_S = 20.0


def _serve(address="127.0.0.1:0", *, metrics=None, is_live=lambda: None, is_ready=lambda: None):
    return HealthServer(address, metrics or StreamMetrics(), is_live=is_live, is_ready=is_ready)


def _ask(server, path, *, method="GET", **headers):
    host, _, port = server.address.rpartition(":")
    connection = http.client.HTTPConnection(host.strip("[]"), int(port), timeout=_PATIENCE_S)
    try:
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        return response.status, response.read().decode(), response.headers
    finally:
        connection.close()


def _connect(server):
    host, _, port = server.address.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=_PATIENCE_S)


def _until(claim):
    latest_s = time.monotonic() + _PATIENCE_S
    while not claim():
        assert time.monotonic() < latest_s, "waited in vain"
        time.sleep(0.02)


def _num_threads():
    return sum(thread.name == "vcd-health-one" for thread in threading.enumerate())


def test_what_holds_is_ok():
    with _serve() as server:
        assert _ask(server, "/livez")[:2] == (200, "ok\n")
        assert _ask(server, "/readyz")[:2] == (200, "ok\n")


def test_what_is_missing_is_said_in_a_sentence():
    missing = iter(["the index is not loaded", None])
    with _serve(is_ready=lambda: next(missing)) as server:
        before, after = _ask(server, "/readyz"), _ask(server, "/readyz")

    assert before[:2] == (503, "the index is not loaded\n")
    assert after[:2] == (200, "ok\n")


def test_one_that_is_not_ready_may_live():
    with _serve(is_ready=lambda: "no partitions yet") as server:
        assert _ask(server, "/livez")[0] == 200


def test_a_question_that_cannot_be_answered_is_no_yes(caplog):
    def is_live():
        raise KeyError("a mistake of ours")

    with _serve(is_live=is_live) as server:
        status, text, _ = _ask(server, "/livez")

    assert status == 503
    assert "a mistake of ours" in text
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


def test_metrics_are_those_that_were_handed_in():
    metrics = StreamMetrics()
    metrics.dead_letter("not_json")
    with _serve(metrics=metrics) as server:
        status, text, headers = _ask(server, "/metrics")

    assert status == 200
    assert 'vcd_dead_letters_total{reason="not_json"} 1.0' in text
    assert headers["Content-Type"].startswith("text/plain")


def test_metrics_come_in_the_form_that_is_asked_for():
    with _serve() as server:
        _, text, headers = _ask(server, "/metrics", Accept="application/openmetrics-text")

    assert headers["Content-Type"].startswith("application/openmetrics-text")
    assert text.endswith("# EOF\n")


def test_the_front_page_lists_the_others():
    with _serve() as server:
        status, text, _ = _ask(server, "/")

    assert status == 200
    assert all(page in text for page in ("/livez", "/readyz", "/metrics"))


def test_other_pages_are_not_there():
    with _serve() as server:
        assert _ask(server, "/etc/passwd")[0] == 404
        assert _ask(server, "/livez?verbose=1")[0] == 200


def test_head_gives_the_same_without_the_text():
    with _serve(is_ready=lambda: "no") as server, _connect(server) as client:
        client.sendall(b"HEAD /readyz HTTP/1.0\r\n\r\n")
        with client.makefile("rb") as answer:
            head, _, body = answer.read().partition(b"\r\n\r\n")

    assert b" 503 " in head.splitlines()[0]
    assert b"Content-Length: 3" in head
    assert body == b""


def test_nothing_can_be_changed():
    with _serve() as server:
        assert _ask(server, "/livez", method="POST")[0] == 501


def test_the_answer_does_not_tell_what_python_runs():
    with _serve() as server:
        assert _ask(server, "/livez")[2]["Server"].strip() == "vcd"


def test_the_chosen_port_is_told():
    with _serve("127.0.0.1:0") as server:
        host, _, port = server.address.rpartition(":")

    assert host == "127.0.0.1"
    assert int(port) > 0


@pytest.mark.skipif(not socket.has_ipv6, reason="this Python knows no IPv6")
def test_an_ipv6_address_stands_in_brackets():
    try:
        server = _serve("[::1]:0")
    except SetupError:
        pytest.skip("this machine has no IPv6 loopback")
    with server:
        assert server.address.startswith("[::1]:")
        assert _ask(server, "/livez")[0] == 200


@pytest.mark.parametrize(
    "address", ["", "9100", ":9100", "127.0.0.1", "127.0.0.1:", "127.0.0.1:http", "[::1]"]
)
def test_what_is_no_address_is_refused(address):
    with pytest.raises(SetupError, match="wanted an address HOST:PORT"):
        _serve(address)


@pytest.mark.parametrize("address", ["127.0.0.1:99999", "192.0.2.1:9100"])
def test_an_address_that_is_not_ours_is_refused_in_a_sentence(address):
    with pytest.raises(SetupError, match=f"{address}: cannot listen on this address"):
        _serve(address)


def test_a_taken_address_is_refused_in_a_sentence():
    in_use = pytest.raises(SetupError, match=r"cannot listen on this address: .*in use")
    with _serve() as server, in_use:
        _serve(server.address)


def test_the_address_is_free_afterwards():
    with _serve() as server:
        address = server.address
        _ask(server, "/livez")

    with _serve(address) as again:
        assert _ask(again, "/livez")[0] == 200


def test_no_name_server_is_asked(monkeypatch):
    def fail(*_name):
        raise AssertionError("asked")

    monkeypatch.setattr(socket, "getfqdn", fail)
    monkeypatch.setattr(socket, "gethostbyaddr", fail)

    with _serve() as server:
        assert _ask(server, "/livez")[0] == 200


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", id="TLS"),
        pytest.param(b"GET\r\n\r\n", id="half a request"),
        pytest.param(b"GET / HTTP/9.9\r\n\r\n", id="a version that there is not"),
        pytest.param(b"G" * 100_000, id="a line without an end"),
        pytest.param(b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 500 + b"\r\n", id="headers galore"),
        pytest.param(b"", id="nothing, and gone"),
    ],
)
def test_garbage_harms_nobody_and_is_not_talked_about(said, capsys, caplog):
    with _serve() as server:
        with _connect(server) as client:
            client.sendall(said)
        _until(lambda: _num_threads() == 0)

        assert _ask(server, "/livez")[0] == 200

    assert capsys.readouterr().err == ""
    assert [record for record in caplog.records if record.levelno > logging.DEBUG] == []


def test_many_that_say_nothing_keep_nobody_from_being_answered(monkeypatch):
    monkeypatch.setattr(health, "_MAX_CONNECTION_S", 600.0)
    monkeypatch.setattr(health._Request, "timeout", 600.0)
    with _serve() as server:
        silent = [_connect(server) for _ in range(3 * health._MAX_CONNECTIONS)]
        try:
            answers = [_ask(server, "/livez")[0] for _ in range(5)]
            _until(lambda: _num_threads() <= health._MAX_CONNECTIONS)
        finally:
            for client in silent:
                client.close()

    assert answers == [200] * 5


def test_one_that_trickles_is_dropped(monkeypatch):
    monkeypatch.setattr(health, "_MAX_CONNECTION_S", 0.3)
    with _serve() as server, _connect(server) as client:
        client.sendall(b"GET / HTTP/1.0\r\nslow: ")
        client.settimeout(0.05)
        gone = []

        def trickled():
            try:
                client.sendall(b"x")
                gone.extend([True] if client.recv(1) == b"" else [])
            except TimeoutError:
                return False
            except OSError:
                return True
            return bool(gone)

        _until(trickled)


def test_closing_does_not_wait_for_a_client_that_is_connected():
    with ExitStack() as stack:
        server = stack.enter_context(_serve())
        client = _connect(server)
        client.sendall(b"GET /livez")
        _until(lambda: _num_threads() == 1)
        started_s = time.monotonic()

    elapsed_s = time.monotonic() - started_s
    client.close()
    assert elapsed_s < health._MAX_CONNECTION_S / 2
    assert _num_threads() == 0


def test_closing_leaves_no_thread_behind():
    with _serve() as server:
        _ask(server, "/metrics")

    _until(lambda: not any(one.name.startswith("vcd-health") for one in threading.enumerate()))
