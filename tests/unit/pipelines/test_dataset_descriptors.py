"""Describing a data set's folders again does only what is missing."""

import os
from itertools import islice
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from pipelines import dataset_descriptors
from pipelines.dataset_descriptors import DataSetDescriber
from tests.factories import SPACE, make_descriptors, make_video
from vcd.core import DescriptorSpace, Examination, InputError, Interval, SetupError, Skipped
from vcd.descriptors import read_descriptors
from vcd.detector import Detector


class DrawnDetector:
    """Describes any file by its name, but those called broken; remembers what it was asked for."""

    def __init__(self, space: DescriptorSpace = SPACE) -> None:
        self.describer = SimpleNamespace(space=space, max_short_edge_px=64)
        self.asked: list[str] = []
        self.skipped: tuple[Skipped, ...] = ()

    def describe(self, requests):
        # Last come, first served: as from several processes.
        for request in reversed(list(requests)):
            self.asked.append(request.video_id)
            rng = np.random.default_rng(len(request.video_id))
            descriptors = make_descriptors(request.video_id, 3, rng, space=self.describer.space)
            examination = Examination(
                video_id=request.video_id,
                video=make_video(),
                skipped=self.skipped if request.video_id == "b" else (),
            )
            if request.video_id.startswith("broken"):
                examination = Examination(
                    video_id=request.video_id, video=None, refused="no frame", reason="undecodable"
                )
            yield examination, descriptors


class InterruptedDetector(DrawnDetector):
    """Describes two files, then Ctrl-C comes."""

    def describe(self, requests):
        yield from islice(super().describe(requests), 2)
        raise KeyboardInterrupt


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "queries"
    made.mkdir()
    for name in ("b", "a", "c"):
        (made / f"{name}.mp4").write_text(name)
    return made


def _describe(folder, *, space=SPACE, rate_hz=2.0, detector=None):
    detector = detector or DrawnDetector(space)
    out = folder.parent / "out"
    describer = DataSetDescriber(detector=cast("Detector", detector), rate_hz=rate_hz, out=out)
    path = describer.describe("queries", folder)
    return detector.asked, [each.video_id for each in read_descriptors(path)], describer.outcome


def test_videos_stand_in_the_order_of_their_ids(folder):
    _, ids, outcome = _describe(folder)

    assert ids == ["a", "b", "c"]
    assert (outcome.num_done, outcome.num_unchanged, outcome.exit_code) == (3, 0, 0)


def test_nothing_is_described_twice(folder):
    _describe(folder)

    asked, ids, outcome = _describe(folder)

    assert asked == []
    assert ids == ["a", "b", "c"]
    assert outcome.num_unchanged == 3


def test_a_new_file_is_all_that_is_described_wherever_it_sorts(folder):
    _describe(folder)
    (folder / "aa.mp4").write_text("new")

    asked, ids, _ = _describe(folder)

    assert asked == ["aa"]
    assert ids == ["a", "aa", "b", "c"]


def test_a_file_that_changed_is_described_again_and_one_that_went_is_left_out(folder):
    _describe(folder)
    os.utime(folder / "b.mp4", (1, 1))
    (folder / "c.mp4").unlink()

    asked, ids, _ = _describe(folder)

    assert asked == ["b"]
    assert ids == ["a", "b"]


@pytest.mark.parametrize(
    "terms",
    [{"rate_hz": 4.0}, {"space": DescriptorSpace(name="other", dim=8, fingerprint="e")}],
    ids=["another rate", "other weights"],
)
def test_other_terms_describe_everything_again(terms, folder):
    _describe(folder)

    asked, ids, _ = _describe(folder, **terms)

    assert sorted(asked) == ids == ["a", "b", "c"]


def test_a_refused_file_is_named_the_rest_goes_on_and_it_is_tried_again(folder):
    (folder / "broken.mp4").write_text("broken")

    _, ids, outcome = _describe(folder)
    asked, _, _ = _describe(folder)

    assert ids == ["a", "b", "c"]
    assert outcome.refused == {"broken": "no frame"}
    assert outcome.exit_code == 3
    assert asked == ["broken"]


def test_what_could_not_be_looked_at_is_told_by_every_run(folder):
    """A stretch that nobody saw is not one without copies."""
    detector = DrawnDetector()
    detector.skipped = (
        Skipped(interval=Interval(1.0, 3.0), reason="undecodable"),
        Skipped(interval=Interval(5.0, 5.5), reason="over_limit"),
    )

    _, _, first = _describe(folder, detector=detector)
    asked, _, second = _describe(folder, detector=detector)

    assert asked == ["a", "b", "c"][::-1]  # of the first run
    assert first.unseen_s == second.unseen_s == {"b": 2.5}


def test_what_a_killed_run_had_finished_stays(folder, monkeypatch):
    monkeypatch.setattr(dataset_descriptors, "_PART_FILES", 1)
    _describe(folder)
    parts = folder.parent / "out/descriptors/queries"
    (parts / "0001.json").unlink()
    (parts / "0002.json").write_text("{torn")

    asked, ids, _ = _describe(folder)

    assert sorted(asked) == ["a", "b"]
    assert ids == ["a", "b", "c"]


def test_an_interrupted_run_keeps_all_that_was_described(folder):
    (folder / "again.mp4").write_text("interrupts once")

    with pytest.raises(KeyboardInterrupt):
        _describe(folder, detector=InterruptedDetector())
    asked, ids, _ = _describe(folder)

    assert sorted(asked) == ["a", "again"]
    assert ids == ["a", "again", "b", "c"]


def test_a_part_is_written_after_a_while_however_few_files_it_has(folder, monkeypatch):
    monkeypatch.setattr(dataset_descriptors, "_PART_S", 0.0)

    _describe(folder)

    assert len(list((folder.parent / "out/descriptors/queries").glob("*.npz"))) == 3


def test_a_folder_of_which_nothing_can_be_described_is_refused(tmp_path):
    only = tmp_path / "queries"
    only.mkdir()
    (only / "broken.mp4").write_text("broken")

    with pytest.raises(InputError, match="nothing in it could be described"):
        _describe(only)


def test_a_folder_that_cannot_be_written_is_named(folder):
    (folder.parent / "out").write_text("a file")

    with pytest.raises(SetupError, match="out"):
        _describe(folder)
