"""A damaged index is a sentence, never a wrong answer."""

from collections import OrderedDict
from pathlib import Path

import pytest

from tests.factories import make_video
from tests.fault.disk_steps import change, fill, open_writer, references
from tests.fault.test_index_directory import assert_all_readable
from vcd.core import SetupError
from vcd.search import SearchSettings, open_index, read_info, shards


@pytest.fixture(autouse=True)
def _nothing_verified_yet(monkeypatch):
    monkeypatch.setattr(shards, "_verified", OrderedDict())


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    fill(tmp_path / "filled")
    return tmp_path / "filled"


def biggest_shard(path: Path) -> Path:
    return max((path / "shards").iterdir(), key=lambda file: file.stat().st_size)


def flip(file: Path, place: float) -> None:
    data = bytearray(file.read_bytes())
    data[int(place * (len(data) - 1))] ^= 1
    file.write_bytes(data)


@pytest.mark.parametrize("place", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_one_wrong_bit_of_the_descriptors_is_noticed_before_any_answer(filled, place):
    flip(biggest_shard(filled), place)

    with pytest.raises(
        SetupError,
        match=r"the index is damaged: the digest of this file is wrong. The file holds "
        r"r0, .*: remove them from the index and add them again",
    ):
        open_index(filled, SearchSettings())


def test_a_cut_descriptor_file_is_noticed(filled):
    file = biggest_shard(filled)
    file.write_bytes(file.read_bytes()[:-100])

    with pytest.raises(SetupError, match=r"damaged: wanted \d+ bytes, found \d+"):
        open_index(filled, SearchSettings())


def test_an_empty_descriptor_file_is_noticed(filled):
    biggest_shard(filled).write_bytes(b"")

    with pytest.raises(SetupError, match="the index is damaged"):
        open_index(filled, SearchSettings())


def test_a_missing_descriptor_file_is_noticed(filled):
    biggest_shard(filled).unlink()

    with pytest.raises(SetupError, match=r"damaged: No such file or directory\. The file holds"):
        open_index(filled, SearchSettings())


def test_a_damaged_file_is_healed_as_its_message_says(filled):
    flip(biggest_shard(filled), 0.5)
    with pytest.raises(SetupError) as caught:
        open_index(filled, SearchSettings())
    names = str(caught.value).partition("holds ")[2].partition(":")[0].split(", ")

    with open_writer(filled) as writer:
        for name in names:
            writer.remove(name)
    with open_writer(filled) as writer:
        for ref in references()[:6]:
            writer.add(make_video(ref.video_id), ref)

    assert_all_readable(filled)
    assert len(read_info(filled).refs) == 6


def test_a_damaged_file_is_never_copied_into_a_new_one(filled):
    flip(biggest_shard(filled), 0.5)

    with pytest.raises(SetupError, match="the index is damaged"):
        change(filled)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        pytest.param(lambda file: flip(file, 0.5), "checksum is wrong", id="one bit"),
        pytest.param(lambda file: file.write_bytes(b""), "something else", id="empty"),
        pytest.param(lambda file: file.write_bytes(file.read_bytes()[:99]), "damaged", id="cut"),
        pytest.param(lambda file: file.write_text("{}"), "something else", id="other"),
        pytest.param(
            lambda file: file.write_bytes(
                file.read_bytes().replace(b'"format_version": 1', b'"format_version": 2')
            ),
            "format 2, this version of vcd reads format 1",
            id="newer",
        ),
        pytest.param(lambda file: file.unlink(), "without manifest.json", id="missing"),
    ],
)
def test_a_damaged_manifest_is_refused_by_readers_and_writers(filled, damage, message):
    damage(filled / "manifest.json")
    before = sorted((filled / "shards").iterdir())

    for read in (lambda: open_index(filled, SearchSettings()), lambda: read_info(filled)):
        with pytest.raises(SetupError, match=message):
            read()
    with pytest.raises(SetupError, match=f"{message}|and no manifest.json"):
        open_writer(filled)

    assert sorted((filled / "shards").iterdir()) == before  # nothing is thrown away
