"""`vcd index preflight`: videos that share an intro, and a reference that has it too."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tests.e2e.conftest import SIZE, Run, footage, one_sentence
from vcd.media import write_video

INTRO_S, OWN_S, RATE_HZ = 6.0, 9.0, 12.0
NUM_UPLOADS, NUM_BACKGROUND = 8, 4


def intro(number: int) -> Iterator[np.ndarray]:
    """Lay a mark of its own over the intro of each video."""
    for pixels in footage(500, INTRO_S):
        picture = Image.fromarray(pixels)
        left, top = 30 * (number % 8), (8, 200)[number % 2]
        colour = (20 * number % 256, 90, 255 - 20 * number % 256)
        ImageDraw.Draw(picture).rectangle((left, top, left + 50, top + 30), fill=colour)
        yield np.asarray(picture)


def write(path: Path, number: int, *own: Iterator[np.ndarray]) -> None:
    def frames() -> Iterator[np.ndarray]:
        yield from intro(number)
        for each in own:
            yield from each

    width = (SIZE[0], 256, 400)[number % 3]
    size = (width, width * 3 // 4)
    shown = (np.asarray(Image.fromarray(each).resize(size)) for each in frames())
    options = {"crf": str(22 + number), "preset": "veryfast"}
    write_video(path, shown, rate_hz=RATE_HZ, options=options)


@pytest.fixture(scope="module")
def world(vcd: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hold twelve videos with the intro, the reference, and the background's descriptors."""
    folder = tmp_path_factory.mktemp("intro")
    for name in ("background", "uploads"):
        (folder / name).mkdir()
    write(folder / "show.mp4", 0, footage(501, OWN_S))
    for number in range(NUM_BACKGROUND):
        write(folder / f"background/b{number}.mp4", 1 + number, footage(510 + number, OWN_S))
    for number in range(NUM_UPLOADS):
        own = [footage(530 + number, 5.0)]
        if number < 2:
            own.append(iter(list(footage(501, OWN_S))[30:]))
        write(folder / f"uploads/u{number}.mp4", 5 + number, *own)
    result = vcd("describe", folder / "background", "--out", folder / "background.npz")
    assert result.returncode == 0, result.stderr
    return folder


def starts(vcd: Run, world: Path, index: Path) -> dict[str, list[float]]:
    """Check the uploads: where in the reference each of them matches."""
    result = vcd("check", world / "uploads", "--index", index, "--json")
    assert result.returncode == 0, result.stderr
    return {
        report["query_id"]: sorted(match["ref"]["start_s"] for match in report["matches"])
        for report in json.loads(result.stdout)["reports"]
    }


@pytest.mark.slow
def test_an_accepted_reference_matches_by_its_own_film_and_never_by_the_intro(
    vcd: Run, world: Path, tmp_path: Path
) -> None:
    """Twelve share the intro, four are background; two of the eight others hold a real copy."""
    command = ["index", "preflight", world / "show.mp4", "--background", world / "background.npz"]
    as_it_is, accepted = tmp_path / "as_it_is", tmp_path / "accepted"
    vcd("index", "add", world / "show.mp4", "--index", as_it_is)
    manifest = (as_it_is / "manifest.json").read_bytes()

    looked = vcd(*command, "--index", as_it_is, "--out", tmp_path / "out")

    assert looked.returncode == 0, looked.stderr
    assert "common" in looked.stdout
    assert "in 4 of 4 background videos" in looked.stdout
    assert "nothing is changed" in looked.stderr
    assert "vcd index exclude ID START END" in looked.stderr
    (picture,) = (tmp_path / "out").iterdir()
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert (as_it_is / "manifest.json").read_bytes() == manifest

    result = vcd(*command, "--index", accepted, "--out", tmp_path / "out", "--accept", "--json")

    assert result.returncode == 0, result.stderr
    (video,) = json.loads(result.stdout)["videos"]
    (proposed,) = video["proposed"]
    assert (video["accepted"], proposed["reason"], proposed["num_videos"]) == (True, "common", 4)
    assert proposed["start_s"] == 0.0
    assert INTRO_S - 0.5 <= proposed["end_s"] <= INTRO_S + 0.5
    before, then = starts(vcd, world, as_it_is), starts(vcd, world, accepted)
    assert sum(bool(found) and found[0] < INTRO_S for found in before.values()) == NUM_UPLOADS
    assert {id_ for id_, found in then.items() if found} == {"u0", "u1"}
    assert all(start_s >= INTRO_S for found in then.values() for start_s in found)


@pytest.mark.slow
def test_what_would_lose_most_of_it_is_accepted_only_when_told_twice(
    vcd: Run, world: Path, tmp_path: Path
) -> None:
    write(tmp_path / "ident.mp4", 3, footage(502, 2.0))
    command = ["index", "preflight", tmp_path / "ident.mp4", "--index", tmp_path / "i"]
    command += ["--background", world / "background.npz", "--out", tmp_path / "out", "--accept"]

    refused = vcd(*command)
    told = vcd(*command, "--anyway")

    assert refused.returncode == 3
    one_sentence(refused.stderr, "ident", "would be excluded", "--anyway", "0 accepted")
    assert told.returncode == 0, told.stderr
    assert "1 accepted, the index now holds 1 references" in told.stderr
