"""`vcd check` on copies that fill a part of the frame, with views and without."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.e2e.conftest import RATE_HZ, Run, footage, write_frames

REFINED_S = 0.2
"""A bound that was looked at again lies nearer than the half second between two samples."""

pytestmark = pytest.mark.slow


def _stacked(copied: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.concatenate([other, copied])


def _with_inset(copied: np.ndarray, other: np.ndarray) -> np.ndarray:
    framed = other.copy()
    framed[100:220, 130:290] = Image.fromarray(copied).resize((160, 120))
    return framed


@pytest.fixture(scope="module")
def uploads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Show reference 1 from 4 s to 11 s in a stack, and reference 2 in a corner of other footage.

    Both copies begin 3.2 s into their upload.
    """
    folder = tmp_path_factory.mktemp("uploads")
    first, last = round(3.2 * RATE_HZ), round(10.2 * RATE_HZ)
    for name, seed, combine in (("stack", 1, _stacked), ("inset", 2, _with_inset)):
        hosts = list(footage(80 + seed, 13.2))
        others = list(footage(90 + seed, 13.2))
        copied = list(footage(seed, 15.0))[round(4 * RATE_HZ) : round(11 * RATE_HZ)]
        shown = hosts[:first] + copied + hosts[last:]
        write_frames(folder / f"{name}.mp4", map(combine, shown, others))
    write_frames(folder / "stranger.mp4", map(_with_inset, footage(70, 6.0), footage(71, 6.0)))
    return folder


def _rows(text: str) -> dict[str, dict[str, str]]:
    return {row["query_id"]: row for row in csv.DictReader(text.splitlines())}


def test_stacked_and_inset_copies_are_found_with_views_and_missed_without(
    vcd: Run, index: Path, uploads: Path
) -> None:
    with_views = vcd("check", uploads, "--index", index)
    without = vcd("check", uploads, "--index", index, "--views", "off")

    assert with_views.returncode == without.returncode == 0, with_views.stderr
    assert without.stdout.splitlines()[1:] == []
    found = _rows(with_views.stdout)
    assert {name: row["ref_id"] for name, row in found.items()} == {
        "stack": "ref1",
        "inset": "ref2",
    }
    for row in found.values():
        bounds = [float(row[c]) for c in ("query_start", "query_end", "ref_start", "ref_end")]
        assert bounds == pytest.approx([3.2, 10.2, 4.0, 11.0], abs=REFINED_S)


def test_views_are_written_by_describe_when_asked_for(
    vcd: Run, uploads: Path, tmp_path: Path
) -> None:
    for views in ("off", "auto"):
        result = vcd(
            "describe", uploads / "inset.mp4", "--out", tmp_path / f"{views}.npz", "--views", views
        )
        assert result.returncode == 0, result.stderr

    whole, auto = (np.load(tmp_path / f"{views}.npz") for views in ("off", "auto"))

    assert set(whole["view"].tolist()) == {0}
    assert {0, 7} <= set(auto["view"].tolist())
    np.testing.assert_allclose(auto["features"][auto["view"] == 0], whole["features"], atol=1e-4)
