"""Files that cannot be used, or not wholly: each is named with its reason."""

import os
import re
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from tests.clips import Clip, ListSink, collected, moving, numbered, request_for, write_clip
from vcd.core import InputError, Interval, total_length_s
from vcd.media import DecodePool, MediaSettings
from vcd.media.decode import sample_file

_H264 = Clip(suffix="mp4", codec="libx264", encoder={"g": "12", "bf": "2", "preset": "veryfast"})


@pytest.fixture(scope="module")
def pool():
    with DecodePool(MediaSettings(num_children=2)) as pool:
        yield pool


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> Path:
    path: Path = tmp_path_factory.mktemp("good") / "good.mp4"
    write_clip(path, _H264)
    return path


def _examine(pool, path: Path, **changes):
    batches, examinations = collected(pool.decode([request_for(path, **changes)]))
    return examinations[path.name], batches.get(path.name, [])


def _refusal(pool, path: Path) -> str:
    found, batches = _examine(pool, path)
    assert batches == []
    assert found.refused is not None
    assert str(path) in found.refused
    assert "\n" not in found.refused
    return str(found.refused)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(b"", "found an empty file", id="empty"),
        pytest.param(b"this is not a video\n" * 500, "found text", id="text"),
        pytest.param(b"\x13\x37" * 5000, "found bytes that begin 13 37", id="noise"),
        pytest.param(b"\0\0\0\x18ftypisom" + b"\0" * 5000, "readable mp4", id="header only"),
        pytest.param(b"GIF89a" + b"\0" * 500, "gif|decodable", id="empty gif"),
        pytest.param(b"\xff\xd8\xff\xe0" + b"\0" * 500, "jpeg image", id="broken jpeg"),
        pytest.param(b"\x1a\x45\xdf\xa3" + b"\xff" * 500, "matroska", id="broken matroska"),
    ],
)
def test_what_is_no_video_is_refused_with_what_was_found(pool, tmp_path, content, reason):
    path = tmp_path / "movie.mp4"
    path.write_bytes(content)

    assert re.search(reason, _refusal(pool, path))


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(
            "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{}\n#EXT-X-ENDLIST\n", id="HLS"
        ),
        pytest.param("ffconcat version 1.0\nfile '{}'\n", id="concat"),
        pytest.param(
            "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 5 RTP/AVP 96\n", id="SDP"
        ),
        pytest.param(
            '<?xml version="1.0"?><MPD profiles="urn:mpeg:dash:profile"><x>{}</x></MPD>', id="DASH"
        ),
    ],
)
@pytest.mark.parametrize("name", ["movie.mp4", "movie.m3u8"])
def test_a_script_that_names_another_file_is_refused_before_any_decoder(
    tmp_path, good, script, name, monkeypatch
):
    path = tmp_path / name
    path.write_text(script.format(good))
    monkeypatch.setattr(av, "open", _must_not_be_called)

    with pytest.raises(InputError, match="found text"):
        sample_file(request_for(path), MediaSettings(), ListSink())


@pytest.mark.parametrize("magic", [b"\0\0\0\x18ftypisom", b"\x1a\x45\xdf\xa3", b"RIFF\0\0\0\0AVI "])
def test_a_script_behind_a_good_head_opens_no_other_file(pool, tmp_path, good, magic):
    path = tmp_path / "polyglot.mp4"
    path.write_bytes(magic + f"\n#EXTM3U\n{good}\nffconcat version 1.0\nfile '{good}'\n".encode())

    _refusal(pool, path)


def _must_not_be_called(*_args, **_options):
    raise AssertionError("a decoder saw the file")


def test_a_missing_file_and_a_directory_are_refused(pool, tmp_path):
    assert "No such file" in _refusal(pool, tmp_path / "missing.mp4")
    assert "no regular file" in _refusal(pool, tmp_path)
    os.mkfifo(tmp_path / "pipe.mp4")
    assert "no regular file" in _refusal(pool, tmp_path / "pipe.mp4")


