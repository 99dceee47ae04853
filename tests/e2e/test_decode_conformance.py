"""Every container and codec that can be made here: the sampled frame is the one on screen.

The table is the one in docs/design/media.md; a format goes to decord only if
it stands here as ``decord`` and passes.
"""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from tests.clips import Clip, number_in, sampled, write_clip, write_with_edit_list
from vcd.core import Interval
from vcd.media import MediaSettings

pytestmark = pytest.mark.media

_B = {"g": "12", "bf": "2"}
_X264 = {"preset": "veryfast", "crf": "18"}
_OPEN = _X264 | {"x264-params": "open-gop=1:keyint=12:min-keyint=12:bframes=3:scenecut=0"}
_PYRAMID = _X264 | {"x264-params": "keyint=250:bframes=8:b-pyramid=normal:b-adapt=2:ref=4"}
_X265 = {"preset": "ultrafast", "x265-params": "log-level=none:keyint=12:bframes=3"}
_X265_OPEN = {"preset": "ultrafast", "x265-params": "log-level=none:open-gop=1:keyint=12:bframes=4"}
_VP8 = {
    "deadline": "good",
    "cpu-used": "5",
    "auto-alt-ref": "1",
    "lag-in-frames": "16",
    "b": "900k",
}
_VP9 = _VP8 | {"row-mt": "0", "tile-columns": "0"}
_VP9_LIVE = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0", "b": "900k"}
_UNEVEN = tuple(
    float(time)
    for time in np.cumsum([0.0] + [0.017, 0.4, 0.05, 0.9, 0.033, 0.033, 0.2, 0.61, 0.1] * 6)
)
_VARIABLE: dict[str, Any] = {"times_s": _UNEVEN, "num_frames": len(_UNEVEN)}

