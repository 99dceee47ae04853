"""`vcd models pull` against a publisher of our own, who has good days and bad ones."""

import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines import models
from vcd.core import InputError, SetupError, TransientError
from vcd.descriptors import PullSettings, WeightsCache, pull_weights

CONTENT = np.random.default_rng(0).bytes(700_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
NAME, FILE = "sscd_disc_blur", "sscd_disc_blur.torchvision.pt"


@dataclass
class Publisher:
    """Serves one file, and notes what was asked of it.

    Attributes:
        content: of the file.
        etag: names the version.
        takes_ranges: whether a Range header is obeyed.
        cuts: of the next answers, after how many bytes of the body the connection breaks.
        statuses: the next answers are these errors instead.
        ranges: the Range header of each request.
    """

    url: str = ""
    content: bytes = CONTENT
    etag: str | None = '"v1"'
    takes_ranges: bool = True
    cuts: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    ranges: list[str | None] = field(default_factory=list)

    def answer(self, request: http.server.BaseHTTPRequestHandler) -> None:
        self.ranges.append(request.headers["Range"])
        if self.statuses:
            request.send_error(self.statuses.pop(0))
            return
        if not request.path.endswith(FILE):
            request.send_error(404)
            return
        first = self._first_byte(request)
        if first >= len(self.content):
            request.send_error(416)
            return
        body = self.content[first:]
        request.send_response(206 if first else 200)
        request.send_header("Content-Length", str(len(body)))
        if self.etag is not None:
            request.send_header("ETag", self.etag)
        if first:
            total = len(self.content)
            request.send_header("Content-Range", f"bytes {first}-{total - 1}/{total}")
        request.end_headers()
        request.wfile.write(body[: self.cuts.pop(0)] if self.cuts else body)

    def _first_byte(self, request: http.server.BaseHTTPRequestHandler) -> int:
        asked = request.headers["Range"]
        if asked is None or not self.takes_ranges or request.headers["If-Range"] != self.etag:
            return 0
        return int(asked.removeprefix("bytes=").removesuffix("-"))


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    served = Publisher()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.answer(self)
            self.close_connection = True

        def log_message(self, *_: Any) -> None:
            """Keep quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.url = f"http://127.0.0.1:{server.server_port}/weights/"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield served
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def cache(tmp_path):
    return WeightsCache(tmp_path / "cache")


@pytest.fixture
def waits():
    return []


def pull(publisher, cache, waits, name=NAME, **changes):
    settings = PullSettings(base_url=publisher.url, timeout_s=5.0, **changes)
    return pull_weights(name, cache, settings, wait=waits.append)


def names_in(cache):
    return sorted(path.name for path in cache.folder.iterdir())


def test_a_whole_file_arrives_and_is_recorded(publisher, cache, waits):
    pulled = pull(publisher, cache, waits)

    assert pulled.path.read_bytes() == CONTENT
    assert (pulled.sha256, pulled.vouched_by, pulled.was_there) == (SHA256, "first use", False)
    assert cache.first_seen_sha256(FILE) == SHA256
    assert names_in(cache) == [FILE, "weights.lock.json"]
    assert waits == []


def test_a_file_that_is_there_is_not_fetched_again(publisher, cache, waits):
    pull(publisher, cache, waits)

    assert pull(publisher, cache, waits).was_there
    assert len(publisher.ranges) == 1


def test_a_broken_transfer_goes_on_where_it_broke(publisher, cache, waits):
    publisher.cuts = [300_000, 100_000]

    pulled = pull(publisher, cache, waits)

    assert pulled.path.read_bytes() == CONTENT
    assert publisher.ranges == [None, "bytes=300000-", "bytes=400000-"]
    assert waits == [1.0, 2.0]


def test_the_next_run_goes_on_where_the_last_one_gave_up(publisher, cache, waits):
    publisher.cuts = [300_000]
    with pytest.raises(TransientError, match="300,000 bytes are kept"):
        pull(publisher, cache, waits, num_attempts=1)
    assert FILE not in names_in(cache)

    assert pull(publisher, cache, waits).path.read_bytes() == CONTENT
    assert publisher.ranges[-1] == "bytes=300000-"


def test_another_version_is_fetched_from_its_beginning(publisher, cache, waits):
    publisher.cuts = [300_000]
    with pytest.raises(TransientError):
        pull(publisher, cache, waits, num_attempts=1)
    publisher.content, publisher.etag = CONTENT[::-1], '"v2"'

    assert pull(publisher, cache, waits).path.read_bytes() == CONTENT[::-1]


@pytest.mark.parametrize("etag", [None, 'W/"weak"', '"v1"'])
def test_a_server_that_cannot_resume_sends_it_all_again(publisher, cache, waits, etag):
    publisher.takes_ranges, publisher.etag, publisher.cuts = False, etag, [300_000]

    assert pull(publisher, cache, waits).path.read_bytes() == CONTENT


def test_a_part_longer_than_the_file_is_thrown_away(publisher, cache, waits):
    publisher.cuts = [300_000]
    with pytest.raises(TransientError):
        pull(publisher, cache, waits, num_attempts=1)
    publisher.content = CONTENT[:200_000]

    assert pull(publisher, cache, waits).path.read_bytes() == CONTENT[:200_000]


def test_a_wrong_digest_is_refused_and_deleted(publisher, cache, waits):
    cache.record_pull(FILE, "0" * 64)

    with pytest.raises(SetupError, match=f"wanted SHA-256 {'0' * 64}, got {SHA256}"):
        pull(publisher, cache, waits)
    assert names_in(cache) == ["weights.lock.json"]


def test_a_built_in_digest_is_believed_over_the_server(publisher, cache, waits, monkeypatch):
    mixup = "sscd_disc_mixup.torchscript.pt"
    monkeypatch.setattr(f"{__name__}.FILE", mixup)

    with pytest.raises(SetupError, match="wanted SHA-256 9f26bd4c"):
        pull(publisher, cache, waits, "sscd_disc_mixup")
    assert names_in(cache) == []


def test_a_trusted_program_may_be_pulled_by_its_name(
    publisher, cache, waits, monkeypatch, tmp_path
):
    script = "sscd_disc_blur.torchscript.pt"
    monkeypatch.setattr(f"{__name__}.FILE", script)
    (tmp_path / script).write_bytes(CONTENT)
    cache.trust(tmp_path / script)

    assert pull(publisher, cache, waits, f"{NAME}.torchscript").vouched_by == "trusted"


def test_a_program_without_a_known_digest_is_not_even_fetched(publisher, cache, waits):
    with pytest.raises(SetupError, match=r"is a program .* pull sscd_disc_blur\.torchvision`"):
        pull(publisher, cache, waits, f"{NAME}.torchscript")
    assert publisher.ranges == []


def test_a_missing_file_is_not_asked_for_twice(publisher, cache, waits):
    with pytest.raises(SetupError, match=r"sscd_disc_advanced\.torchvision\.pt: .* answers 404"):
        pull(publisher, cache, waits, "sscd_disc_advanced")
    assert len(publisher.ranges) == 1


def test_a_busy_server_is_asked_again(publisher, cache, waits):
    publisher.statuses = [503, 429]

    assert pull(publisher, cache, waits).path.read_bytes() == CONTENT
    assert waits == [1.0, 2.0]


def test_a_server_that_stays_busy_is_given_up(publisher, cache, waits):
    publisher.statuses = [503] * 9

    with pytest.raises(TransientError, match="in 3 attempts: the server answers 503"):
        pull(publisher, cache, waits, num_attempts=3)


def test_a_disk_that_is_too_full_is_not_filled_further(publisher, cache, waits, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000})())

    with pytest.raises(SetupError, match="bytes of disk, only 1,000 are free"):
        pull(publisher, cache, waits)


def test_an_address_that_is_not_http_is_refused(cache, waits):
    publisher = Publisher(url="file:///etc")

    with pytest.raises(SetupError, match="wanted an https address"):
        pull(publisher, cache, waits)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("vcd_compact", "ships with the package"),
        ("sscd", "no published weights named 'sscd'"),
        ("sscd_disc_large.torchvision", "published as classy, torchscript"),
    ],
)
def test_what_is_not_published_cannot_be_pulled(publisher, cache, waits, name, sentence):
    with pytest.raises(InputError, match=sentence):
        pull(publisher, cache, waits, name)


def closed_port() -> int:
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as server:
        return server.server_port


@pytest.fixture
def environment(publisher, tmp_path, monkeypatch):
    monkeypatch.setenv("VCD_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("VCD_PULL__BASE_URL", publisher.url)
    monkeypatch.setenv("VCD_PULL__FIRST_WAIT_S", "0.01")


def test_the_command_pulls_and_prints_the_digest(environment, publisher, capsys):
    assert models.main(["pull", NAME, "--json"]) == 0

    out, err = capsys.readouterr()
    assert json.loads(out)["sha256"] == SHA256
    assert Path(json.loads(out)["path"]).read_bytes() == CONTENT
    assert "no digest of sscd_disc_blur.torchvision.pt is built in" in err


def test_the_command_lists_what_is_here(environment, capsys):
    models.main(["pull", NAME])
    capsys.readouterr()

    assert models.main(["list", "--json"]) == 0

    listed = {each["name"]: each for each in json.loads(capsys.readouterr().out)["models"]}
    assert len(listed) == 8
    assert listed["vcd_compact"]["is_bundled"]
    files = {file["format"]: file for file in listed[NAME]["files"]}
    assert files["torchvision"] == {"format": "torchvision", "is_here": True, "sha256": SHA256}
    assert not files["classy"]["is_here"]


def test_the_command_trusts_a_file(environment, tmp_path, capsys):
    path = tmp_path / "mine.torchscript.pt"
    path.write_bytes(b"program")

    assert models.main(["trust", str(path)]) == 0

    digest = hashlib.sha256(b"program").hexdigest()
    assert capsys.readouterr().out.split()[0] == digest
    assert WeightsCache(tmp_path / "cache").is_trusted(digest)


def test_without_a_network_the_command_says_so_in_a_sentence(vcd, tmp_path):
    result = vcd(
        "models",
        "pull",
        "sscd_disc_mixup",
        env={
            "VCD_CACHE": str(tmp_path),
            "VCD_PULL__BASE_URL": f"http://127.0.0.1:{closed_port()}",
            "VCD_PULL__FIRST_WAIT_S": "0.01",
        },
    )

    assert result.returncode == 1
    assert "could not be fetched in 5 attempts: [Errno 111] Connection refused" in result.stderr
    assert "Is there a network?" in result.stderr
    assert "Traceback" not in result.stderr