def test_an_unreadable_file_is_refused(tmp_path, good):
    """Root may read everything, so the reading is done as somebody else."""
    path = tmp_path / "secret.mp4"
    path.write_bytes(good.read_bytes())
    path.chmod(0)
    for parent in [tmp_path, *tmp_path.parents[:2]]:  # pytest's own, closed to others
        parent.chmod(parent.stat().st_mode | 0o011)
    program = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from vcd.media.fetch import digest_file\n"
        "from vcd.media.probe import read_head\n"
        "if os.geteuid() == 0: os.setuid(65534)\n"
        "for read in (digest_file, read_head):\n"
        "    try: read(Path(sys.argv[1]))\n"
        "    except Exception as error: print(type(error).__name__, error)\n"
    )

    told = subprocess.run(
        [sys.executable, "-c", program, str(path)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    ).stdout.splitlines()

    assert len(told) == 2
    assert all(line.startswith(f"InputError {path}: wanted a readable file") for line in told)


def test_audio_alone_is_refused_as_such(pool, tmp_path):
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=48000, layout="mono")
        for first in range(0, 48000, 1024):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            frame.rate, frame.pts = 48000, first
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))

    assert "1 audio and no video" in _refusal(pool, path)


def test_a_title_that_is_no_utf8_is_no_hindrance(pool, tmp_path, good):
    path = tmp_path / "title.mp4"
    path.write_bytes(good.read_bytes().replace(b"Lavf", b"L\xe4vf"))

    assert _examine(pool, path)[0].refused is None


def test_an_unknown_codec_is_refused_as_such(pool, tmp_path, good):
    path = tmp_path / "strange.mp4"
    path.write_bytes(good.read_bytes().replace(b"avc1", b"zzz9").replace(b"avcC", b"zzzC"))

    assert "one of an unknown codec" in _refusal(pool, path)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "webm", "gif", "png"])
def test_a_picture_wider_than_the_limit_is_refused(pool, tmp_path, suffix):
    path = tmp_path / f"wide.{suffix}"
    picture = moving(0, width=16000, height=64)
    if suffix in ("gif", "png"):
        Image.fromarray(picture).save(path)
    else:
        codec = "libvpx-vp9" if suffix == "webm" else "libx264"
        clip = Clip(suffix=suffix, codec=codec, width=16000, height=64)
        write_clip(path, clip, [picture] * 3)

    assert "at most 8192 px a side, found 16000 x 64" in _refusal(pool, path)


def test_a_bomb_of_an_image_is_refused(pool, tmp_path):
    path = tmp_path / "bomb.png"
    header = b"IHDR" + struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk + b"\0\0\0\0IDAT" * 9)

    assert "decompression bomb" in _refusal(pool, path)


def test_no_frame_is_refused_and_one_frame_is_enough(pool, tmp_path):
    write_clip(tmp_path / "none.mp4", _H264, [])
    write_clip(tmp_path / "one.mp4", _H264, [numbered(5)])

    _refusal(pool, tmp_path / "none.mp4")
    found, batches = _examine(pool, tmp_path / "one.mp4")

    assert [len(batch) for batch in batches] == [1]
    assert found.examined == (Interval(0.0, found.video.duration_s),)
    assert found.video.duration_s == pytest.approx(0.04, abs=0.02)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "bmp", "gif", "tiff"])
def test_an_image_is_a_video_of_one_frame_and_no_length(pool, tmp_path, suffix):
    path = tmp_path / f"photo.{suffix}"
    Image.fromarray(numbered(9)).save(path)

    found, (batch,) = _examine(pool, path, rate_hz=2.0, max_short_edge_px=120)

    assert found.video.duration_s == 0.0
    assert (found.video.width_px, found.video.height_px) == (320, 240)
    assert found.examined == (Interval(0.0, 0.5),)
    assert found.skipped == ()
    assert batch.pixels_THWC.shape == (1, 120, 160, 3)
    expected = np.asarray(
        Image.fromarray(numbered(9)).resize((160, 120), Image.Resampling.BILINEAR)
    )
    assert np.abs(batch.pixels_THWC[0].astype(int) - expected).mean() < 12.0


def test_an_image_is_turned_as_its_exif_says(pool, tmp_path):
    path = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(numbered(9)).save(path, exif=exif, quality=95)

    found, (batch,) = _examine(pool, path, max_short_edge_px=999)

    assert (found.video.width_px, found.video.height_px) == (240, 320)
    expected = np.rot90(numbered(9), k=-1)
    assert np.abs(batch.pixels_THWC[0].astype(int) - expected).mean() < 8.0


