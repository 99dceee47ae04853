"""What a file is by its first bytes, and which decoder it goes to."""

from fractions import Fraction
from typing import Any

import pytest

from vcd.media.orientation import Orientation
from vcd.media.probe import Container, StreamFacts, best_decoder, sniff

_PLAIN_HEAD = b"\0\0\0\x18ftypisom" + b"\0" * 100


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\0\0\0\x18ftypisom\0\0\2\0", "mp4"),
        (b"\0\0\0\x08wide\0\0\0\0mdat", "mp4"),
        (b"\x1a\x45\xdf\xa3\x01\0\0\0", "matroska"),
        (b"RIFF\0\0\0\0AVI LIST", "avi"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "webp"),
        (b"RIFF\0\0\0\0WAVEfmt ", None),
        ((b"G" + b"\0" * 187) * 6, "mpegts"),
        ((b"\0\0\0\0G" + b"\0" * 187) * 6, "mpegts"),
        (b"\0" * 70 + (b"G" + b"\0" * 187) * 6, "mpegts"),
        (b"\0\0\x01\xba\x44\0", "mpeg"),
        (b"\0\0\x01\xb3\x14\0", "mpegvideo"),
        (b"\0\0\0\x01\x67\x42\0\x1e", "h264"),
        (b"\0\0\0\x01\x40\x01\x0c\x01", "hevc"),
        (b"FLV\x01\x05", "flv"),
        (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6", "asf"),
        (b"OggS\0\x02", "ogg"),
        (b"GIF89a\x01\0", "gif"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "png"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + b"\0" * 17 + b"\0\0\0\x08acTL", "apng"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "jpeg"),
        (b"#EXTM3U\n#EXTINF:9,\na.ts\n", None),
        (b"ffconcat version 1.0\nfile 'a.mp4'\n", None),
        (b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\n", None),
        (b"<?xml version='1.0'?><MPD/>", None),
        (b"G" * 50, None),
        (b"ftypisom", None),
        (b"", None),
    ],
)
def test_the_first_bytes_name_the_container(head, name):
    assert sniff(head) == name


@pytest.mark.parametrize(
    ("changes", "decoder"),
    [
        pytest.param({}, "decord", id="plain"),
        pytest.param({"codec": "av1"}, "pyav", id="codec that decord lacks"),
        pytest.param({"has_edit_list": True}, "pyav", id="edit list"),
        pytest.param({"orientation": Orientation(is_flipped_x=True)}, "pyav", id="mirrored"),
        pytest.param(
            {"orientation": Orientation(is_flipped_x=True, is_flipped_y=True)},
            "decord",
            id="upside down",
        ),
    ],
)
def test_decord_gets_only_what_it_is_right_on(changes, decoder):
    container = Container(name="mp4", demuxer="mov", decord_codecs=frozenset({"h264"}))

    assert best_decoder(container, _facts(**changes), head=_PLAIN_HEAD) == decoder


def test_decord_gets_no_file_that_text_could_be_read_from():
    container = Container(name="matroska", demuxer="matroska", decord_codecs=frozenset({"h264"}))
    head = b"\x1a\x45\xdf\xa3" + b"<?xml <MPD dash:profile" * 20

    assert best_decoder(container, _facts(), head=head) == "pyav"


def test_the_shown_size_has_square_pixels_and_is_turned():
    facts = _facts(pixel_aspect=Fraction(4, 3), orientation=Orientation(is_transposed=True))

    assert facts.shown_size() == (576, 960)


def _facts(**changes):
    values: dict[str, Any] = {
        "codec": "h264",
        "coded_size": (720, 576),
        "pixel_aspect": Fraction(1),
        "orientation": Orientation(),
        "nominal_frame_s": 0.04,
        "claimed_duration_s": None,
        "rough_duration_s": None,
        "first_pts_s": 0.0,
        "has_edit_list": False,
    }
    return StreamFacts(**(values | changes))
