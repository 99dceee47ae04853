from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipelines.evidence_footage import Footage
from tests.clips import Clip, number_in, numbered, write_clip
from tests.here_pool import HerePool
from vcd.core import Examination, InputError, Interval, Video
from vcd.evidence import EvidenceSettings

_FAST = {"g": "25", "preset": "ultrafast"}
_CLIP = Clip(suffix="mp4", codec="libx264", num_frames=250, encoder=_FAST, width=160, height=120)
_SETTINGS = EvidenceSettings(frame_height_px=60, preview_height_px=120)


def _footage(path, *, duration_s=10.0, size=(160, 120), settings=_SETTINGS):
    video = Video(
        id="v",
        uri=str(path),
        sha256="0" * 64,
        duration_s=duration_s,
        width_px=size[0],
        height_px=size[1],
    )
    pool: Any = HerePool()
    return Footage(pool=pool, video=video, path=path, settings=settings)


@pytest.fixture(scope="module")
def numbers(tmp_path_factory):
    """Ten seconds; the picture at time t shows the number 25 t."""
    path = tmp_path_factory.mktemp("clips") / "numbers.mp4"
    write_clip(path, _CLIP)
    return path


def _shown(picture):
    large = Image.fromarray(picture.pixels_HWC).resize((320, 240))
    return number_in(np.asarray(large))


def test_a_picture_shows_what_is_on_screen_at_its_time(numbers):
    pictures = _footage(numbers).pictures([7.31, 0.0, 2.5])

    assert [picture.time_s for picture in pictures] == pytest.approx([7.35, 0.05, 2.55])
    assert [_shown(picture) for picture in pictures] == [183, 1, 63]
    assert {picture.pixels_HWC.shape for picture in pictures} == {(60, 80, 3)}


def test_behind_the_end_it_is_the_last_picture(numbers):
    (picture,) = _footage(numbers).pictures([99.0])

    assert (picture.time_s, _shown(picture)) == (pytest.approx(9.95), 248)


def test_far_pictures_are_sought_one_by_one_and_near_ones_taken_together(numbers):
    footage = _footage(numbers)

    footage.pictures([0.0, 0.5, 9.0])

    asked = [request.interval for request in footage.pool.requests]
    assert asked == [Interval(0.0, 0.6), Interval(9.0, 9.1)]


def test_where_nothing_can_be_sought_the_video_is_read_once(tmp_path):
    path = tmp_path / "numbers.ts"
    write_clip(path, replace(_CLIP, suffix="ts"))
    footage = _footage(path)

    pictures = footage.pictures([0.0, 9.5])

    assert [_shown(picture) for picture in pictures] == [1, 238]
    assert len(footage.pool.requests) == 1


def test_a_clip_shows_its_stretch_and_gives_the_pictures_on_the_way(numbers, tmp_path):
    footage = _footage(numbers)

    preview = footage.clip(tmp_path / "c.webm", Interval(2.0, 4.0), times_s=[2.5, 3.9, 8.0])
    pictures = footage.pictures([2.5, 3.9])

    assert preview.interval == Interval(2.0, 4.0)
    assert (preview.width_px, preview.height_px) == (160, 120)
    assert [_shown(picture) for picture in pictures] == [63, 98]
    assert len(footage.pool.requests) == 1


def test_pictures_are_found_again_until_they_are_forgotten(numbers):
    footage = _footage(numbers)
    footage.pictures([1.0])

    footage.pictures([1.0])
    assert len(footage.pool.requests) == 1

    footage.forget()
    footage.pictures([1.0])
    assert len(footage.pool.requests) == 2


def test_an_image_has_one_picture_at_whatever_time(tmp_path):
    path = tmp_path / "still.png"
    Image.fromarray(numbered(77)).save(path)

    pictures = _footage(path, duration_s=0.0).pictures([0.0, 3.0])

    assert [(picture.time_s, _shown(picture)) for picture in pictures] == [(0.0, 77)] * 2


def test_a_portrait_is_as_high_as_asked_for(tmp_path):
    path = tmp_path / "tall.mp4"
    write_clip(path, Clip(suffix="mp4", codec="libx264", num_frames=5, width=120, height=240))

    footage = _footage(path, duration_s=0.2, size=(120, 240))

    assert footage.pictures([0.0])[0].pixels_HWC.shape == (60, 30, 3)
    assert footage.pool.requests[0].max_short_edge_px == 30


def test_a_file_that_is_no_video_is_an_error_of_that_file(tmp_path):
    path = tmp_path / "broken.mp4"
    path.write_bytes(b"text, no video")

    with pytest.raises(InputError, match=r"broken\.mp4: wanted a known video"):
        _footage(path).pictures([1.0])


def test_a_place_that_cannot_be_decoded_has_the_picture_nearest_to_it(numbers):
    footage = _footage(numbers, duration_s=60.0)

    pictures = footage.pictures([2.5, 50.0])

    assert [_shown(picture) for picture in pictures] == [63, 63]
    assert {picture.time_s for picture in pictures} == {2.55}


class DeadlyPlacePool(HerePool):
    """Its decoder dies of what lies behind the fifth second."""

    def decode(self, requests):
        for request in requests:
            if request.interval.start_s > 5.0:
                yield Examination(
                    video_id="v", video=None, refused="its decoder died", reason="decoder_died"
                )
            else:
                yield from super().decode([request])


def test_a_place_that_kills_the_decoder_costs_its_own_pictures_only(numbers):
    pool: Any = DeadlyPlacePool()
    footage = replace(_footage(numbers), pool=pool)

    pictures = footage.pictures([0.0, 9.5])

    assert [_shown(picture) for picture in pictures] == [1, 1]
    footage.forget()
    with pytest.raises(InputError, match="its decoder died"):
        footage.pictures([9.5])


def test_a_stretch_without_any_frame_has_no_clip(numbers, tmp_path):
    footage = _footage(numbers, duration_s=40.0)

    with pytest.raises(InputError, match=r"c\.webm: wanted a stretch to show"):
        footage.clip(tmp_path / "c.webm", Interval(20.0, 21.0))
