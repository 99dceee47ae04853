"""What a second run of `vcd dedup` describes again, and what a stopped one keeps."""

from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import numpy as np
import pytest

from pipelines import console
from pipelines.dedup_describing import describe_media
from pipelines.dedup_items import read_facts
from tests.factories import SPACE, make_timeline
from vcd.core import Descriptors, DescriptorSpace, Examination, InputError, SetupError, Video
from vcd.descriptors import read_descriptor_rows


@dataclass
class FakeDetector:
    """Describes the bytes of a file as one frame; refuses ``bad``; may be stopped midway."""

    stop_at: str | None = None
    space: DescriptorSpace = SPACE
    asked: list[str] = field(default_factory=list)

    @property
    def describer(self):
        return SimpleNamespace(space=self.space, max_short_edge_px=320)

    def describe(self, requests):
        for request in requests:
            self.asked.append(request.video_id)
            if request.video_id == self.stop_at:
                raise KeyboardInterrupt
            if request.video_id == "bad":
                yield (
                    Examination(video_id="bad", video=None, refused="bad: no", reason="unreadable"),
                    Descriptors.empty("bad", self.space),
                )
                continue
            row = np.zeros((1, self.space.dim), dtype=np.float32)
            row[0, request.path.read_bytes()[0] % self.space.dim] = 1.0
            video = Video(
                id=request.video_id,
                uri=str(request.path),
                sha256=request.sha256,
                duration_s=1.0,
                width_px=4,
                height_px=3,
            )
            descriptors = Descriptors.from_frames(video.id, make_timeline(1), row, self.space)
            yield Examination(video_id=video.id, video=video, decoder="pillow"), descriptors


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("c", "a", "b"):
        (folder / f"{name}.jpg").write_text(name)
    return folder


def _describe(folder, out, detector, *, rate_hz=2.0):
    out.mkdir(exist_ok=True)
    outcome = console.Outcome()
    path = describe_media([folder], out, detector, outcome, rate_hz=rate_hz)
    return outcome, read_descriptor_rows(path).video_ids.tolist()


def test_items_are_written_in_the_order_of_their_ids_with_what_is_known_of_them(folder, tmp_path):
    outcome, ids = _describe(folder, tmp_path / "out", FakeDetector())

    facts = read_facts(tmp_path / "out" / "descriptors.npz")
    assert ids == sorted(facts) == ["a", "b", "c"]
    assert (facts["a"].width_px, facts["a"].height_px, facts["a"].num_bytes) == (4, 3, 1)
    assert facts["a"].duration_s == 0.0, "an image has no length"
    assert outcome.num_done == 3


def test_a_second_run_describes_what_is_new_or_changed_and_forgets_what_is_gone(folder, tmp_path):
    _describe(folder, tmp_path / "out", FakeDetector())
    (folder / "a.jpg").write_text("z")
    (folder / "b.jpg").unlink()
    (folder / "d.jpg").write_text("d")

    again = FakeDetector()
    outcome, ids = _describe(folder, tmp_path / "out", again)

    assert again.asked == ["a", "d"]
    assert ids == ["a", "c", "d"]
    assert (outcome.num_done, outcome.num_unchanged) == (2, 1)


@pytest.mark.parametrize("changed", ["rate", "space"])
def test_another_rate_or_space_describes_everything_again(changed, folder, tmp_path):
    _describe(folder, tmp_path / "out", FakeDetector())

    space = replace(SPACE, fingerprint="0" * 16) if changed == "space" else SPACE
    again = FakeDetector(space=space)
    _describe(folder, tmp_path / "out", again, rate_hz=4.0 if changed == "rate" else 2.0)

    assert again.asked == ["a", "b", "c"]


def test_a_stopped_run_keeps_what_it_has_described(folder, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        _describe(folder, tmp_path / "out", FakeDetector(stop_at="b"))
    again = FakeDetector()
    _, ids = _describe(folder, tmp_path / "out", again)

    assert again.asked == ["b", "c"]
    assert ids == ["a", "b", "c"]


def test_a_stopped_run_keeps_what_an_earlier_one_has_described(folder, tmp_path):
    _describe(folder, tmp_path / "out", FakeDetector())
    (folder / "a.jpg").write_text("z")

    with pytest.raises(KeyboardInterrupt):
        _describe(folder, tmp_path / "out", FakeDetector(stop_at="a"))

    again = FakeDetector()
    _describe(folder, tmp_path / "out", again)
    assert again.asked == ["a"]


def test_a_damaged_earlier_file_is_described_again_with_a_word(folder, tmp_path, capsys):
    _describe(folder, tmp_path / "out", FakeDetector())
    (tmp_path / "out" / "descriptors.npz").write_text("no archive")

    again = FakeDetector()
    _describe(folder, tmp_path / "out", again)

    assert again.asked == ["a", "b", "c"]
    assert "all is described again" in capsys.readouterr().err


def test_a_refused_item_is_named_and_the_others_go_on(folder, tmp_path, capsys):
    (folder / "bad.jpg").write_text("?")

    outcome, ids = _describe(folder, tmp_path / "out", FakeDetector())

    assert ids == ["a", "b", "c"]
    assert outcome.refused == {"bad": "bad: no"}
    assert "refused bad: no" in capsys.readouterr().err


def test_when_nothing_can_be_described_that_is_the_item_s_fault(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "bad.jpg").write_text("?")

    with pytest.raises(InputError, match="nothing could be described"):
        _describe(folder, tmp_path / "out", FakeDetector())


def test_what_the_verb_itself_has_written_is_no_item(folder):
    out = folder / "out"
    out.mkdir()
    (out / "contact_sheet.png").write_text("x")

    _, ids = _describe(folder, out, FakeDetector())

    assert ids == ["a", "b", "c"]


def test_descriptors_of_somebody_else_are_not_written_over(folder, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "descriptors.npz").write_text("precious")

    with pytest.raises(SetupError, match="would be lost"):
        _describe(folder, out, FakeDetector())

    assert (out / "descriptors.npz").read_text() == "precious"
