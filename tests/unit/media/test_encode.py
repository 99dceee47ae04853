"""Videos that we write ourselves."""

import os

import av
import numpy as np
import pytest

from vcd.core import SetupError
from vcd.media import write_video


def _frames(num_frames, *, height=48, width=64):
    return (np.full((height, width, 3), 9 * n, np.uint8) for n in range(num_frames))


@pytest.mark.parametrize(
    ("suffix", "codec"), [("mp4", "libx264"), ("webm", "libvpx-vp9"), ("avi", "mpeg4")]
)
def test_every_frame_is_written_at_its_time(tmp_path, suffix, codec):
    path = tmp_path / f"a.{suffix}"

    assert write_video(path, _frames(12), rate_hz=12.5, codec=codec) == 12

    with av.open(str(path)) as container:
        times_s = [packet.dts for packet in container.demux(video=0) if packet.size]
        assert len(times_s) == 12
        assert float(container.streams.video[0].average_rate or 0) == pytest.approx(12.5, rel=0.1)


def test_an_odd_edge_is_cut_where_the_format_needs_it(tmp_path):
    path = tmp_path / "a.mp4"
    write_video(path, _frames(2, height=49, width=65), rate_hz=25)

    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == (64, 48)


def test_an_unknown_encoder_or_folder_is_our_fault(tmp_path):
    with pytest.raises(SetupError, match=r"a\.mp4: wanted to write it with no-such-codec"):
        write_video(tmp_path / "a.mp4", _frames(2), rate_hz=25, codec="no-such-codec")
    with pytest.raises(SetupError, match="No such file or directory"):
        write_video(tmp_path / "missing" / "a.mp4", _frames(2), rate_hz=25)


def test_an_encoder_does_not_leave_the_caller_a_real_time_process(tmp_path):
    before = os.sched_getscheduler(0)
    frames = [np.full((64, 64, 3), level, dtype=np.uint8) for level in range(4)]

    write_video(tmp_path / "a.mp4", frames, rate_hz=5.0, codec="libsvtav1")

    assert os.sched_getscheduler(0) == before
