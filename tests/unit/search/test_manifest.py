"""The table of contents names what it holds, and notices damage."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.factories import SPACE, make_descriptors, make_video
from vcd.core import Interval, SetupError, Skipped
from vcd.search import descriptor_digest, index_version
from vcd.search.manifest import (
    Manifest,
    RefEntry,
    ShardEntry,
    manifest_bytes,
    parse_manifest,
)

PATH = Path("manifest.json")


def make_manifest() -> Manifest:
    ref = RefEntry(
        video=make_video("r"),
        digest="d" * 64,
        shard="s" * 64,
        row_first=2,
        num_rows=3,
        frame_first=1,
        num_frames=3,
        excluded=(Interval(1, 2),),
        skipped=(Skipped(interval=Interval(0.1, 0.3), reason="undecodable"),),
    )
    shard = ShardEntry(digest="s" * 64, num_bytes=100, num_rows=5, num_frames=4)
    return Manifest(
        space=SPACE, weights="w", rate_hz=2.0, factory="Flat", shards=(shard,), refs=(ref,)
    )


def test_a_manifest_is_read_back_as_it_was_written():
    manifest = make_manifest()

    assert parse_manifest(manifest_bytes(manifest), PATH) == manifest


def test_it_is_plain_json():
    document = json.loads(manifest_bytes(make_manifest()))

    assert document["format"] == "vcd index"
    assert document["body"]["refs"][0]["video"][0] == "r"


def test_every_changed_byte_of_the_body_is_noticed():
    data = manifest_bytes(make_manifest())
    start = data.index(b'"body":') + len(b'"body":')

    for place in range(start, len(data) - 2, 7):
        damaged = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
        with pytest.raises(SetupError, match=r"manifest\.json: .* is damaged"):
            parse_manifest(damaged, PATH)


@pytest.mark.parametrize("length", [0, 10, 60, 150, -3])
def test_a_cut_manifest_is_refused(length):
    with pytest.raises(SetupError, match=r"something else|damaged"):
        parse_manifest(manifest_bytes(make_manifest())[:length], PATH)


def test_a_newer_format_is_named():
    data = manifest_bytes(make_manifest()).replace(b'"format_version": 1', b'"format_version": 9')

    with pytest.raises(SetupError, match=r"format 9, this version of vcd reads format 1"):
        parse_manifest(data, PATH)


@pytest.mark.parametrize("data", [b"", b"\x00\xff", b"[]", b'{"a": 1}', b"null"])
def test_another_file_is_refused(data):
    with pytest.raises(SetupError, match="wanted the manifest of a vcd index"):
        parse_manifest(data, PATH)


def test_a_reference_outside_its_shard_cannot_be_listed():
    manifest = make_manifest()

    with pytest.raises(ValueError, match="r: its rows are not in any shard"):
        replace(manifest, refs=(replace(manifest.refs[0], row_first=3),))


def test_the_version_does_not_know_the_order():
    refs = [("a", "1", ()), ("b", "2", (Interval(0, 1), Interval(2, 3)))]
    mixed = [("b", "2", (Interval(2.0, 3.0), Interval(0.0, 1.0))), ("a", "1", ())]

    assert index_version(SPACE, refs) == index_version(SPACE, mixed)


@pytest.mark.parametrize(
    "refs",
    [
        pytest.param([("a", "1", ())], id="one less"),
        pytest.param([("a", "2", ()), ("b", "1", ())], id="swapped"),
        pytest.param([("a", "1", (Interval(0, 1),)), ("b", "2", ())], id="excluded"),
    ],
)
def test_the_version_knows_the_contents(refs):
    assert index_version(SPACE, refs) != index_version(SPACE, [("a", "1", ()), ("b", "2", ())])


def test_the_version_knows_the_space():
    assert index_version(SPACE, []) != index_version(replace(SPACE, fingerprint="x"), [])


def test_the_digest_knows_features_times_frames_and_views_but_not_the_id(rng):
    ref = make_descriptors("r", 4, rng)
    later = make_descriptors("r", 4, rng, rate_hz=1.0)
    others = [
        replace(ref, features=-ref.features),
        replace(ref, timeline=later.timeline),
        replace(ref, frame=ref.frame - (ref.frame == 3)),
        replace(ref, view=ref.view + 1),
    ]

    digests = {descriptor_digest(each) for each in others}

    assert len(digests) == 4
    assert descriptor_digest(ref) not in digests
    assert descriptor_digest(replace(ref, video_id="other")) == descriptor_digest(ref)
