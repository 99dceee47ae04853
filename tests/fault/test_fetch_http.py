"""http(s) servers that lie, dawdle, break off or lead elsewhere."""

import gzip
import hashlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.fault.web_server import WebServer, answer, make_certificate, serving
from vcd.core import Examination, FrameBatch, InputError, TransientError, VcdError
from vcd.media import (
    DecodePool,
    DecodeRequest,
    Fetcher,
    FetchSettings,
    MediaSettings,
    write_video,
)

BODY = bytes(range(256)) * 2000
LENGTH = f"Content-Length: {len(BODY)}"
OK = answer("200 OK", LENGTH, body=BODY)

Fetch = Callable[..., str]


@pytest.fixture
def downloads(tmp_path: Path) -> Path:
    return tmp_path / "downloads"


@pytest.fixture
def fetch(downloads) -> Fetch:
    """Fetch one uri and give the digest of the file; names resolve as the test says."""

    def fetch(uri: str, *, resolve=lambda host, port: ["127.0.0.1"], **changes) -> str:
        wanted: dict[str, Any] = {
            "allowed_prefixes": ("http://cdn.example.com", "https://cdn.example.com"),
            "allowed_networks": ("127.0.0.0/8",),
            "folder": str(downloads),
            "max_wall_s": 20.0,
            "connect_timeout_s": 5.0,
        } | changes
        port = uri.partition("example.com:")[2].partition("/")[0]
        wanted["allowed_prefixes"] = tuple(
            f"{prefix}:{port}/clips/" if prefix.endswith(".com") else prefix
            for prefix in wanted["allowed_prefixes"]
        )
        with Fetcher(FetchSettings(**wanted), resolve=resolve) as fetcher:
            with fetcher.fetch(uri) as fetched:
                digest = hashlib.sha256(fetched.path.read_bytes()).hexdigest()
                assert fetched.sha256 == digest
                assert fetched.num_bytes == fetched.path.stat().st_size
            assert not fetched.path.exists()
        return digest

    return fetch


def failure_of(fetch: Fetch, uri: str, kind: type[VcdError], reason: str, **changes) -> str:
    with pytest.raises(kind) as failure:
        fetch(uri, **changes)
    assert failure.value.reason == reason
    assert type(failure.value) is kind
    sentence = str(failure.value)
    assert sentence.startswith(uri.partition("?")[0])
    return sentence


def test_a_file_comes_whole_and_its_digest_with_it(fetch):
    with serving(OK) as server:
        digest = fetch(server.uri("/clips/a.mp4?sig=%2Fx"))

    assert digest == hashlib.sha256(BODY).hexdigest()
    (request,) = server.requests
    assert request.startswith("GET /clips/a.mp4?sig=%2Fx HTTP/1.1\r\n")
    assert f"\r\nHost: cdn.example.com:{server.port}\r\n" in request
    assert "\r\nAccept-Encoding: identity\r\n" in request


@pytest.mark.slow
def test_a_decoding_process_that_gave_up_its_rights_can_read_the_file(tmp_path, downloads):
    frames = [np.full((64, 64, 3), shade, dtype=np.uint8) for shade in (40, 80, 120, 160)]
    write_video(tmp_path / "a.mp4", frames, rate_hz=2.0)
    media = MediaSettings(num_children=1)

    with (
        serving(answer("200 OK", body=(tmp_path / "a.mp4").read_bytes())) as server,
        Fetcher(
            FetchSettings(
                allowed_prefixes=(server.uri("/"),),
                allowed_networks=("127.0.0.0/8",),
                folder=str(downloads),
            ),
            resolve=lambda host, port: ["127.0.0.1"],
        ) as fetcher,
        fetcher.fetch(server.uri()) as fetched,
        DecodePool(media) as pool,
    ):
        request = DecodeRequest(
            video_id="a",
            path=fetched.path,
            sha256=fetched.sha256,
            rate_hz=2.0,
            max_short_edge_px=64,
        )
        results = list(pool.decode([request]))

    assert [result.refused for result in results if isinstance(result, Examination)] == [None]
    assert sum(len(result) for result in results if isinstance(result, FrameBatch)) == 4


def test_a_file_in_chunks_comes_whole(fetch):
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (BODY[:1000], BODY[1000:]))
    reply = answer("200 OK", "Transfer-Encoding: chunked", body=chunks + b"0\r\n\r\n")

    with serving(reply) as server:
        assert fetch(server.uri()) == hashlib.sha256(BODY).hexdigest()


class Rebinding:
    """A name server that answers what was allowed first, and what was not ever after."""

    def __init__(self, first: str, then: str) -> None:
        self.answers = [first]
        self.then = then
        self.num_asked = 0

    def __call__(self, host: str, port: int) -> list[str]:
        self.num_asked += 1
        return [self.answers.pop() if self.answers else self.then]


