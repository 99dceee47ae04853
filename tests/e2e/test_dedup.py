"""`vcd dedup` as a stranger would run it: pictures, films, their copies, and what is neither."""

import json
import shutil
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from PIL import Image

from tests.e2e.conftest import footage, one_sentence, scene, write_frames

pytestmark = pytest.mark.slow

_SCHEMA = json.loads((Path(__file__).parents[2] / "docs/schemas/clusters.schema.json").read_text())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Four pictures and three films; copies of two pictures and of one film; a text."""
    folder = tmp_path_factory.mktemp("collection")
    pictures = [scene(np.random.default_rng(900 + seed)) for seed in range(4)]
    for seed, picture in enumerate(pictures):
        picture.save(folder / f"picture{seed}.png")
    pictures[0].convert("RGB").save(folder / "re_encoded.jpg", quality=20)
    pictures[0].resize((240, 180)).save(folder / "smaller.png")
    pictures[1].crop((20, 15, 470, 350)).save(folder / "cropped.png")
    shutil.copy(folder / "picture1.png", folder / "same_bytes.png")
    (folder / "broken.jpg").write_text("this is no picture")
    films = [list(footage(300 + seed, 6.0)) for seed in range(3)]
    write_frames(folder / "film0.mp4", films[0])
    write_frames(folder / "film1.mp4", films[1])
    write_frames(folder / "film2.mp4", films[1][:24] + films[2])
    half = [np.array(Image.fromarray(frame).resize((160, 120))) for frame in films[0]]
    write_frames(folder / "film0_small.mp4", half)
    return folder


@pytest.fixture(scope="module")
def first_run(vcd, folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("deduped")
    return out, vcd("dedup", folder, "--out", out, "--json")


def _clusters(text):
    return {
        cluster["keep"]: sorted(member["id"] for member in cluster["members"])
        for cluster in json.loads(text)["clusters"]
    }


def test_copies_of_pictures_and_films_are_found_and_strangers_are_left_alone(first_run):
    _, result = first_run

    assert _clusters(result.stdout) == {
        "film0": ["film0", "film0_small"],
        "picture0": ["picture0", "re_encoded", "smaller"],
        "picture1": ["cropped", "picture1", "same_bytes"],
    }


def test_what_cannot_be_read_is_named_and_the_exit_code_says_so(first_run):
    _, result = first_run

    document = json.loads(result.stdout)
    jsonschema.validate(document, _SCHEMA)
    assert result.returncode == 3
    assert [refused["id"] for refused in document["refused"]] == ["broken"]
    one_sentence(result.stderr, "refused broken:", "12 described, 1 refused", "3 clusters among 12")


def test_the_same_bytes_are_told(first_run):
    _, result = first_run

    same = [
        member["id"]
        for cluster in json.loads(result.stdout)["clusters"]
        for member in cluster["members"][1:]
        if member["is_same_file"]
    ]
    assert same == ["same_bytes"]


def test_a_contact_sheet_is_drawn_with_pictures_in_it(first_run):
    out, _ = first_run

    with Image.open(out / "contact_sheet.png") as sheet:
        pixels = np.asarray(sheet.convert("RGB"), dtype=np.int64)
    is_green = np.abs(pixels - [0, 158, 115]).sum(axis=2) < 12
    is_colourful = np.ptp(pixels, axis=2) > 60
    assert is_green.sum() > 3 * 1000, "the ones to keep are framed"
    assert (is_colourful & ~is_green).sum() > 8 * 4000, "pictures are shown"


def test_another_threshold_decodes_nothing(first_run, vcd):
    out, _ = first_run

    result = vcd("dedup", out / "descriptors.npz", "--threshold", "1")

    assert result.returncode == 0
    assert "described" not in result.stderr
    shown = [Path(line.split()[-1]).name for line in result.stdout.splitlines()[1:]]
    assert shown == ["picture1.png", "same_bytes.png"]


def test_the_same_again_describes_only_what_is_new_and_says_the_same(first_run, vcd, folder):
    out, before = first_run
    descriptors = (out / "descriptors.npz").read_bytes()

    result = vcd("dedup", folder, "--out", out, "--json")

    assert result.stdout == before.stdout
    assert (out / "descriptors.npz").read_bytes() == descriptors
    one_sentence(result.stderr, "0 described, 12 unchanged, 1 refused")


def test_an_empty_folder_is_refused_with_a_sentence(vcd, tmp_path):
    result = vcd("dedup", tmp_path)

    assert (result.returncode, result.stdout) == (1, "")
    one_sentence(result.stderr, "wanted a folder with videos or images in it, found nothing")
