"""An index survives what happens to disks and to those who write on them."""

import contextlib
import subprocess
import sys
import threading
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

from tests.factories import make_video
from tests.fault.disk_steps import (
    Countdown,
    before_each_step,
    change,
    fill,
    interrupt,
    open_writer,
    references,
    run_out_of_space,
)
from vcd.core import SetupError
from vcd.search import SearchSettings, open_index, read_info, shards
from vcd.search.manifest import read_manifest

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _nothing_verified_yet(monkeypatch):
    monkeypatch.setattr(shards, "_verified", OrderedDict())


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    fill(tmp_path / "filled")
    return tmp_path / "filled"


def versions_of(tmp_path: Path) -> list[str]:
    """The three versions, made where nothing goes wrong."""
    return [fill(tmp_path / "well"), *change(tmp_path / "well")]


def assert_all_readable(path: Path) -> str:
    wanted = {ref.video_id: ref for ref in references()}
    index = open_index(path, SearchSettings())
    for ref_id in index.ref_ids:
        np.testing.assert_array_equal(index.descriptors(ref_id).features, wanted[ref_id].features)
        found = [len(chunk) for chunk in index.hits(wanted[ref_id], min_score=0.99)]
        assert found == [len(wanted[ref_id])]
    return index.version


def assert_tidy(path: Path) -> None:
    names = {f"{shard.digest[:40]}.shard" for shard in shards_of(path)}
    assert {file.name for file in (path / "shards").iterdir()} == names
    assert {file.name for file in path.iterdir()} == {"lock", "manifest.json", "shards"}


def shards_of(path: Path):
    return read_manifest(path).shards


@pytest.mark.slow
def test_a_writer_killed_at_any_step_leaves_a_version_that_was_published(tmp_path, filled):
    versions = versions_of(tmp_path)
    (tmp_path / "killed").mkdir()

    subprocess.run(
        [sys.executable, "-m", "tests.fault.disk_steps", filled, tmp_path / "killed"],
        cwd=ROOT,
        check=True,
    )

    copies = sorted((tmp_path / "killed").iterdir())
    found = [assert_all_readable(copy) for copy in copies]
    assert len(copies) > 40
    assert found == sorted(found, key=versions.index)
    assert set(found) == set(versions)
    for copy in copies:
        change(copy)
        assert assert_all_readable(copy) == versions[2]
        assert_tidy(copy)


def test_a_writer_killed_while_it_makes_an_index_can_be_run_again(tmp_path):
    (tmp_path / "index").mkdir()
    (tmp_path / "index" / "lock").touch()
    (tmp_path / "index" / "writing-1.part").write_bytes(b"half")

    fill(tmp_path / "index")

    assert_all_readable(tmp_path / "index")
    assert_tidy(tmp_path / "index")


@pytest.mark.slow
def test_a_full_disk_at_any_step_is_a_sentence_and_loses_nothing(tmp_path):
    versions = versions_of(tmp_path)
    sentences = []
    for k in range(200):
        path = tmp_path / f"{k:03d}"
        fill(path)
        countdown = Countdown(k, run_out_of_space)
        try:
            with before_each_step(countdown):
                change(path)
        except SetupError as error:
            sentences.append(str(error))
        assert assert_all_readable(path) in versions
        change(path)
        assert assert_all_readable(path) == versions[2]
        assert_tidy(path)
        if countdown.num_left >= 0:
            break
    else:
        pytest.fail("the writer never came to an end")
    assert len(sentences) > 25
    assert all("No space left on device" in sentence for sentence in sentences)


@pytest.mark.slow
def test_control_c_at_any_step_keeps_what_was_added_before(tmp_path):
    versions = versions_of(tmp_path)
    found = []
    for k in range(200):
        path = tmp_path / f"{k:03d}"
        fill(path)
        countdown = Countdown(k, interrupt)
        with contextlib.suppress(KeyboardInterrupt), before_each_step(countdown):
            change(path)
        found.append(assert_all_readable(path))
        change(path)
        assert assert_all_readable(path) == versions[2]
        assert_tidy(path)
        if countdown.num_left >= 0:
            break

    assert found == sorted(found, key=versions.index)
    assert found.count(versions[0]) == 2  # the lock is being written, nothing was added yet
    assert versions[1] in found
    assert found[-1] == versions[2]


def test_a_full_disk_names_the_index_and_what_still_counts(filled):
    with (
        pytest.raises(
            SetupError,
            match=r"filled: the index could not be written \(what was published before, "
            r"6 references, still counts\): No space left on device",
        ),
        before_each_step(Countdown(8, run_out_of_space)),
    ):
        change(filled)


def test_a_file_size_limit_is_a_sentence(filled):
    code = (
        "import resource; from pathlib import Path; from tests.fault.disk_steps import change;"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096));"
        f"change(Path({str(filled)!r}))"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert "SetupError" in done.stderr
    assert "File too large" in done.stderr
    assert len(read_info(filled).refs) == 6
    assert_all_readable(filled)


def test_places_without_an_index_are_sentences(tmp_path):
    (tmp_path / "file").write_text("hello")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "holiday.mp4").touch()
    (tmp_path / "empty").mkdir()

    for name, message in (
        ("missing", "wanted an index, found nothing there"),
        ("file", "wanted an index directory, found a file"),
        ("folder", "found a directory without manifest.json"),
        ("empty", "found a directory without manifest.json"),
    ):
        with pytest.raises(SetupError, match=f"{name}: .*{message}"):
            open_index(tmp_path / name, SearchSettings())
    with pytest.raises(SetupError, match="file: wanted a directory for the index, found a file"):
        open_writer(tmp_path / "file")
    with pytest.raises(SetupError, match=r"folder: .* found holiday.mp4 and no manifest.json"):
        open_writer(tmp_path / "folder")
    assert [file.name for file in (tmp_path / "folder").iterdir()] == ["holiday.mp4"]


def test_an_index_that_may_not_be_read_or_written_is_a_sentence(filled, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(SetupError, match=r"manifest\.json: the index cannot be read: Perm"):
        read_info(filled)

    monkeypatch.setattr("os.open", refuse)
    with pytest.raises(SetupError, match="filled: the index cannot be opened for writing: Perm"):
        open_writer(filled)


@pytest.mark.slow
def test_readers_never_see_anything_but_a_published_version(tmp_path):
    path = tmp_path / "index"
    published = {fill(path)}
    seen: list[str] = []
    is_over = threading.Event()

    def read() -> None:
        while not is_over.is_set():
            seen.append(assert_all_readable(path))

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    with open_writer(path) as writer:
        for round_ in range(40):
            ref = references()[round_ % 9]
            if ref.video_id in writer and round_ % 2:
                writer.remove(ref.video_id)
            else:
                writer.add(make_video(ref.video_id), ref)
            published.add(writer.info.version)
            writer.publish()
    is_over.set()
    for reader in readers:
        reader.join()

    assert len(set(seen)) > 1
    assert set(seen) <= published
