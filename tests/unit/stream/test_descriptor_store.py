"""Descriptor files: named by their digest, kept whole, and nothing else is ever read."""

import hashlib
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tests.factories import SPACE, make_timeline, unit_rows
from tests.fault.disk_steps import Countdown, before_each_step, run_out_of_space
from tests.reference_log import described
from vcd.core import Descriptors, InputError, SetupError, TransientError
from vcd.search import descriptor_digest
from vcd.stream.messages.records import DescriptorFile
from vcd.stream.references.descriptor_store import (
    DescriptorStore,
    descriptor_file_of,
    store_location,
)
from vcd.stream.references.store_places import place_for


@pytest.fixture
def store(tmp_path: Path) -> DescriptorStore:
    return DescriptorStore(str(tmp_path / "store"))


def _planted(folder: Path, data: bytes) -> DescriptorFile:
    """Put a file of any content where its digest says that it belongs."""
    folder.mkdir(exist_ok=True)
    sha256 = hashlib.sha256(data).hexdigest()
    (folder / f"{sha256}.npz").write_bytes(data)
    return DescriptorFile(uri=f"{sha256}.npz", sha256=sha256, num_bytes=len(data))


def _with_views(rng: np.random.Generator) -> Descriptors:
    return Descriptors(
        video_id="v",
        timeline=make_timeline(3),
        features=unit_rows(6, rng),
        frame=np.repeat(np.arange(3, dtype=np.int32), 2),
        view=np.tile(np.array([0, 3], dtype=np.int16), 3),
        space=SPACE,
    )


def _with_black_frame() -> Descriptors:
    features = described("v").features.copy()
    features[2] = 0.0
    return Descriptors.from_frames("v", make_timeline(6), features, SPACE)


@pytest.mark.parametrize(
    "descriptors",
    [
        pytest.param(described("v"), id="one row a frame"),
        pytest.param(_with_views(np.random.default_rng(0)), id="several views of each frame"),
        pytest.param(_with_black_frame(), id="a frame without evidence"),
        pytest.param(Descriptors.empty("v", SPACE), id="no frame at all"),
    ],
)
def test_what_is_fetched_is_what_was_put(store, descriptors):
    file = store.put(descriptors)

    fetched = store.fetch(file, video_id="v")

    assert fetched.space == SPACE
    assert fetched.video_id == "v"
    assert descriptor_digest(fetched) == descriptor_digest(descriptors)


def test_equal_descriptors_are_one_file(store, tmp_path):
    first = store.put(described("v"))
    second = store.put(described("v"))

    assert first == second == descriptor_file_of(described("v"))
    assert [path.name for path in (tmp_path / "store").iterdir()] == [f"{first.sha256}.npz"]


def test_the_name_is_the_digest_of_the_bytes(store, tmp_path):
    file = store.put(described("v"))

    data = (tmp_path / "store" / file.uri).read_bytes()

    assert file.uri == f"{hashlib.sha256(data).hexdigest()}.npz"
    assert file.num_bytes == len(data)


def test_a_file_that_is_there_is_not_written_again(store, tmp_path):
    file = store.put(described("v"))
    before = (tmp_path / "store" / file.uri).stat()

    store.put(described("v"))

    assert (tmp_path / "store" / file.uri).stat().st_ino == before.st_ino


def test_a_damaged_file_that_is_there_is_replaced(store, tmp_path):
    file = store.put(described("v"))
    (tmp_path / "store" / file.uri).write_bytes(b"half of it")

    store.put(described("v"))

    assert store.holds(file)


def test_a_disk_that_is_full_at_any_step_leaves_a_whole_file_or_none(tmp_path):
    made = tmp_path / "made"
    made.write_bytes(b"whole" * 1000)
    num_failed = 0
    for k in range(1000):
        place = place_for(str(tmp_path / f"store-{k}"))
        place.make()
        countdown = Countdown(k, run_out_of_space)
        with before_each_step(countdown):
            try:
                place.put(made, "name")
            except TransientError:
                num_failed += 1
        if countdown.num_left >= 0:
            break
        left = {path.name: path.read_bytes() for path in (tmp_path / f"store-{k}").iterdir()}
        assert left in ({}, {"name": made.read_bytes()})
    assert num_failed >= 5


@pytest.mark.parametrize(
    "uri",
    [
        "../{sha256}.npz",
        "..\\{sha256}.npz",
        "{folder}/{sha256}.npz",
        "file://{folder}/{sha256}.npz",
        "https://example.com/{sha256}.npz",
        "s3://bucket/{sha256}.npz",
        "simplecache::https://example.com/{sha256}.npz",
        "./{sha256}.npz",
        "store/../{sha256}.npz",
        "{sha256}.npz\x00",
        "{sha256}.npz ",
        "{sha256}",
        "other.npz",
        "",
    ],
)
def test_no_message_leads_out_of_the_store(store, tmp_path, uri):
    file = store.put(described("v"))
    _planted(tmp_path, (tmp_path / "store" / file.uri).read_bytes())
    hostile = DescriptorFile(
        uri=uri.format(sha256=file.sha256, folder=tmp_path),
        sha256=file.sha256,
        num_bytes=file.num_bytes,
    )

    with pytest.raises(InputError, match="nothing else is read") as refusal:
        store.fetch(hostile, video_id="v")

    assert refusal.value.reason == "outside_store"