@pytest.fixture
def two_servers() -> Iterator[tuple[WebServer, WebServer]]:
    """One that stands for the public one, and one on loopback with the same port."""
    with ExitStack() as stack:
        public = stack.enter_context(serving(OK, address="127.0.0.2"))
        loopback = stack.enter_context(serving(OK, address="127.0.0.1", port=public.port))
        yield public, loopback


def test_a_name_that_is_rebound_to_loopback_never_leads_there(fetch, two_servers, monkeypatch):
    """The public server is 127.0.0.2, made reachable; 127.0.0.1 is as forbidden as ever."""
    public, loopback = two_servers
    resolve = Rebinding("127.0.0.2", "127.0.0.1")
    looked_up = []
    system = socket.getaddrinfo

    def spy(host, *rest, **options):
        looked_up.append(host)
        return system(host, *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", spy)

    fetch(public.uri(), resolve=resolve, allowed_networks=("127.0.0.2/32",))

    assert public.num_connections == 1
    assert loopback.num_connections == 0
    assert resolve.num_asked == 1
    assert set(looked_up) <= {"127.0.0.2"}


def test_a_name_that_is_rebound_between_redirects_never_leads_to_loopback(fetch, two_servers):
    public, loopback = two_servers
    public.reply = answer("302 Found", "Location: /clips/b.mp4")
    resolve = Rebinding("127.0.0.2", "127.0.0.1")

    sentence = failure_of(
        fetch,
        public.uri(),
        InputError,
        "not_allowed",
        resolve=resolve,
        allowed_networks=("127.0.0.2/32",),
    )

    assert "cdn.example.com is at 127.0.0.1, which is not public" in sentence
    assert resolve.num_asked == 2
    assert loopback.num_connections == 0


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["93.184.216.34", "127.0.0.1"], ["::1"]])
def test_a_name_with_a_private_address_is_refused_before_anything_is_sent(fetch, addresses):
    with serving(OK) as server:
        failure_of(
            fetch,
            server.uri(),
            InputError,
            "not_allowed",
            resolve=lambda host, port: addresses,
            allowed_networks=(),
        )

    assert server.num_connections == 0


def test_an_address_in_the_uri_is_checked_as_well(fetch):
    with serving(OK) as server:
        uri = server.uri(host="127.0.0.1")
        prefixes = (server.uri("/", host="127.0.0.1"),)
        real = {"resolve": lambda host, port: [host], "allowed_prefixes": prefixes}
        failure_of(fetch, uri, InputError, "not_allowed", allowed_networks=(), **real)
        assert server.num_connections == 0

        fetch(uri, **real)


def test_the_next_address_is_tried_when_one_does_not_answer(fetch):
    with serving(OK) as server:
        fetch(server.uri(), resolve=lambda host, port: ["127.0.0.3", "127.0.0.1"])

    assert server.num_connections == 1


def test_proxies_of_the_environment_are_not_used(fetch, monkeypatch):
    with serving(OK) as server, serving(OK) as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        fetch(server.uri())

    assert proxy.num_connections == 0


def redirecting(*targets: str) -> Callable[[socket.socket, str], None]:
    """Send on from one target to the next; the last one has the file."""
    left = list(targets)

    def reply(connection: socket.socket, request: str) -> None:
        next_one = answer("302 Found", f"Location: {left.pop(0)}") if left else OK
        next_one(connection, request)

    return reply


def test_redirects_are_followed_within_what_is_allowed(fetch):
    with serving(OK) as server:
        absolute = server.uri("/clips/e.mp4").replace("cdn", "CDN")
        server.reply = redirecting("/clips/b.mp4", "c/../d.mp4?sig=x", absolute)
        fetch(server.uri())

    paths = [request.split()[1] for request in server.requests]
    assert paths == ["/clips/a.mp4", "/clips/b.mp4", "/clips/d.mp4?sig=x", "/clips/e.mp4"]


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        pytest.param("http://127.0.0.1/clips/b.mp4", "not_allowed", id="loopback"),
        pytest.param("http://evil.example/clips/b.mp4", "not_allowed", id="another host"),
        pytest.param("/other/b.mp4", "not_allowed", id="another folder"),
        pytest.param("/clips/../other/b.mp4", "not_allowed", id="dots"),
        pytest.param("/clips/%2e%2e/other/b.mp4", "not_allowed", id="escaped dots"),
        pytest.param("file:///etc/passwd", "not_allowed", id="a local file"),
        pytest.param("s3://bucket/a", "not_allowed", id="a store"),
        pytest.param("http://me:pw@cdn.example.com/clips/a", "bad_uri", id="user name"),
        pytest.param("/clips/a\tb", "bad_uri", id="tab"),
        pytest.param("http://[::1/", "bad_uri", id="no uri"),
        pytest.param("", "bad_uri", id="nothing"),
    ],
)
def test_a_redirect_is_checked_like_the_first_address(fetch, target, reason):
    with serving(answer("302 Found", f"Location: {target}")) as server:
        failure_of(
            fetch,
            server.uri(),
            InputError,
            reason,
            allowed_prefixes=("http://cdn.example.com", "/etc", "memory://bucket/"),
        )

    assert server.num_connections == 1


