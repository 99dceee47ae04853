"""Local files and stores: what may be fetched, and what is left behind."""

import hashlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from vcd.core import InputError, SetupError, TransientError
from vcd.media import Fetcher, FetchSettings
from vcd.media.intake import Intake

BODY = b"not really a video" * 1000


def settings(tmp_path: Path, *prefixes: str, **changes) -> FetchSettings:
    return FetchSettings(allowed_prefixes=prefixes, folder=str(tmp_path / "downloads"), **changes)


def left_behind(tmp_path: Path) -> list[Path]:
    found = (tmp_path / "downloads").rglob("*")
    return [path for path in found if path.is_file() and path.name != "lock"]


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    folder.mkdir()
    (folder / "a.mp4").write_bytes(BODY)
    return folder


@pytest.fixture
def store() -> Iterator[str]:
    memory = fsspec.filesystem("memory")
    memory.pipe("/bucket/clips/a.mp4", BODY)
    yield "memory://bucket/clips/"
    memory.store.clear()


def reason_of(fetcher: Fetcher, uri: str) -> str:
    with pytest.raises(InputError) as refusal, fetcher.fetch(uri):
        pass
    assert str(refusal.value).startswith(uri)
    return refusal.value.reason


def test_nothing_is_allowed_until_somebody_says_so(tmp_path, inbox, store):
    with Fetcher(settings(tmp_path)) as fetcher:
        for uri in (f"{inbox}/a.mp4", f"{store}a.mp4", "https://h.example/a.mp4"):
            assert reason_of(fetcher, uri) == "not_allowed"


def test_a_refusal_names_the_prefix_that_would_allow_it(tmp_path, inbox):
    sentence = rf"a\.mp4: no prefix of .* holds it; {inbox.as_uri()}/ would"

    with (
        Fetcher(settings(tmp_path)) as fetcher,
        pytest.raises(InputError, match=sentence),
        fetcher.fetch(f"{inbox}/a.mp4"),
    ):
        pass


def test_a_local_file_is_used_where_it_lies(tmp_path, inbox):
    with (
        Fetcher(settings(tmp_path, f"{inbox}/")) as fetcher,
        fetcher.fetch((inbox / "a.mp4").as_uri()) as fetched,
    ):
        assert fetched.path == inbox / "a.mp4"
        assert fetched.sha256 == hashlib.sha256(BODY).hexdigest()
        assert fetched.num_bytes == len(BODY)

    assert (inbox / "a.mp4").read_bytes() == BODY


def test_an_object_of_a_store_is_a_file_for_as_long_as_the_block_lasts(tmp_path, store):
    with Fetcher(settings(tmp_path, store)) as fetcher:
        with fetcher.fetch(f"{store}a.mp4") as fetched:
            assert fetched.path.read_bytes() == BODY
            assert fetched.sha256 == hashlib.sha256(BODY).hexdigest()
            assert fetched.num_bytes == len(BODY)
            assert fetched.path.stat().st_mode & 0o077 == 0

        assert not fetched.path.exists()

    assert list((tmp_path / "downloads").iterdir()) == [tmp_path / "downloads/lock"]


def test_a_file_is_gone_when_the_block_fails(tmp_path, store):
    with Fetcher(settings(tmp_path, store)) as fetcher:
        with pytest.raises(ZeroDivisionError), fetcher.fetch(f"{store}a.mp4"):
            raise ZeroDivisionError

        assert left_behind(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing.mp4", "not_found"),
        ("a.mp4/b.mp4", "not_found"),
        ("folder", "unreadable"),
        ("pipe", "unreadable"),
        ("way_out", "not_allowed"),
        ("../secret", "not_allowed"),
    ],
)
def test_what_is_no_file_of_the_inbox_is_refused(tmp_path, inbox, name, reason):
    (tmp_path / "secret").write_bytes(BODY)
    (inbox / "folder").mkdir()
    os.mkfifo(inbox / "pipe")
    (inbox / "way_out").symlink_to(tmp_path / "secret")

    with Fetcher(settings(tmp_path, f"{inbox}/")) as fetcher:
        assert reason_of(fetcher, f"{inbox}/{name}") == reason


def test_an_object_that_is_not_there_is_not_found(tmp_path, store):
    with Fetcher(settings(tmp_path, store)) as fetcher:
        assert reason_of(fetcher, f"{store}b.mp4") == "not_found"
        assert reason_of(fetcher, "memory://bucket/other/a.mp4") == "not_allowed"

        assert left_behind(tmp_path) == []


def test_the_size_limit_holds_to_the_byte(tmp_path, inbox, store):
    for prefix in (f"{inbox}/", store):
        exact = settings(tmp_path, prefix, max_bytes=len(BODY))
        with Fetcher(exact) as fetcher, fetcher.fetch(f"{prefix}a.mp4") as fetched:
            assert fetched.num_bytes == len(BODY)
        with Fetcher(settings(tmp_path, prefix, max_bytes=len(BODY) - 1)) as fetcher:
            assert reason_of(fetcher, f"{prefix}a.mp4") == "too_large"
            assert left_behind(tmp_path) == []