@pytest.mark.parametrize("has_sound", [False, True])
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_truncated_file_is_examined_as_far_as_it_goes(pool, tmp_path, suffix, has_sound):
    whole = tmp_path / f"whole.{suffix}"
    clip = Clip(
        suffix=suffix,
        codec="libx264",
        num_frames=200,
        muxer={"movflags": "faststart"} if suffix == "mp4" else {},
        encoder={"g": "10", "preset": "veryfast"},
        has_sound=has_sound,
    )
    write_clip(whole, clip)
    path = tmp_path / f"cut.{suffix}"
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])

    found, batches = _examine(pool, path)

    assert found.refused is None
    assert found.decoder == "pyav"
    assert found.video.duration_s == pytest.approx(8.0, abs=0.1)
    assert 1.0 < total_length_s(found.examined) < 7.0
    assert [part.reason for part in found.skipped] == ["undecodable"]
    assert found.skipped[0].interval.end_s == pytest.approx(8.0, abs=0.1)
    assert sum(len(batch) for batch in batches) == round(total_length_s(found.examined) * 7.3)


def test_a_damaged_stretch_is_named_and_the_rest_examined(pool, tmp_path):
    whole = tmp_path / "whole.mkv"
    write_clip(
        whole, Clip(suffix="mkv", codec="libx264", num_frames=250, encoder={"g": "25", "bf": "0"})
    )
    damaged = bytearray(whole.read_bytes())
    positions = _packet_positions(whole)
    for first, size in positions[75:125]:
        damaged[first + 8 : first + size] = b"\xff" * (size - 8)
    path = tmp_path / "damaged.mkv"
    path.write_bytes(damaged)

    found, batches = _examine(pool, path, rate_hz=5.0)

    assert found.refused is None
    covered_s = total_length_s([*found.examined, *[part.interval for part in found.skipped]])
    assert covered_s == pytest.approx(10.0, abs=0.05)
    assert {part.reason for part in found.skipped} == {"undecodable"}
    lost_s = total_length_s([part.interval for part in found.skipped])
    assert 1.0 <= lost_s <= 3.0
    starts = np.concatenate([batch.timeline.start_s for batch in batches])
    assert not ((starts > 3.3) & (starts < 4.5)).any()
    assert (np.diff(starts) > 0.0).all()


def _packet_positions(path: Path) -> list[tuple[int, int]]:
    with av.open(str(path)) as container:
        data = path.read_bytes()
        packets = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    return [(data.index(packet), len(packet)) for packet in packets]


@pytest.mark.parametrize("decoder", ["auto", "pyav"])
@pytest.mark.parametrize(
    ("limit", "limit_s"), [({"max_duration_s": 1.5}, 1.5), ({"max_source_frames": 30}, 1.2)]
)
def test_what_is_over_a_limit_is_named(good, decoder, limit, limit_s):
    sink = ListSink()
    settings = MediaSettings(decoder=decoder, **limit)

    found = sample_file(request_for(good, rate_hz=10.0), settings, sink)

    assert found.video is not None
    assert found.video.duration_s == pytest.approx(3.0, abs=0.01)
    assert len(found.examined) == 1
    assert found.examined[0].end_s == pytest.approx(limit_s, abs=0.11)
    assert [part.reason for part in found.skipped] == ["over_limit"]
    assert len(sink.times) == round(found.examined[0].end_s * 10)


def test_a_stretch_behind_the_end_has_no_samples(pool, good):
    found, batches = _examine(pool, good, interval=Interval(50.0, 51.0))

    assert batches == []
    assert found.refused is None
    assert found.examined == ()


def test_a_cover_is_not_the_movie(pool, tmp_path):
    path = tmp_path / "two.mkv"
    with av.open(str(path), "w") as container:
        still = container.add_stream("mjpeg", rate=1)
        still.width, still.height, still.pix_fmt = 640, 480, "yuvj420p"
        movie = container.add_stream("libx264", rate=25)
        movie.width, movie.height, movie.pix_fmt = 320, 240, "yuv420p"
        still.disposition = av.stream.Disposition.attached_pic
        cover = av.VideoFrame.from_ndarray(moving(1, width=640, height=480), format="rgb24")
        container.mux(still.encode(cover))
        for number in range(50):
            container.mux(
                movie.encode(av.VideoFrame.from_ndarray(numbered(number), format="rgb24"))
            )
        container.mux(movie.encode(None))

    found, batches = _examine(pool, path)

    assert found.video.width_px == 320
    assert sum(len(batch) for batch in batches) == 15