CLIPS = {
    "h264-mp4": (Clip(suffix="mp4", codec="libx264", encoder=_X264 | _B), "decord"),
    "h264-open-gop-mp4": (Clip(suffix="mp4", codec="libx264", encoder=_OPEN), "decord"),
    "h264-pyramid-mp4": (Clip(suffix="mp4", codec="libx264", encoder=_PYRAMID), "decord"),
    "h264-open-gop-mkv": (Clip(suffix="mkv", codec="libx264", encoder=_OPEN), "decord"),
    "h264-mov": (Clip(suffix="mov", codec="libx264", encoder=_X264 | _B), "decord"),
    "h264-sound-mp4": (
        Clip(suffix="mp4", codec="libx264", encoder=_X264 | _B, has_sound=True),
        "decord",
    ),
    "h264-faststart-mp4": (
        Clip(suffix="mp4", codec="libx264", encoder=_X264 | _B, muxer={"movflags": "faststart"}),
        "decord",
    ),
    "h264-fragmented-mp4": (
        Clip(
            suffix="mp4",
            codec="libx264",
            encoder=_X264 | {"bf": "0", "g": "12"},
            muxer={"movflags": "frag_keyframe+empty_moov"},
        ),
        None,
    ),
    "h264-10bit-mp4": (
        Clip(suffix="mp4", codec="libx264", pixel_format="yuv420p10le", encoder=_X264 | _B),
        "decord",
    ),
    "h264-odd-mp4": (
        Clip(suffix="mp4", codec="libx264", pixel_format="yuv444p", width=321, height=241),
        "decord",
    ),
    "h264-interlaced-mp4": (
        Clip(suffix="mp4", codec="libx264", encoder=_X264 | {"flags": "+ildct+ilme"} | _B),
        "decord",
    ),
    "h264-variable-mp4": (
        Clip(suffix="mp4", codec="libx264", encoder=_X264 | _B, **_VARIABLE),
        "decord",
    ),
    "h264-variable-mkv": (
        Clip(suffix="mkv", codec="libx264", encoder=_X264 | _B, **_VARIABLE),
        "decord",
    ),
    "h264-slow-mp4": (Clip(suffix="mp4", codec="libx264", rate_hz=1, num_frames=9), "decord"),
    "h264-fast-mp4": (
        Clip(suffix="mp4", codec="libx264", rate_hz=120, num_frames=250, encoder=_X264 | _B),
        "decord",
    ),
    "h264-ts": (Clip(suffix="ts", codec="libx264", encoder=_X264 | _B), "pyav"),
    "h264-long-gop-ts": (
        Clip(suffix="ts", codec="libx264", encoder=_X264 | {"g": "250", "bf": "3"}),
        "pyav",
    ),
    "h264-open-gop-ts": (Clip(suffix="ts", codec="libx264", encoder=_OPEN), "pyav"),
    "h264-avi": (Clip(suffix="avi", codec="libx264", encoder=_X264 | _B), "pyav"),
    "h264-flv": (Clip(suffix="flv", codec="libx264", encoder=_X264 | _B), "pyav"),
    "h264-raw": (Clip(suffix="h264", codec="libx264", encoder=_X264 | _B), "pyav"),
    "hevc-mp4": (Clip(suffix="mp4", codec="libx265", encoder=_X265), "decord"),
    "hevc-open-gop-mp4": (Clip(suffix="mp4", codec="libx265", encoder=_X265_OPEN), "decord"),
    "hevc-open-gop-mkv": (Clip(suffix="mkv", codec="libx265", encoder=_X265_OPEN), "decord"),
    "hevc-10bit-mp4": (
        Clip(suffix="mp4", codec="libx265", pixel_format="yuv420p10le", encoder=_X265),
        "decord",
    ),
    "hevc-ts": (Clip(suffix="ts", codec="libx265", encoder=_X265), "pyav"),
    "vp8-webm": (Clip(suffix="webm", codec="libvpx", encoder=_VP8), "decord"),
    "vp8-variable-webm": (Clip(suffix="webm", codec="libvpx", encoder=_VP8, **_VARIABLE), "decord"),
    "vp9-webm": (Clip(suffix="webm", codec="libvpx-vp9", encoder=_VP9), "decord"),
    "vp9-live-webm": (Clip(suffix="webm", codec="libvpx-vp9", encoder=_VP9_LIVE), "decord"),
    "vp9-mp4": (Clip(suffix="mp4", codec="libvpx-vp9", encoder=_VP9), "decord"),
    "vp9-variable-webm": (
        Clip(suffix="webm", codec="libvpx-vp9", encoder=_VP9, **_VARIABLE),
        "decord",
    ),
    "av1-mp4": (Clip(suffix="mp4", codec="libsvtav1", encoder={"preset": "8"}), "pyav"),
    "av1-webm": (Clip(suffix="webm", codec="libsvtav1", encoder={"preset": "8"}), "pyav"),
    "mpeg4-mp4": (Clip(suffix="mp4", codec="mpeg4", encoder=_B | {"b": "2M"}), "pyav"),
    "mpeg4-avi": (Clip(suffix="avi", codec="mpeg4", encoder=_B | {"b": "2M"}), "pyav"),
    "mpeg2-ts": (Clip(suffix="ts", codec="mpeg2video", encoder=_B | {"b": "3M"}), "pyav"),
    "mpeg2-mpg": (Clip(suffix="mpg", codec="mpeg2video", encoder=_B | {"b": "3M"}), "pyav"),
    "mpeg1-mpg": (Clip(suffix="mpg", codec="mpeg1video", encoder=_B | {"b": "3M"}), "pyav"),
    "wmv2-wmv": (Clip(suffix="wmv", codec="wmv2", encoder={"b": "2M"}), "pyav"),
    "msmpeg4-avi": (Clip(suffix="avi", codec="msmpeg4v2", encoder={"b": "2M"}), "pyav"),
    "flv1-flv": (Clip(suffix="flv", codec="flv", encoder={"b": "2M"}), "pyav"),
    "mjpeg-avi": (Clip(suffix="avi", codec="mjpeg", pixel_format="yuvj420p"), "pyav"),
    "mjpeg-mov": (Clip(suffix="mov", codec="mjpeg", pixel_format="yuvj420p"), "pyav"),
    "prores-mov": (Clip(suffix="mov", codec="prores_ks", pixel_format="yuv422p10le"), "pyav"),
    "ffv1-mkv": (Clip(suffix="mkv", codec="ffv1"), "pyav"),
    "vp8-ivf": (Clip(suffix="ivf", codec="libvpx", encoder=_VP8), "pyav"),
    "gif": (Clip(suffix="gif", codec="gif", pixel_format="rgb8"), "pyav"),
    "variable-gif": (
        Clip(
            suffix="gif",
            codec="gif",
            pixel_format="rgb8",
            times_s=[round(time, 1) for time in np.cumsum([0.0, 0.5, 0.2, 1.1, 0.3, 0.7, 0.4])],
            num_frames=7,
        ),
        "pyav",
    ),
    "apng": (Clip(suffix="apng", codec="apng", pixel_format="rgb24", num_frames=30), "pyav"),
    "animated-webp": (
        Clip(suffix="webp", codec="libwebp_anim", num_frames=30, rate_hz=20),
        "pillow",
    ),
    "h264-wide-pixels-mp4": (
        Clip(suffix="mp4", codec="libx264", encoder=_X264, pixel_aspect=Fraction(2)),
        "decord",
    ),
}


@pytest.fixture(scope="module")
def file_of(tmp_path_factory):
    """Write each clip once."""
    folder = tmp_path_factory.mktemp("clips")

    def path_of(name: str):
        clip, _ = CLIPS[name]
        path = folder / f"{name}.{clip.suffix}"
        if not path.exists():
            write_clip(path, clip)
        return path

    return path_of


