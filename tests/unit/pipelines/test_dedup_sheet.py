"""The contact sheet of `vcd dedup`."""

from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipelines import dedup_sheet
from pipelines.dedup_findings import Cluster, Member
from pipelines.dedup_items import ItemFacts
from pipelines.dedup_sheet import draw_sheet
from tests.factories import make_timeline
from vcd.core import FrameBatch, SetupError

_BLUE, _GREEN, _ORANGE = (20, 20, 250), (0, 158, 115), (213, 94, 0)


class FakePool:
    """Gives every item a blue picture."""

    def __init__(self):
        self.asked = []

    def decode(self, requests):
        for request in requests:
            self.asked.append(request)
            pixels = np.full((1, 30, 40, 3), _BLUE, dtype=np.uint8)
            yield FrameBatch(
                video_id=request.video_id,
                first_frame=0,
                timeline=make_timeline(1),
                pixels_THWC=pixels,
            )


def _cluster(tmp_path, name, num_members, advice="remove", **facts):
    (tmp_path / "there.jpg").touch()
    members = [
        Member(
            facts=ItemFacts(id=f"{name}{i}", path=str(tmp_path / "there.jpg"), **facts),
            similarity=1.0 if i == 0 else 0.8,
            is_same_file=False,
            advice=advice if i else "keep",
        )
        for i in range(num_members)
    ]
    return Cluster(
        members=tuple(members),
        why_kept="largest file",
        weakest_link=0.8,
        least_similarity=0.8,
        is_chained=advice == "look",
    )


def _drawn(tmp_path, clusters):
    pool: Any = FakePool()
    draw_sheet(tmp_path / "sheet.png", clusters, pool, 0.7)
    with Image.open(tmp_path / "sheet.png") as sheet:
        return np.asarray(sheet.convert("RGB"), dtype=np.int64), pool


def _num_like(pixels, colour):
    return int((np.abs(pixels - colour).sum(axis=2) < 20).sum())


def test_each_member_is_shown_and_the_one_to_keep_is_framed(tmp_path):
    two, _ = _drawn(tmp_path, [_cluster(tmp_path, "a", 2)])
    three, _ = _drawn(tmp_path, [_cluster(tmp_path, "a", 3)])

    one_picture = 149 * 112
    assert _num_like(three, _BLUE) - _num_like(two, _BLUE) == pytest.approx(one_picture, rel=0.05)
    assert _num_like(two, _GREEN) == pytest.approx(_num_like(three, _GREEN), rel=0.05)
    assert _num_like(two, _GREEN) > 1000


def test_what_is_to_be_looked_at_is_framed_otherwise(tmp_path):
    sure, _ = _drawn(tmp_path, [_cluster(tmp_path, "a", 2)])
    doubtful, _ = _drawn(tmp_path, [_cluster(tmp_path, "a", 2, advice="look")])

    assert _num_like(sure, _ORANGE) == 0
    assert _num_like(doubtful, _ORANGE) > 200


def test_rows_and_pictures_are_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(dedup_sheet, "MAX_SHEET_ROWS", 2)
    clusters = [_cluster(tmp_path, f"{i}_", 9) for i in range(4)]
    full, pool = _drawn(tmp_path, clusters)
    fewer, _ = _drawn(tmp_path, clusters[:2])

    assert full.shape == fewer.shape
    assert len(pool.asked) == 2 * 6
    assert (full[:70] != fewer[:70]).any(), "the head says how many are not shown"


def test_a_film_is_shown_by_its_middle_and_an_image_whole(tmp_path):
    film = _cluster(tmp_path, "film", 2, duration_s=20.0)
    image = _cluster(tmp_path, "image", 2)

    _, pool = _drawn(tmp_path, [film, image])

    intervals = [request.interval for request in pool.asked]
    assert [interval.start_s for interval in intervals[:2]] == [10.0, 10.0]
    assert intervals[2:] == [None, None]


def test_an_item_whose_file_is_gone_leaves_an_empty_place(tmp_path):
    cluster = _cluster(tmp_path, "a", 2)
    (tmp_path / "there.jpg").unlink()

    sheet, pool = _drawn(tmp_path, [cluster])

    assert pool.asked == []
    assert _num_like(sheet, _BLUE) == 0


def test_no_clusters_are_a_sheet_too(tmp_path):
    sheet, _ = _drawn(tmp_path, [])

    assert sheet.shape[0] > 70


def test_a_sheet_that_cannot_be_written_is_our_fault(tmp_path):
    pool: Any = FakePool()

    with pytest.raises(SetupError, match="cannot be written"):
        draw_sheet(tmp_path / "missing" / "sheet.png", [], pool, 0.7)
