from dataclasses import replace
from pathlib import Path

import pytest

from pipelines import review
from tests.evidence_records import make_evidence, make_match_record
from vcd.core import SetupError
from vcd.evidence.record_file import RECORD_NAME, write_record


def _folder(root: Path, query_id: str) -> Path:
    folder = root / query_id
    folder.mkdir(parents=True)
    bare = make_match_record(sheets=None, query_preview=None, ref_preview=None)
    record = make_evidence(matches=(bare,), query_strip=None)
    refs = tuple(replace(ref, strip=None) for ref in record.refs)
    report = replace(record.report, query_id=query_id)
    write_record(folder, replace(record, report=report, refs=refs))
    return folder


def _review(*words: object) -> int:
    return review.main([str(word) for word in words])


def test_a_folder_of_folders_becomes_a_page(tmp_path, capsys):
    for name in ("a", "b"):
        _folder(tmp_path / "evidence", name)

    code = _review(tmp_path / "evidence", "--out", tmp_path / "out")

    said = capsys.readouterr()
    assert code == 0
    assert (tmp_path / "out/index.html").is_file()
    assert said.err == f"2 uploads on the page; open {tmp_path / 'out/index.html'}\n"
    assert said.out == ""


def test_the_folder_of_one_upload_and_a_folder_of_it_are_the_same_upload(tmp_path, capsys):
    folder = _folder(tmp_path / "evidence", "a")

    _review(folder, tmp_path / "evidence", "--out", tmp_path / "out")

    assert capsys.readouterr().err.startswith("1 upload on the page; open")


def test_a_copy_of_evidence_is_counted_and_not_shown_again(tmp_path, capsys):
    _folder(tmp_path / "one", "a")
    _folder(tmp_path / "two", "a")

    code = _review(tmp_path / "one", tmp_path / "two", "--out", tmp_path / "out")

    assert code == 0
    assert capsys.readouterr().err.startswith("1 upload on the page, 1 given twice; open")


def test_damaged_and_unfinished_folders_are_named_and_the_others_go_on(tmp_path, capsys):
    _folder(tmp_path / "evidence", "a")
    damaged = _folder(tmp_path / "evidence", "damaged") / RECORD_NAME
    damaged.write_bytes(damaged.read_bytes().replace(b"vcd 0.1.0", b"vcd 0.1.1"))
    (tmp_path / "evidence/unfinished").mkdir()

    code = _review(tmp_path / "evidence", "--out", tmp_path / "out")

    said = capsys.readouterr().err.splitlines()
    assert code == 3
    assert said[0].startswith("damaged: ")
    assert "wanted evidence as it was written" in said[0]
    assert said[1].startswith("unfinished: ")
    assert said[2].startswith("1 upload on the page, 2 folders not as the evidence says; open")


def test_a_path_without_evidence_is_a_mistake_in_the_command(tmp_path):
    (tmp_path / "videos/holiday").mkdir(parents=True)

    with pytest.raises(SetupError, match=r"videos: wanted a folder with evidence\.json"):
        _review(tmp_path / "videos", "--out", tmp_path / "out")

    assert not (tmp_path / "out").exists()


def test_the_record_itself_names_its_folder(tmp_path, capsys):
    folder = _folder(tmp_path / "evidence", "a")

    code = _review(folder / RECORD_NAME, "--out", tmp_path / "out")

    assert code == 0
    assert capsys.readouterr().err.startswith("1 upload on the page; open")


def test_title_and_blur_reach_the_page(tmp_path):
    _folder(tmp_path / "evidence", "a")

    _review(tmp_path / "evidence", "--out", tmp_path / "out", "--title", "Monday", "--blur")

    page = (tmp_path / "out/index.html").read_text(encoding="utf-8")
    assert "<title>Monday</title>" in page
    assert '<html lang="en" data-blur="on">' in page
