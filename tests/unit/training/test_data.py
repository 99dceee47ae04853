import io
import logging
import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from vcd.core.errors import SetupError
from vcd.training.data import (
    find_photos,
    is_held_out,
    pack_photos,
    read_held_out,
    without_twins,
)


def packed_one(folder, **limits):
    return pack_photos(find_photos(folder), short_px=32, file=folder / "packed", **limits)[0]


def test_packed_photographs_are_shrunk_and_keep_their_shape(photos):
    assert len(photos) == 9
    assert {photos[number].shape for number in range(9)} == {(32, 48, 3)}
    assert photos.names[0] == "photo0.png"


def test_a_small_photograph_is_not_enlarged(folder, tmp_path):
    packed = pack_photos(find_photos(folder), short_px=500, file=tmp_path / "packed")

    assert packed[0].shape == (40, 60, 3)


def test_an_unreadable_photograph_is_named_and_left_out(folder, tmp_path, caplog):
    (folder / "broken.jpg").write_bytes(b"not a photograph")

    with caplog.at_level(logging.WARNING):
        packed = pack_photos(find_photos(folder), short_px=32, file=tmp_path / "packed")

    assert len(packed) == 9
    assert "broken.jpg" in caplog.text


def test_only_unreadable_photographs_are_a_set_up_error(tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"not a photograph")

    with pytest.raises(SetupError, match="none of 1 photographs can be read"):
        pack_photos(find_photos(tmp_path), short_px=32, file=tmp_path / "packed")


@pytest.mark.parametrize("mode", ["CMYK", "L", "I;16", "RGBA", "P"])
def test_photographs_of_any_mode_become_rgb(tmp_path, mode):
    suffix = "jpg" if mode == "CMYK" else "png"
    Image.new(mode, (20, 10)).save(tmp_path / f"photo.{suffix}")

    packed = pack_photos(find_photos(tmp_path), short_px=32, file=tmp_path / "packed")

    assert packed[0].shape == (10, 20, 3)


def test_an_empty_folder_is_named(tmp_path):
    with pytest.raises(SetupError, match=f"no photograph in {tmp_path}"):
        find_photos(tmp_path)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(SetupError, match=r"no folder of photographs at .*gone"):
        find_photos(tmp_path / "gone")


def test_about_one_name_in_six_is_held_out_and_always_the_same():
    names = [f"photo{number}.jpg" for number in range(6000)]

    held_out = [name for name in names if is_held_out(name, every=6)]

    assert 850 < len(held_out) < 1150
    assert held_out == [name for name in names if is_held_out(name, every=6)]


def test_a_name_that_is_no_text_is_held_out_or_not_like_any_other():
    names = [os.fsdecode(b"photo\xff" + bytes([65 + number])) for number in range(26)]

    assert 0 < sum(is_held_out(name, every=2) for name in names) < 26


def test_what_is_read_as_held_out_is_not_trained_on(folder):
    every = 2
    expected = [path for path in find_photos(folder) if is_held_out(path.name, every=every)]

    assert len(read_held_out(folder, every=every)) == len(expected)


def test_of_twins_only_the_first_is_kept(photos):
    angles = np.deg2rad(np.arange(9) * 40.0)
    angles[5] = angles[2] + 0.01
    features = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)

    kept = without_twins(photos, features, similarity=0.95)

    assert kept.names == tuple(name for name in photos.names if name != "photo5.png")
    assert all(
        np.array_equal(kept[photo], photos[photo if photo < 5 else photo + 1]) for photo in range(8)
    )


def test_photographs_unlike_each_other_are_all_kept(photos):
    assert len(without_twins(photos, np.eye(9, dtype=np.float32), similarity=0.5)) == 9


