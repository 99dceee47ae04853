"""`vcd check --evidence` on drawn videos: what lies in the folder, and what a killed run leaves."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from tests.e2e.conftest import RATE_HZ, Run, footage, one_sentence, write_frames
from vcd.evidence import EvidenceRecord, files_of, folder_name, read_record

_SHORT = 4.0


def _records(folder: Path) -> dict[str, EvidenceRecord]:
    found = [read_record(each) for each in sorted(folder.iterdir())]
    return {record.report.query_id: record for record in found}


@pytest.fixture(scope="module")
def uploads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy that is mirrored, a stranger, a picture, text that calls itself a video."""
    folder = tmp_path_factory.mktemp("uploads")
    write_frames(folder / "<b>mirrored.mp4", (f[:, ::-1].copy() for f in footage(1, _SHORT)))
    write_frames(folder / "stranger.mp4", footage(700, 4.0))
    picture = list(footage(2, 5.0))[round(4.5 * RATE_HZ)]
    Image.fromarray(picture).save(folder / "picture.png")
    (folder / "text.mp4").write_text("this is no video")
    return folder


@pytest.mark.slow
def test_every_upload_has_a_folder_and_reports_are_what_they_are_without(
    vcd: Run, index: Path, uploads: Path, tmp_path: Path
) -> None:
    with_it = vcd("check", uploads, "--index", index, "--json", "--evidence", tmp_path / "e")
    without = vcd("check", uploads, "--index", index, "--json")

    assert with_it.returncode == without.returncode == 3, with_it.stderr
    documents = [json.loads(result.stdout) for result in (with_it, without)]
    for document in documents:
        for report in document["reports"]:
            del report["elapsed_s"]
    assert documents[0] == documents[1]

    records = _records(tmp_path / "e")
    assert sorted(records) == ["<b>mirrored", "picture", "stranger", "text"]
    (match,) = records["<b>mirrored"].matches
    assert [hint.kind for hint in match.hints] == ["mirrored"]
    assert match.missing == ()
    assert match.sheets is not None
    assert match.query_preview is not None
    assert match.ref_preview is not None
    assert records["picture"].matches[0].missing == ("picture is an image: it has no clip",)
    assert records["stranger"].matches == ()
    assert records["stranger"].query_strip is not None
    assert records["text"].query is None
    assert records["text"].report.refused is not None
    (report,) = (r for r in documents[0]["reports"] if r["query_id"] == "<b>mirrored")
    record = records["<b>mirrored"].report
    assert record.identity == (
        "<b>mirrored",
        report["query_sha256"],
        report["index_version"],
        report["settings_digest"],
    )


@pytest.mark.slow
def test_evidence_is_complete_as_data_when_the_file_of_a_reference_is_gone(
    vcd: Run, tmp_path: Path
) -> None:
    (tmp_path / "refs").mkdir()
    write_frames(tmp_path / "refs/harbour.mp4", footage(40, _SHORT))
    vcd("index", "add", tmp_path / "refs", "--index", tmp_path / "i")
    shutil.move(tmp_path / "refs/harbour.mp4", tmp_path / "upload.mp4")

    result = vcd(
        "check", tmp_path / "upload.mp4", "--index", tmp_path / "i", "--evidence", tmp_path / "e"
    )

    assert result.returncode == 0, result.stderr
    one_sentence(result.stderr, "upload: harbour: the file that it was described from cannot be")
    (match,) = _records(tmp_path / "e")["upload"].matches
    assert match.sheets is None
    assert match.query_preview is not None
    assert len(match.missing) == 1


@pytest.mark.slow
def test_a_killed_run_is_gone_on_with_and_leaves_no_half_evidence(
    vcd: Run, index: Path, tmp_path: Path
) -> None:
    (tmp_path / "uploads").mkdir()
    for seed in range(4):
        write_frames(tmp_path / f"uploads/upload{seed}.mp4", footage(seed, _SHORT))
    evidence, out = tmp_path / "e", tmp_path / "matches.csv"
    arguments = ["check", tmp_path / "uploads", "--index", index]
    arguments += ["--out", out, "--evidence", evidence]
    done = _kill_after_two_records([str(argument) for argument in arguments], evidence)
    lost = min(done, key=lambda path: path.stat().st_mtime_ns)
    lost.unlink()

    result = vcd(*arguments)

    assert result.returncode == 0, result.stderr
    records = _records(evidence)
    assert sorted(records) == [f"upload{seed}" for seed in range(4)]
    for query_id, record in records.items():
        names = {path.name for path in (evidence / folder_name(query_id)).iterdir()}
        assert names == {"evidence.json", *files_of(record)}


def _kill_after_two_records(arguments: list[str], evidence: Path) -> list[Path]:
    process = subprocess.Popen(
        [sys.executable, "-m", "pipelines.cli", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline_s = time.monotonic() + 120
    while len(done := list(evidence.glob("*/evidence.json"))) < 2:
        assert time.monotonic() < deadline_s
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert len(done) < 4
    return done


def test_a_folder_that_cannot_be_one_stops_before_anything_is_decoded(
    vcd: Run, index: Path, uploads: Path, tmp_path: Path
) -> None:
    (tmp_path / "e").write_text("a file")

    result = vcd("check", uploads, "--index", index, "--evidence", tmp_path / "e")

    assert result.returncode == 1
    one_sentence(result.stderr, "wanted a folder for evidence that can be written to")
    assert "refused" not in result.stderr