@pytest.mark.parametrize("sha256", ["../../etc/passwd", "a" * 63, "A" * 64, "a" * 64 + "\n", ""])
def test_a_digest_that_is_none_names_no_file(store, sha256):
    hostile = DescriptorFile(uri=f"{sha256}.npz", sha256=sha256, num_bytes=10)

    with pytest.raises(InputError, match="nothing else is read"):
        store.fetch(hostile, video_id="v")


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda data: data[:-1], id="cut off"),
        pytest.param(lambda data: data + b"x", id="longer"),
        pytest.param(lambda data: data[:200] + b"\xff" + data[201:], id="a byte flipped"),
        pytest.param(lambda data: b"", id="empty"),
    ],
)
def test_a_file_that_is_not_what_its_name_says_is_damaged(store, tmp_path, spoil):
    file = store.put(described("v"))
    path = tmp_path / "store" / file.uri
    path.write_bytes(spoil(path.read_bytes()))

    with pytest.raises(InputError, match="not those announced") as refusal:
        store.fetch(file, video_id="v")

    assert refusal.value.reason == "descriptor_file_damaged"


def test_a_file_of_another_size_than_announced_is_damaged(store):
    file = store.put(described("v"))
    shorter = DescriptorFile(uri=file.uri, sha256=file.sha256, num_bytes=file.num_bytes - 1)

    with pytest.raises(InputError, match="not those announced"):
        store.fetch(shorter, video_id="v")


def test_the_descriptors_of_another_video_are_refused(store):
    file = store.put(described("other"))

    with pytest.raises(InputError, match="wanted the descriptors of v, found other"):
        store.fetch(file, video_id="v")


def _bomb() -> bytes:
    """Hold a gigabyte of zeros in a megabyte: compressed arrays are loaded, not mapped."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("features.npy", bytes(10_000_000))
    return data.getvalue()


@pytest.mark.parametrize(
    ("data", "what"),
    [
        pytest.param(b"hello", "not a descriptor file", id="no archive"),
        pytest.param(_bomb(), "compressed", id="a decompression bomb"),
        pytest.param(b"", "not a descriptor file", id="nothing"),
    ],
)
def test_a_file_with_the_right_digest_can_still_be_damaged(store, tmp_path, data, what):
    file = _planted(tmp_path / "store", data)

    with pytest.raises(InputError, match=what) as refusal:
        store.fetch(file, video_id="v")

    assert refusal.value.reason == "descriptor_file_damaged"


def test_a_file_that_is_not_there_yet_may_come(store):
    store.put(described("v"))

    with pytest.raises(TransientError, match="found none of this name") as trouble:
        store.fetch(descriptor_file_of(described("later")), video_id="later")

    assert trouble.value.reason == "descriptor_file_missing"


def test_a_store_that_is_not_there_is_told_from_a_file_that_is_not(store):
    with pytest.raises(TransientError, match="store is not there") as trouble:
        store.fetch(descriptor_file_of(described("v")), video_id="v")

    assert trouble.value.reason == "descriptor_store_unreachable"


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    file = DescriptorStore(str(tmp_path)).put(described("v"))
    small = DescriptorStore(str(tmp_path), max_file_bytes=file.num_bytes - 1)

    for ask in (lambda: small.fetch(file, video_id="v"), lambda: small.put(described("v"))):
        with pytest.raises(InputError, match="takes at most") as refusal:
            ask()
        assert refusal.value.reason == "descriptor_file_too_large"


def test_an_address_of_fsspec_is_a_store_as_well():
    store = DescriptorStore("memory://descriptors/of/a/test")

    file = store.put(described("v"))

    assert store.holds(file)
    assert descriptor_digest(store.fetch(file, video_id="v")) == descriptor_digest(described("v"))
    with pytest.raises(TransientError, match="found none of this name"):
        store.fetch(descriptor_file_of(described("w")), video_id="w")


def test_a_file_address_is_a_folder(tmp_path):
    file = DescriptorStore((tmp_path / "a folder").as_uri()).put(described("v"))

    assert (tmp_path / "a folder" / file.uri).is_file()


def test_an_address_that_fsspec_does_not_know_is_refused_at_once():
    with pytest.raises(SetupError, match="no place for descriptor files"):
        DescriptorStore("nonsense://bucket/folder")


@pytest.mark.parametrize(
    ("setting", "address", "location"),
    [
        (None, "sqlite:/srv/bus.db", "/srv/bus.db.descriptors"),
        ("s3://bucket/d", "sqlite:bus.db", "s3://bucket/d"),
        ("/srv/d", "kafka:localhost:9092", "/srv/d"),
    ],
)
def test_the_store_lies_where_it_is_set_or_beside_the_log(setting, address, location):
    assert store_location(setting, address) == location


def test_a_log_without_a_folder_needs_the_setting():
    with pytest.raises(SetupError, match=r"--store, stream\.descriptor_store"):
        store_location(None, "kafka:localhost:9092")