def test_sixteen_bits_become_eight_and_not_white(tmp_path):
    levels = np.full((10, 20), 0x4000, dtype=np.uint16)
    Image.fromarray(levels).save(tmp_path / "photo.png")

    assert np.unique(packed_one(tmp_path)).tolist() == [0x40]


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_clear_becomes_white(tmp_path, mode):
    clear = Image.new("RGBA", (20, 10), (255, 0, 0, 0)).convert(mode)
    clear.save(tmp_path / "photo.png", transparency=0 if mode == "P" else None)

    assert (packed_one(tmp_path) == 255).all()


@pytest.mark.parametrize("suffix", ["png", "webp"])
def test_an_animation_gives_its_first_picture(tmp_path, suffix):
    first, second = (Image.new("RGB", (20, 10), colour) for colour in ("black", "white"))
    first.save(tmp_path / f"photo.{suffix}", save_all=True, append_images=[second], lossless=True)

    assert packed_one(tmp_path).max() < 5


def test_a_photograph_is_turned_as_its_camera_was(tmp_path):
    picture = Image.new("RGB", (20, 10))
    exif = picture.getexif()
    exif[274] = 6
    picture.save(tmp_path / "photo.jpg", exif=exif)

    assert packed_one(tmp_path).shape == (20, 10, 3)


@pytest.mark.parametrize(
    ("size", "shape"),
    [((1, 5000), (640, 1, 3)), ((5000, 1), (1, 640, 3)), ((64, 640), (320, 32, 3))],
    ids=["high", "wide", "ten to one keeps its shape"],
)
def test_a_very_long_photograph_is_squashed_to_twenty_short_sides(tmp_path, size, shape):
    Image.new("RGB", size).save(tmp_path / "photo.png")

    assert packed_one(tmp_path).shape == shape


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (b"not a photograph", "no JPEG, PNG, WebP or BMP"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no JPEG, PNG, WebP or BMP"),
    ],
    ids=["zero bytes", "text", "a format that starts another program"],
)
def test_what_is_no_photograph_is_left_out_with_a_sentence(tmp_path, caplog, content, reason):
    Image.new("RGB", (20, 10)).save(tmp_path / "good.png")
    (tmp_path / "bad.jpg").write_bytes(content)

    with caplog.at_level(logging.WARNING):
        packed_one(tmp_path)

    bad = tmp_path / "bad.jpg"
    assert caplog.messages == [f"left out: {bad}: not a readable photograph ({reason})"]


def test_a_huge_photograph_is_left_out_unread(tmp_path, caplog):
    Image.new("RGB", (20, 10)).save(tmp_path / "good.png")
    (tmp_path / "huge.png").write_bytes(png_of_size(12_000, 10_000))

    with caplog.at_level(logging.WARNING):
        packed_one(tmp_path)

    assert "huge.png: 12000x10000 pixels are too many; at most 80000000" in caplog.text


def png_of_size(width, height):
    """Write the beginning of a PNG of this size, and nothing else."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
        for chunk in (header, b"IDAT", b"IEND")
    )


@pytest.mark.parametrize("suffix", ["JPEG", "PNG", "WEBP", "BMP"])
def test_damaged_photographs_are_left_out_or_read_and_nothing_else_happens(
    tmp_path, suffix, rng, caplog
):
    Image.new("RGB", (20, 10)).save(tmp_path / "a good one.png")
    whole = io.BytesIO()
    pixels = rng.integers(0, 256, size=(20, 30, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(whole, suffix)
    for number in range(60):
        damaged = bytearray(whole.getvalue())
        for place in rng.integers(0, min(len(damaged), 300), size=3):
            damaged[place] = rng.integers(0, 256)
        (tmp_path / f"{number}.jpg").write_bytes(damaged[: rng.integers(1, len(damaged) + 1)])

    packed = pack_photos(find_photos(tmp_path), short_px=32, file=tmp_path / "packed")

    assert len(packed) + len(caplog.messages) == 61


def test_a_full_disk_is_named(folder):
    with pytest.raises(SetupError, match=r"gone/packed: the photographs cannot be packed"):
        pack_photos(find_photos(folder), short_px=32, file=folder / "gone" / "packed")
