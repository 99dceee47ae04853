"""`vcd describe` writes one file, in one order, whole or not at all."""

import contextlib
from types import SimpleNamespace

import numpy as np
import pytest

from pipelines import describe
from tests.factories import SPACE, make_descriptors, make_video
from vcd.core import Examination, SetupError
from vcd.descriptors import read_descriptors


class LastComeFirstServed:
    """Describes files by their names, the last one first: as several processes may."""

    describer = SimpleNamespace(space=SPACE, max_short_edge_px=64)

    def describe(self, requests):
        for request in reversed(list(requests)):
            if request.video_id == "stopped":
                raise KeyboardInterrupt
            rng = np.random.default_rng(len(request.video_id))
            descriptors = make_descriptors(request.video_id, 3, rng)
            yield Examination(video_id=request.video_id, video=make_video()), descriptors


@pytest.fixture
def videos(tmp_path, monkeypatch):
    folder = tmp_path / "videos"
    folder.mkdir()
    for name in ("b", "a-1", "a", "c"):
        (folder / f"{name}.mp4").write_text(name)
    opened = contextlib.nullcontext(LastComeFirstServed())
    monkeypatch.setattr(describe, "open_detector", lambda *_: opened)
    return folder


def test_videos_stand_in_the_order_of_their_ids_whichever_was_done_first(videos, capsys):
    out = videos.parent / "out.npz"

    assert describe.main([str(videos), "--out", str(out)]) == 0

    assert [each.video_id for each in read_descriptors(out)] == ["a", "a-1", "b", "c"]
    assert capsys.readouterr().err == f"4 described; 12 descriptors in {out}\n"
    assert sorted(path.name for path in videos.parent.iterdir()) == ["out.npz", "videos"]


def test_an_interrupted_run_leaves_what_was_there(videos):
    out = videos.parent / "out.npz"
    out.write_text("of an earlier run")
    (videos / "stopped.mp4").write_text("stopped")

    with pytest.raises(KeyboardInterrupt):
        describe.main([str(videos), "--out", str(out)])

    assert out.read_text() == "of an earlier run"
    assert sorted(path.name for path in videos.parent.iterdir()) == ["out.npz", "videos"]


def test_a_folder_that_is_not_there_is_named(videos):
    out = videos.parent / "nowhere" / "out.npz"

    with pytest.raises(SetupError, match=r"nowhere/out\.npz: cannot be written: No such file"):
        describe.main([str(videos), "--out", str(out)])
