"""`vcd review` on what `vcd check --evidence` wrote, as a stranger would run both."""

import json
from pathlib import Path

import pytest

from tests.e2e.conftest import Run, footage, one_sentence, write_frames


def _details(page: Path, number: int) -> dict[str, object]:
    text = (page / f"uploads/{number:05d}.js").read_text(encoding="ascii")
    document: dict[str, object] = json.loads(text[text.index(",") + 1 : -3])
    return document


@pytest.mark.slow
def test_evidence_becomes_a_page_and_damage_is_named(vcd: Run, index: Path, tmp_path: Path) -> None:
    uploads, evidence, page = (tmp_path / name for name in ("uploads", "evidence", "page"))
    uploads.mkdir()
    write_frames(uploads / "copy.mp4", footage(3, 4.0))
    (uploads / "text.mp4").write_text("this is no video")
    checked = vcd("check", uploads, "--index", index, "--evidence", evidence)
    assert checked.returncode == 3, checked.stderr

    whole = vcd("review", evidence, "--out", page)

    assert whole.returncode == 0, whole.stderr
    assert whole.stderr.startswith("2 uploads on the page; open")
    copy, text = _details(page, 0), _details(page, 1)
    assert isinstance(copy["matches"], list)
    (match,) = copy["matches"]
    files = [sheet["file"] for sheet in match["sheets"]] + [clip["file"] for clip in match["clips"]]
    assert [file for file in files if not (page / file).is_file()] == []
    assert "Nothing of it could be looked at" in str(text["verdict"])

    damaged = next(evidence.glob("copy-*")) / "evidence.json"
    damaged.write_bytes(damaged.read_bytes()[:-20])
    partly = vcd("review", evidence, "--out", page)

    assert partly.returncode == 3
    one_sentence(partly.stderr, "copy-", "1 upload on the page, 1 folder not as the evidence says")


def test_a_folder_without_evidence_is_one_sentence(vcd: Run, tmp_path: Path) -> None:
    result = vcd("review", tmp_path, "--out", tmp_path / "page")

    assert result.returncode == 1
    one_sentence(result.stderr, "wanted a folder with evidence.json")