def test_redirects_have_an_end(fetch):
    with serving(answer("307 Again", "Location: /clips/a.mp4")) as server:
        sentence = failure_of(fetch, server.uri(), InputError, "unreadable", max_redirects=2)

    assert "fetch.max_redirects = 2" in sentence
    assert server.num_connections == 3


@pytest.mark.parametrize(
    ("status", "kind", "reason"),
    [
        ("404 Not Found", InputError, "not_found"),
        ("410 Gone", InputError, "not_found"),
        ("401 Unauthorized", InputError, "forbidden"),
        ("403 Forbidden", InputError, "forbidden"),
        ("400 Bad Request", InputError, "unreadable"),
        ("204 No Content", InputError, "unreadable"),
        ("206 Partial Content", InputError, "unreadable"),
        ("304 Not Modified", InputError, "unreadable"),
        ("408 Request Timeout", TransientError, "fetch_failed"),
        ("425 Too Early", TransientError, "fetch_failed"),
        ("429 Too Many Requests", TransientError, "fetch_failed"),
        ("500 Oops", TransientError, "fetch_failed"),
        ("503 Busy", TransientError, "fetch_failed"),
    ],
)
def test_what_a_server_answers_says_whose_fault_it_is(fetch, status, kind, reason):
    with serving(answer(status, "Content-Length: 0")) as server:
        sentence = failure_of(fetch, server.uri(), kind, reason)

    assert status.split()[0] in sentence


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(answer("200 OK", LENGTH, body=BODY[:-1]), id="short of its length"),
        pytest.param(
            answer("200 OK", "Transfer-Encoding: chunked", body=b"5\r\nabc"), id="cut in a chunk"
        ),
        pytest.param(
            answer("200 OK", "Transfer-Encoding: chunked", body=b"3\r\nabc\r\n"), id="no last chunk"
        ),
        pytest.param(
            answer("200 OK", "Transfer-Encoding: chunked", body=b"zz\r\nabc"), id="no chunk size"
        ),
        pytest.param(lambda connection, request: None, id="no answer"),
        pytest.param(lambda connection, request: connection.sendall(b"what?\r\n"), id="no http"),
        pytest.param(answer("200 OK", "X: " + "x" * 70_000), id="endless header"),
        pytest.param(answer("200 OK", *["X: x"] * 200), id="headers by the hundred"),
    ],
)
def test_an_answer_that_breaks_off_or_makes_no_sense_may_be_better_later(fetch, reply, downloads):
    with serving(reply) as server:
        failure_of(fetch, server.uri(), TransientError, "fetch_failed")

    assert [path.name for path in downloads.rglob("*")] == ["lock"]


def test_a_server_that_is_not_there_may_be_there_later(fetch):
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]

    failure_of(fetch, f"http://cdn.example.com:{port}/clips/a.mp4", TransientError, "fetch_failed")


def test_a_name_that_does_not_resolve_may_do_so_later(fetch):
    def resolve(host, port):
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    failure_of(
        fetch,
        "http://cdn.example.com:80/clips/a.mp4",
        TransientError,
        "fetch_failed",
        resolve=resolve,
    )


def endless(connection: socket.socket, request: str) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(b"x" * 65536)


def test_what_is_too_large_is_refused_before_it_is_read(fetch):
    with serving(answer("200 OK", "Content-Length: 1001")) as server:
        sentence = failure_of(fetch, server.uri(), InputError, "too_large", max_bytes=1000)

    assert "it has 1,001" in sentence


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(endless, id="no length"),
        pytest.param(answer("200 OK", "Content-Length: -1", body=BODY), id="negative length"),
    ],
)
def test_what_says_nothing_of_its_size_is_counted(fetch, reply, downloads):
    with serving(reply) as server:
        failure_of(fetch, server.uri(), InputError, "too_large", max_bytes=100_000)

    assert [path.name for path in downloads.rglob("*")] == ["lock"]


def test_a_packed_body_is_refused_and_not_unpacked(fetch):
    bomb = gzip.compress(bytes(50_000_000))
    reply = answer("200 OK", f"Content-Length: {len(bomb)}", "Content-Encoding: gzip", body=bomb)

    with serving(reply) as server:
        failure_of(fetch, server.uri(), InputError, "unreadable", max_bytes=1_000_000)