def assert_on_screen(found, sink, clip: Clip, *, rate_hz: float = 7.3) -> None:
    """Compare every sample with the frames that may be on screen in the middle of its cell."""
    shown_s = clip.shown_s
    for (start_s, _), picture in zip(sink.times, sink.pictures, strict=True):
        instant_s = start_s + 0.5 / rate_hz
        near = [np.searchsorted(shown_s, instant_s + slack, "right") - 1 for slack in (-2e-3, 2e-3)]
        assert number_in(picture) in near, f"at {instant_s:.3f} s ({found.decoder})"
    num_expected = (shown_s[-1] + 0.5 / clip.rate_hz) * rate_hz
    assert abs(len(sink.times) - num_expected) < 1.5 + rate_hz / clip.rate_hz
    assert sink.times[-1][1] == pytest.approx(found.video.duration_s)


@pytest.mark.parametrize("name", CLIPS)
def test_sampled_frame_is_on_screen_at_its_time(file_of, name):
    clip, decoder = CLIPS[name]

    found, sink = sampled(file_of(name))

    assert found.refused is None
    assert found.skipped == ()
    assert found.decoder == decoder or decoder is None
    assert_on_screen(found, sink, clip)
    assert found.examined == (Interval(0.0, found.video.duration_s),)


@pytest.mark.parametrize(
    "name", [name for name, (_, decoder) in CLIPS.items() if decoder == "decord"]
)
def test_both_decoders_give_the_same_samples(file_of, name):
    path = file_of(name)

    by_decord, decord_sink = sampled(path, rate_hz=3.0)
    by_pyav, pyav_sink = sampled(path, MediaSettings(decoder="pyav"), rate_hz=3.0)

    assert (by_decord.decoder, by_pyav.decoder) == ("decord", "pyav")
    starts = [start_s for start_s, _ in pyav_sink.times]
    assert [start_s for start_s, _ in decord_sink.times] == starts
    assert by_decord.video.duration_s == pytest.approx(by_pyav.video.duration_s, abs=0.05)
    for one, other in zip(decord_sink.pictures, pyav_sink.pictures, strict=True):
        assert one.shape == other.shape
        assert np.abs(one.astype(int) - other).mean() < 6.0


@pytest.mark.parametrize("skipped_s", [0.52, 1.0])
def test_an_edit_list_is_obeyed(tmp_path, skipped_s):
    clip = Clip(suffix="mp4", codec="libx264", encoder=_X264 | {"g": "50", "bf": "2"})
    write_clip(tmp_path / "whole.mp4", clip)
    write_with_edit_list(tmp_path / "whole.mp4", tmp_path / "edited.mp4", skipped_s=skipped_s)

    found, sink = sampled(tmp_path / "edited.mp4", rate_hz=6.0)

    assert found.decoder == "pyav"
    first = round(skipped_s * 25)
    expected = [first + int((start_s + 0.5 / 6.0) * 25) for start_s, _ in sink.times]
    assert [number_in(picture) for picture in sink.pictures] == expected
    assert found.video.duration_s == pytest.approx(3.0 - skipped_s, abs=0.05)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("suffix", ["mp4", "mov"])
def test_a_turned_video_is_shown_upright(tmp_path, suffix, degrees, mirrored):
    upright = np.zeros((240, 320, 3), np.uint8)
    upright[:80, :107] = (255, 0, 0)
    upright[:80, 213:] = (0, 255, 0)
    upright[160:, :107] = (0, 0, 255)
    clip = Clip(suffix=suffix, codec="libx264", rotation=(float(degrees), mirrored))
    path = tmp_path / f"turned.{suffix}"
    write_clip(path, clip, [upright] * 10)

    found, sink = sampled(path, max_short_edge_px=240)

    seen = sink.pictures[0]
    assert (found.video.width_px, found.video.height_px) == seen.shape[1::-1]
    assert found.decoder == ("pyav" if mirrored else "decord")
    expected = np.rot90(upright, k=degrees // 90)
    expected = expected[:, ::-1] if mirrored else expected
    assert seen.shape == expected.shape
    assert np.abs(seen.astype(int) - expected).mean() < 8.0


@pytest.mark.parametrize("name", ["h264-open-gop-mp4", "vp9-webm", "h264-ts", "h264-avi", "gif"])
def test_a_stretch_has_the_samples_of_the_whole(file_of, name):
    path = file_of(name)
    whole_found, whole = sampled(path, MediaSettings(decoder="pyav"), rate_hz=8.0)

    found, part = sampled(path, rate_hz=8.0, interval=Interval(1.51, 2.26))

    expected = [ordinal for ordinal in range(24) if 1.51 <= (ordinal + 0.5) / 8.0 < 2.26]
    assert part.times == [whole.times[ordinal] for ordinal in expected]
    assert [number_in(picture) for picture in part.pictures] == [
        number_in(whole.pictures[ordinal]) for ordinal in expected
    ]
    assert found.skipped == ()
    assert found.examined == (Interval(part.times[0][0], part.times[-1][1]),)
    assert found.video.duration_s == pytest.approx(whole_found.video.duration_s, abs=0.1)


def test_wide_pixels_are_made_square(file_of):
    found, sink = sampled(file_of("h264-wide-pixels-mp4"))

    assert (found.video.width_px, found.video.height_px) == (640, 240)
    assert sink.pictures[0].shape == (160, 427, 3)