def rewrite(path: Path) -> None:
    path.write_bytes(b"another")


def replace(path: Path) -> None:
    other = path.with_name("b.mp4")
    other.write_bytes(BODY)
    other.replace(path)


@pytest.mark.parametrize("change", [rewrite, replace, Path.unlink])
def test_a_file_that_changes_during_the_block_must_be_looked_at_again(tmp_path, inbox, change):
    with (
        Fetcher(settings(tmp_path, f"{inbox}/")) as fetcher,
        pytest.raises(TransientError, match="it changed while it was looked at") as failure,
        fetcher.fetch(f"{inbox}/a.mp4") as fetched,
    ):
        change(fetched.path)

    assert failure.value.reason == "fetch_failed"


def test_a_driver_that_fails_is_the_worlds_fault_and_its_secrets_stay_with_it(
    tmp_path, store, monkeypatch
):
    def fail(*_, **__):
        raise RuntimeError("GET https://h.example/a?X-Signature=secret: 503")

    monkeypatch.setattr(fsspec.get_filesystem_class("memory"), "_open", fail)

    with (
        Fetcher(settings(tmp_path, store)) as fetcher,
        pytest.raises(TransientError, match="RuntimeError: GET https") as failure,
        fetcher.fetch(f"{store}a.mp4"),
    ):
        pass

    assert "secret" not in str(failure.value)
    assert failure.value.reason == "fetch_failed"


def test_threads_fetch_side_by_side(tmp_path, inbox):
    wrong: list[str] = []
    for number in range(8):
        (inbox / f"{number}.mp4").write_bytes(bytes([number]) * 100_000)

    def fetch_all(fetcher: Fetcher) -> None:
        for number in range(8):
            with fetcher.fetch(f"{inbox}/{number}.mp4") as fetched:
                expected = hashlib.sha256(bytes([number]) * 100_000).hexdigest()
                if fetched.sha256 != expected:
                    wrong.append(fetched.path.name)

    with Fetcher(settings(tmp_path, f"{inbox}/")) as fetcher:
        threads = [threading.Thread(target=fetch_all, args=(fetcher,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert wrong == []


@pytest.mark.parametrize(
    "prefix",
    [
        pytest.param("cdn.example.com/", id="no scheme"),
        pytest.param("https://cdn.example.com/?a=b", id="query"),
        pytest.param("simplecache::s3://bucket/", id="chain"),
        pytest.param("nosuchstore://bucket/", id="no driver"),
    ],
)
def test_a_prefix_that_is_none_stops_the_worker_at_its_start(tmp_path, prefix):
    with pytest.raises(SetupError, match=r"fetch\.allowed_prefixes: "):
        Fetcher(settings(tmp_path, prefix))


def test_a_certificate_file_that_is_missing_stops_the_worker_at_its_start(tmp_path):
    with pytest.raises(SetupError, match=r"no\.pem: wanted certificates in PEM"):
        Fetcher(settings(tmp_path, ca_file=str(tmp_path / "no.pem")))


@pytest.mark.parametrize(
    "wrong",
    [
        {"allowed_networks": ("10.0.0.1/8",)},
        {"max_bytes": 0},
        {"max_wall_s": 0.0},
        {"connect_timeout_s": float("nan")},
        {"max_redirects": -1},
    ],
    ids=str,
)
def test_settings_that_mean_nothing_are_refused(wrong):
    with pytest.raises(ValueError, match=r"fetch\."):
        FetchSettings(**wrong)


def test_a_folder_of_somebody_elses_making_is_not_used(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "downloads").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(SetupError, match="is not a folder of our own"):
        Fetcher(settings(tmp_path))


def test_a_full_disk_is_the_worlds_fault(tmp_path, store, monkeypatch):
    class Full:
        free = 1000

    monkeypatch.setattr("vcd.media.spool.shutil.disk_usage", lambda path: Full)

    with (
        Fetcher(settings(tmp_path, store)) as fetcher,
        pytest.raises(TransientError, match="the disk is full") as failure,
        fetcher.fetch(f"{store}a.mp4"),
    ):
        pass

    assert failure.value.reason == "fetch_failed"


def test_what_comes_too_late_is_not_taken():
    clock = iter([0.0, 9.0, 11.0])
    intake = Intake("a.mp4", max_bytes=100, max_wall_s=10.0, now_s=lambda: next(clock))
    intake.take(b"in time")

    with pytest.raises(TransientError, match=r"a\.mp4: wanted within .* 10 s, only 7 bytes"):
        intake.take(b"late")