def dripping(before: bytes, drop: bytes) -> Callable[[socket.socket, str], None]:
    """Send a byte now and then, each well before a timeout of silence."""

    def reply(connection: socket.socket, request: str) -> None:
        connection.sendall(before)
        while True:
            connection.sendall(drop)
            time.sleep(0.05)

    return reply


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(dripping(b"HTTP/1.1 200 OK\r\n\r\n", b"x"), id="body without length"),
        pytest.param(dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", b"x"), id="body"),
        pytest.param(dripping(b"HTTP/1.1 200 OK\r\nX: ", b"x"), id="header"),
        pytest.param(dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), id="preludes"),
        pytest.param(
            dripping(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"x"), id="chunk"
        ),
    ],
)
def test_drop_by_drop_ends_at_the_total_time(fetch, reply, downloads):
    with serving(reply) as server:
        sentence = failure_of(fetch, server.uri(), TransientError, "fetch_failed", max_wall_s=0.5)

    assert "fetch.max_wall_s = 0.5 s" in sentence
    assert [path.name for path in downloads.rglob("*")] == ["lock"]


def test_silence_ends_at_its_own_time(fetch):
    is_over = threading.Event()

    def wait(connection: socket.socket, request: str) -> None:
        is_over.wait(30)

    with serving(wait) as server:
        sentence = failure_of(
            fetch, server.uri(), TransientError, "fetch_failed", connect_timeout_s=0.2
        )
        is_over.set()

    assert "timed out" in sentence


@pytest.fixture(scope="module")
def certificates(tmp_path_factory) -> dict[str, tuple[Path, Path]]:
    folder = tmp_path_factory.mktemp("certificates")
    return {name: make_certificate(folder, name) for name in ("cdn.example.com", "evil.example")}


def secured(certificates, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificates[name])
    return context


def test_a_certificate_is_checked_for_the_name_and_not_for_the_address(fetch, certificates):
    names = []
    context = secured(certificates, "cdn.example.com")
    context.sni_callback = lambda sock, name, context: names.append(name)

    with serving(OK, context=context) as server:
        uri = server.uri().replace("http:", "https:")
        digest = fetch(uri, ca_file=str(certificates["cdn.example.com"][0]))

    assert digest == hashlib.sha256(BODY).hexdigest()
    assert names == ["cdn.example.com"]


@pytest.mark.parametrize(
    ("name", "trusted"),
    [
        pytest.param("evil.example", "evil.example", id="of another name"),
        pytest.param("cdn.example.com", None, id="of nobody known"),
    ],
)
def test_a_certificate_that_proves_nothing_is_refused(fetch, certificates, name, trusted):
    ca_file = None if trusted is None else str(certificates[trusted][0])

    with serving(OK, context=secured(certificates, name)) as server:
        uri = server.uri().replace("http:", "https:")
        sentence = failure_of(fetch, uri, InputError, "untrusted", ca_file=ca_file)

    assert "cdn.example.com does not prove that it is cdn.example.com" in sentence
    assert server.requests == []


def test_https_is_never_left_for_http(fetch, certificates):
    with serving(OK) as plain:
        to_plain = answer("302 Found", f"Location: {plain.uri()}")
        with serving(to_plain, context=secured(certificates, "cdn.example.com")) as server:
            sentence = failure_of(
                fetch,
                server.uri().replace("http:", "https:"),
                InputError,
                "not_allowed",
                ca_file=str(certificates["cdn.example.com"][0]),
                allowed_prefixes=("https://cdn.example.com", plain.uri("/")),
            )

    assert "redirects from https to http://cdn.example.com" in sentence
    assert plain.num_connections == 0


def test_drop_by_drop_ends_at_the_total_time_inside_tls_too(fetch, certificates):
    reply = dripping(b"HTTP/1.1 200 OK\r\n\r\n", b"x")

    with serving(reply, context=secured(certificates, "cdn.example.com")) as server:
        failure_of(
            fetch,
            server.uri().replace("http:", "https:"),
            TransientError,
            "fetch_failed",
            ca_file=str(certificates["cdn.example.com"][0]),
            max_wall_s=0.5,
        )


def test_a_server_that_speaks_no_tls_may_do_so_later(fetch):
    with serving(OK) as server:
        uri = server.uri().replace("http:", "https:")
        failure_of(fetch, uri, TransientError, "fetch_failed", connect_timeout_s=0.3)


@pytest.mark.parametrize("status", ["200 OK", "404 Not Found", "302 Found"])
def test_the_query_of_a_signed_uri_is_in_no_sentence_and_no_log(fetch, caplog, status):
    caplog.set_level("DEBUG")

    reply = answer(status, "Content-Length: 9", "Location: /x?token=secret")

    with serving(reply) as server, pytest.raises(VcdError) as failure:
        fetch(server.uri("/clips/a.mp4?X-Signature=secret"))

    assert "secret" not in str(failure.value)
    assert "secret" not in caplog.text
