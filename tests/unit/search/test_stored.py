"""References as they lie on disk: nothing derived, nothing of others, no byte another one."""

from pathlib import Path

import numpy as np
import pytest

from tests.factories import SPACE, make_descriptors, make_video
from tests.unit.core.test_calibration import CALIBRATION
from vcd.core import Descriptors, Interval, SetupError
from vcd.search import (
    IndexCalibration,
    IndexWriter,
    change_calibration,
    descriptor_digest,
    open_stored,
    read_exact_manifest,
)
from vcd.search.shards import shard_path


@pytest.fixture
def refs(rng: np.random.Generator) -> dict[str, Descriptors]:
    return {"a": make_descriptors("a", 60, rng), "b": make_descriptors("b", 6, rng)}


@pytest.fixture
def index(tmp_path: Path, refs: dict[str, Descriptors]) -> Path:
    """Each reference in a shard of its own: the first is too large to be merged."""
    path = tmp_path / "refs.index"
    for name, descriptors in refs.items():
        with IndexWriter.open(path, space=SPACE, rate_hz=2.0, weights="test") as writer:
            writer.add(make_video(name), descriptors)
    return path


def shard_of(index: Path, name: str) -> Path:
    (shard,) = (ref.shard for ref in read_exact_manifest(index).refs if ref.video.id == name)
    return shard_path(index, shard)


def change_byte(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


def test_the_digest_of_what_is_on_disk_is_that_of_what_was_added(index, refs):
    stored = open_stored(index, read_exact_manifest(index), ["b"])

    assert stored.ref_ids == ("b",)
    assert descriptor_digest(stored.stored_descriptors("b")) == descriptor_digest(refs["b"])


def test_what_is_excluded_is_handed_out_as_zero(index):
    with IndexWriter.open(index, space=SPACE, rate_hz=2.0, weights="test") as writer:
        writer.exclude("a", [Interval(0.0, 1.0)])

    found = open_stored(index, read_exact_manifest(index), ["a"]).descriptors("a")

    assert found.is_informative.tolist() == [False, False] + 58 * [True]


def test_ids_that_are_not_there_are_passed_over(index):
    assert open_stored(index, read_exact_manifest(index), ["a", "z"]).ref_ids == ("a",)
    assert open_stored(index, read_exact_manifest(index), []).ref_ids == ()


def test_a_damaged_shard_counts_only_for_its_own_references(index):
    change_byte(shard_of(index, "a"), 200)
    manifest = read_exact_manifest(index)

    assert open_stored(index, manifest, ["b"]).ref_ids == ("b",)
    with pytest.raises(SetupError, match="damaged"):
        open_stored(index, manifest, ["a"])


def test_every_byte_of_the_manifest_counts(index):
    path = index / "manifest.json"
    data = path.read_bytes()
    for place in [*range(130), *range(130, len(data), 11), len(data) - 2, len(data) - 1]:
        for other in {data[place] ^ 1, ord(" "), ord("\t")} - {data[place]}:
            path.write_bytes(data[:place] + bytes([other]) + data[place + 1 :])
            with pytest.raises(SetupError):
                read_exact_manifest(index)


def test_every_byte_of_the_calibration_counts(index):
    change_calibration(index, lambda _: IndexCalibration(threshold=CALIBRATION))
    read_exact_manifest(index)
    path = index / "calibration.json"
    data = path.read_bytes()
    for place in range(0, len(data), 3):
        for other in (data[place] ^ 1, ord("\t")):
            path.write_bytes(data[:place] + bytes([other]) + data[place + 1 :])
            with pytest.raises(SetupError):
                read_exact_manifest(index)


def test_an_index_that_is_not_there_is_no_damage(tmp_path):
    with pytest.raises(SetupError, match="cannot be read") as caught:
        read_exact_manifest(tmp_path / "nothing")

    assert isinstance(caught.value.__cause__, OSError)
