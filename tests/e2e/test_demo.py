"""`vcd demo` keeps its promise: it finds what it copied and nothing else."""

import json
from pathlib import Path

import pytest
from PIL import Image

from tests.e2e.conftest import Run, one_sentence


@pytest.mark.slow
def test_the_demo_finds_its_copies_and_leaves_a_page_and_a_picture(
    vcd: Run, tmp_path: Path
) -> None:
    out = tmp_path / "demo"

    result = vcd("demo", "--out", out, "--json")

    assert result.returncode == 0, result.stderr
    document = json.loads(result.stdout)
    summary = document["summary"]
    assert summary["num_stretches"] == len(document["stretches"]) == 9
    assert summary["num_found"] >= 6
    assert summary["num_wrong"] == len(document["wrong"]) == 0
    assert summary["median_iou"] > 0.9
    with Image.open(summary["picture"]) as picture:
        assert picture.width > 1000
    assert "mixtape" in Path(summary["page"]).read_text(encoding="utf-8")
    assert len(list((out / "references").iterdir())) == 8
    assert len(list((out / "uploads").iterdir())) == 10


def test_a_folder_of_somebody_elses_files_is_left_alone(vcd: Run, tmp_path: Path) -> None:
    (tmp_path / "holiday.mp4").touch()

    result = vcd("demo", "--out", tmp_path)

    assert result.returncode == 1
    one_sentence(result.stderr, "wanted an empty folder or an earlier demo", str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.mp4"]
