"""`vcd index`: what is added, replaced, passed over, removed and listed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.e2e.conftest import Run, footage, one_sentence, write_frames


def _info(vcd: Run, index: Path) -> Any:
    result = vcd("index", "info", "--index", index, "--json")
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_adding_again_changes_nothing(vcd: Run, refs: Path, index: Path) -> None:
    before = _info(vcd, index)

    result = vcd("index", "add", refs, "--index", index)

    assert result.returncode == 0
    assert "0 indexed, 6 unchanged" in result.stderr
    assert _info(vcd, index) == before


def test_equal_contents_have_equal_versions_in_any_order(
    vcd: Run, refs: Path, index: Path, tmp_path: Path
) -> None:
    for number in (5, 2, 0, 1, 4, 3):
        vcd("index", "add", refs / f"ref{number}.mp4", "--index", tmp_path / "other")

    assert _info(vcd, tmp_path / "other")["version"] == _info(vcd, index)["version"]


def test_a_changed_file_is_replaced_under_its_id(vcd: Run, tmp_path: Path) -> None:
    video = write_frames(tmp_path / "a.mp4", footage(1, 4.0))
    vcd("index", "add", video, "--index", tmp_path / "i")
    first = _info(vcd, tmp_path / "i")
    write_frames(video, footage(2, 5.0))

    result = vcd("index", "add", video, "--index", tmp_path / "i")

    assert "1 indexed" in result.stderr
    second = _info(vcd, tmp_path / "i")
    assert [ref["id"] for ref in second["references"]] == ["a"]
    assert second["version"] != first["version"]
    assert abs(second["references"][0]["duration_s"] - 5.0) < 0.2


def test_a_taken_stem_gets_the_file_name_and_the_line_says_so(vcd: Run, tmp_path: Path) -> None:
    folder = tmp_path / "videos"
    folder.mkdir()
    write_frames(folder / "rabbit.mkv", footage(1, 3.0))
    write_frames(folder / "rabbit.mp4", footage(2, 3.0))

    result = vcd("index", "add", folder, "--index", tmp_path / "i")

    assert "rabbit.mp4" in result.stderr
    ids = [ref["id"] for ref in _info(vcd, tmp_path / "i")["references"]]
    assert ids == ["rabbit", "rabbit.mp4"]


def test_a_moved_file_is_passed_over(vcd: Run, tmp_path: Path) -> None:
    video = write_frames(tmp_path / "a.mp4", footage(1, 3.0))
    vcd("index", "add", video, "--index", tmp_path / "i")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.move(video, elsewhere / "a.mp4")

    result = vcd("index", "add", elsewhere, "--index", tmp_path / "i")

    assert "0 indexed, 1 unchanged" in result.stderr


def test_removing_names_an_unknown_id_and_removes_the_others(vcd: Run, tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 2)):
        write_frames(tmp_path / f"{name}.mp4", footage(seed, 3.0))
    vcd("index", "add", tmp_path / "a.mp4", tmp_path / "b.mp4", "--index", tmp_path / "i")

    result = vcd("index", "remove", "a", "nobody", "--index", tmp_path / "i")

    assert result.returncode == 3
    one_sentence(result.stderr, "nobody")
    assert [ref["id"] for ref in _info(vcd, tmp_path / "i")["references"]] == ["b"]
    check = vcd("check", tmp_path / "a.mp4", "--index", tmp_path / "i", "--json")
    assert json.loads(check.stdout)["reports"][0]["matches"] == []


def hears_ctrl_c() -> None:
    """Listen to Ctrl-C even where the tests themselves run in the background and do not."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_ctrl_c_keeps_what_was_added_and_the_next_run_adds_the_rest(
    vcd: Run, refs: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "videos"
    folder.mkdir()
    for copy in range(4):
        for source in sorted(refs.iterdir()):
            (folder / f"{copy}-{source.name}").write_bytes(source.read_bytes())
    index = tmp_path / "i"
    process = subprocess.Popen(
        [sys.executable, "-m", "pipelines.cli", "index", "add", folder, "--index", index],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "VCD_DESCRIBE__NUM_THREADS": "1", "VCD_MEDIA__NUM_CHILDREN": "1"},
        preexec_fn=hears_ctrl_c,  # noqa: PLW1509  # one call, before any thread
    )
    deadline_s = time.monotonic() + 60
    while not (index / "manifest.json").exists() and time.monotonic() < deadline_s:
        time.sleep(0.02)
    time.sleep(0.5)
    os.killpg(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=60)

    assert process.returncode == 130, stderr
    one_sentence(stderr, "interrupted")
    result = vcd("index", "add", folder, "--index", index)
    assert result.returncode == 0, result.stderr
    assert _info(vcd, index)["num_refs"] == 24
