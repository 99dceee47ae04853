import hashlib

import av
import numpy as np
import pytest

from vcd.core import InputError, Interval, SetupError
from vcd.evidence.previews import write_preview


def _flat(level, height=40, width=64):
    return np.full((height, width, 3), level, dtype=np.uint8)


def _levels(path):
    with av.open(str(path)) as container:
        frames = container.decode(video=0)
        return [(float(f.time or 0), int(f.to_ndarray(format="rgb24").mean())) for f in frames]


def test_a_clip_is_vp9_in_webm_that_begins_where_its_stretch_does(tmp_path):
    path = tmp_path / "c.webm"

    preview = write_preview(
        path, [(20 + i, _flat(40 * i)) for i in range(5)], rate_hz=10.0, max_height_px=360
    )

    with av.open(str(path)) as container:
        assert container.format.name == "matroska,webm"
        assert [stream.codec_context.name for stream in container.streams] == ["vp9"]
    assert [time_s for time_s, _ in _levels(path)] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    assert [level for _, level in _levels(path)] == pytest.approx([0, 40, 80, 120, 160], abs=8)
    assert preview.interval == Interval(2.0, 2.5)
    assert (preview.width_px, preview.height_px) == (64, 40)
    assert preview.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_picture_before_a_hole_stays_on_screen(tmp_path):
    path = tmp_path / "c.webm"

    preview = write_preview(
        path, [(3, _flat(20)), (6, _flat(200))], rate_hz=10.0, max_height_px=360
    )

    assert [level for _, level in _levels(path)] == pytest.approx([20, 20, 20, 200], abs=8)
    assert preview.interval == Interval(0.3, 0.7)


@pytest.mark.parametrize(
    ("size", "clip"),
    [
        pytest.param((640, 480), (160, 120), id="made smaller"),
        pytest.param((65, 41), (64, 40), id="both sides even"),
        pytest.param((1, 1), (2, 2), id="one pixel"),
        pytest.param((600, 1), (480, 2), id="a line"),
    ],
)
def test_a_clip_is_as_high_as_asked_for_at_most(size, clip, tmp_path):
    frames = [(0, _flat(90, size[1], size[0]))]

    preview = write_preview(tmp_path / "c.webm", frames, rate_hz=10.0, max_height_px=120)

    assert (preview.width_px, preview.height_px) == clip
    with av.open(str(tmp_path / "c.webm")) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == clip


def test_pictures_that_change_their_size_become_one_clip(tmp_path):
    frames = [(0, _flat(90)), (1, _flat(90, 80, 128))]

    preview = write_preview(tmp_path / "c.webm", frames, rate_hz=10.0, max_height_px=120)

    assert (preview.width_px, preview.height_px) == (64, 40)
    assert len(_levels(tmp_path / "c.webm")) == 2


def test_equal_pictures_are_equal_clips(tmp_path):
    for name in ("a.webm", "b.webm"):
        frames = [(i, _flat(9 * i)) for i in range(12)]
        write_preview(tmp_path / name, frames, rate_hz=10.0, max_height_px=120)

    assert (tmp_path / "a.webm").read_bytes() == (tmp_path / "b.webm").read_bytes()


def test_a_clip_of_nothing_is_refused(tmp_path):
    with pytest.raises(InputError, match="found no frame"):
        write_preview(tmp_path / "c.webm", [], rate_hz=10.0, max_height_px=120)


def test_a_clip_that_cannot_be_written_is_our_fault(tmp_path):
    with pytest.raises(SetupError, match="wanted to write it with libvpx-vp9"):
        write_preview(
            tmp_path / "nowhere" / "c.webm", [(0, _flat(1))], rate_hz=10.0, max_height_px=120
        )
