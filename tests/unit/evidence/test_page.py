import base64
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.evidence_records import (
    make_evidence,
    make_match_record,
    make_refused_evidence,
    make_sheet,
)
from tests.factories import make_video
from vcd.core import Hint, InputError, Interval, SetupError, Skipped
from vcd.evidence import EvidenceRecord, RefRecord
from vcd.evidence.page import PageOptions, json_for_script, write_page

_JPEG = b"\xff\xd8\xff\xe0 a picture"
_BARE = make_match_record(sheets=None, query_preview=None, ref_preview=None)
_HOSTILE = "</script><script>alert(1)</script>\u2028\u202e\udce9&"
_ASSETS = Path(__file__).parents[3] / "vcd/evidence/page_assets"


def _bare(query_id: str = "upload", digest: str = "1" * 64, **changes: Any) -> EvidenceRecord:
    """Evidence without a picture or clip."""
    record = make_evidence(
        matches=(_BARE,), query_strip=None, refs=(_ref(),), digest=digest, **changes
    )
    report = replace(record.report, query_id=query_id)
    return replace(record, report=report)


def _ref(**changes: Any) -> RefRecord:
    parts = {"video": make_video("tower", duration_s=120.0), "descriptor_digest": "d" * 64}
    return RefRecord(**{**parts, **changes})


def _written(out: Path, *records: EvidenceRecord | InputError, **options: Any) -> Any:
    named = ((Path(f"evidence/folder-{i}"), record) for i, record in enumerate(records))
    return write_page(out, named, PageOptions(**options))


def _overview(out: Path) -> dict[str, Any]:
    page = (out / "index.html").read_text(encoding="utf-8")
    found = re.search(r'<script type="application/json" id="overview-data">(.*?)</script>', page)
    assert found is not None
    document: dict[str, Any] = json.loads(found.group(1))
    return document


def _details(out: Path, number: int) -> dict[str, Any]:
    text = (out / "uploads" / f"{number:05d}.js").read_text(encoding="ascii")
    found = re.fullmatch(rf"vcdUpload\({number},(.*)\);\n", text)
    assert found is not None
    document: dict[str, Any] = json.loads(found.group(1))
    return document


def _files(out: Path) -> dict[str, bytes]:
    files = (path for path in out.rglob("*") if path.is_file())
    return {str(path.relative_to(out)): path.read_bytes() for path in files}


def test_a_page_is_an_index_and_a_file_of_details_for_each_upload(tmp_path):
    summary = _written(tmp_path / "out", _bare("a", "1" * 64), _bare("b", "2" * 64))

    assert sorted(_files(tmp_path / "out")) == [
        "index.html",
        "uploads/00000.js",
        "uploads/00001.js",
    ]
    assert summary.num_uploads == 2
    assert [row[0] for row in _overview(tmp_path / "out")["rows"]] == ["a", "b"]


def test_equal_evidence_gives_equal_bytes(tmp_path):
    for out in ("one", "two"):
        _written(tmp_path / out, _bare("a", "1" * 64), _bare("b", "2" * 64))

    assert _files(tmp_path / "one") == _files(tmp_path / "two")


def test_hostile_text_is_nowhere_more_than_data(tmp_path):
    out = tmp_path / "out"
    _written(out, _bare(_HOSTILE), title=_HOSTILE)

    page = (out / "index.html").read_text(encoding="utf-8")
    assert "alert(1)</script>" not in page
    assert page.count("<script") == 2
    assert "<" not in (out / "uploads/00000.js").read_text(encoding="ascii")
    assert _overview(out)["rows"][0][0] == _HOSTILE


def test_what_looks_like_a_placeholder_is_none(tmp_path):
    _written(tmp_path / "out", _bare("{{scripts}}"), title="{{overview}}")

    page = (tmp_path / "out/index.html").read_text(encoding="utf-8")
    assert "<title>{{overview}}</title>" in page


def test_json_for_a_script_is_ascii_without_markup():
    text = json_for_script({_HOSTILE: _HOSTILE})

    assert text.isascii()
    assert not set("<>&") & set(text)
    assert json.loads(text) == {_HOSTILE: _HOSTILE}


def test_the_policy_allows_the_program_and_the_styles_of_the_page_and_no_network(tmp_path):
    _written(tmp_path / "out", _bare())

    page = (tmp_path / "out/index.html").read_text(encoding="utf-8")
    policy = re.findall(r'Content-Security-Policy" content="([^"]*)"', page)[0]
    for element, rule in (("script", "script-src"), ("style", "style-src")):
        source = re.findall(rf"<{element}>(.*?)</{element}>", page, flags=re.DOTALL)[0]
        digest = base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
        assert f"{rule} 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    assert "http" not in policy


def test_no_asset_asks_for_anything_from_elsewhere_or_makes_markup_of_text():
    texts = {path.name: path.read_text() for path in _ASSETS.iterdir()}

    unwanted = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|fetch\(|XMLHttpRequest"
        r"|@import|url\(|https?://(?!www\.w3\.org/2000/svg)"
    )
    assert [name for name, text in texts.items() if unwanted.search(text)] == []
    assert [name for name, text in texts.items() if len(text.splitlines()) > 300] == []


def test_every_asset_is_part_of_the_page(tmp_path):
    _written(tmp_path / "out", _bare())

    page = (tmp_path / "out/index.html").read_text(encoding="utf-8")
    parts = [path for path in _ASSETS.iterdir() if path.name != "index.html"]
    assert parts
    assert [path.name for path in parts if path.read_text() not in page] == []


@pytest.mark.parametrize("is_blurred", [True, False])
def test_pictures_are_blurred_from_the_start_when_asked(tmp_path, is_blurred):
    _written(tmp_path / "out", _bare(), is_blurred=is_blurred)

    page = (tmp_path / "out/index.html").read_text(encoding="utf-8")
    assert ('data-blur="on"' in page.partition("<style>")[0]) == is_blurred


def _with_strip(folder: Path, data: bytes, name: str = "strip.jpg", **named: str) -> EvidenceRecord:
    folder.mkdir(parents=True, exist_ok=True)
    if "/" not in name:
        (folder / name).write_bytes(data)
    sheet = replace(make_sheet(name), sha256=named.get("sha256", hashlib.sha256(data).hexdigest()))
    return replace(_bare(), query_strip=sheet)


def _page_of(tmp_path: Path, record: EvidenceRecord) -> Any:
    return write_page(tmp_path / "out", [(tmp_path / "evidence", record)], PageOptions())


def test_a_picture_is_copied_under_a_name_made_of_its_digest(tmp_path):
    record = _with_strip(tmp_path / "evidence", _JPEG)
    digest = hashlib.sha256(_JPEG).hexdigest()

    summary = _page_of(tmp_path, record)

    place = f"media/{digest[:2]}/{digest}.jpg"
    assert (tmp_path / "out" / place).read_bytes() == _JPEG
    assert _details(tmp_path / "out", 0)["strip"]["file"] == place
    assert summary.problems == {}


def _outside(folder: Path) -> EvidenceRecord:
    (folder.parent / "secret.jpg").write_bytes(_JPEG)
    return _with_strip(folder, _JPEG, "../secret.jpg")


def _linked(folder: Path) -> EvidenceRecord:
    record = _with_strip(folder, _JPEG)
    (folder / "strip.jpg").rename(folder.parent / "secret.jpg")
    (folder / "strip.jpg").symlink_to(folder.parent / "secret.jpg")
    return record


def _missing(folder: Path) -> EvidenceRecord:
    record = _with_strip(folder, _JPEG)
    (folder / "strip.jpg").unlink()
    return record


@pytest.mark.parametrize(
    "make",
    [
        _outside,
        _linked,
        _missing,
        lambda folder: _with_strip(folder, _JPEG, sha256="0" * 64),
        lambda folder: _with_strip(folder, b"<svg onload=alert(1)>"),
    ],
    ids=["beside the folder", "a link", "not there", "other bytes", "no picture"],
)
def test_what_is_not_the_picture_that_evidence_names_is_told_and_not_shown(tmp_path, make):
    record = make(tmp_path / "evidence")

    summary = _page_of(tmp_path, record)

    assert list(summary.problems) == ["evidence"]
    assert len(summary.problems["evidence"]) == 1
    assert _details(tmp_path / "out", 0)["strip"] is None
    assert _details(tmp_path / "out", 0)["problems"] == summary.problems["evidence"]
    assert [name for name in _files(tmp_path / "out") if name.startswith("media")] == []


def test_damaged_evidence_is_named_and_the_others_are_shown(tmp_path):
    summary = _written(tmp_path / "out", InputError("evidence.json: changed"), _bare("b"))

    assert summary.problems == {"folder-0": ["evidence.json: changed"]}
    assert _overview(tmp_path / "out")["problems"] == summary.problems
    assert [row[0] for row in _overview(tmp_path / "out")["rows"]] == ["b"]


def test_folders_of_one_name_are_all_heard(tmp_path):
    wrong = [(tmp_path / place / "a", InputError(place)) for place in ("one", "two")]

    summary = write_page(tmp_path / "out", wrong, PageOptions())

    assert summary.problems == {"a": ["one", "two"]}


def test_the_same_evidence_is_shown_once(tmp_path):
    summary = _written(tmp_path / "out", _bare(), _bare())

    assert (summary.num_uploads, summary.num_twice) == (1, 1)


def test_a_page_takes_the_place_of_an_older_one(tmp_path):
    _written(tmp_path / "out", _bare("a", "1" * 64), _bare("b", "2" * 64))
    _written(tmp_path / "out", _bare("c", "3" * 64))

    assert sorted(_files(tmp_path / "out")) == ["index.html", "uploads/00000.js"]


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")

    with pytest.raises(SetupError, match=r"an older report, found 'thesis\.txt'"):
        _written(tmp_path, _bare())

    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_page_that_was_cut_short_has_no_index(tmp_path):
    _written(tmp_path / "out", _bare("old", "9" * 64))

    def records() -> Iterator[tuple[Path, EvidenceRecord]]:
        yield Path("folder"), _bare()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_page(tmp_path / "out", records(), PageOptions())

    assert not (tmp_path / "out/index.html").exists()


def test_a_refused_upload_has_a_row_and_details(tmp_path):
    _written(tmp_path / "out", make_refused_evidence())

    (row,) = _overview(tmp_path / "out")["rows"]
    details = _details(tmp_path / "out", 0)
    assert row[1:5] == ["refused", None, 0.0, []]
    assert details["query"] is None
    assert details["verdict"] == ["Nothing of it could be looked at: ", ["upload.mp4: empty file"]]


def test_the_row_of_an_upload_is_short(tmp_path):
    _written(tmp_path / "one", _bare("upload-1", "1" * 64))
    _written(tmp_path / "two", _bare("upload-1", "1" * 64), _bare("upload-2", "2" * 64))

    sizes = [(tmp_path / out / "index.html").stat().st_size for out in ("one", "two")]

    assert sizes[1] - sizes[0] < 300


def test_numbers_that_no_check_writes_cost_no_other_upload_its_page(tmp_path):
    in_a_sentence = replace(_BARE, hints=(Hint(kind="cropped", value=1e308),))
    in_a_row = (Skipped(interval=Interval(0.0, 1e308), reason="undecodable"),) * 2
    strange = replace(_bare("strange", "2" * 64), matches=(in_a_sentence,))
    odd = _bare("odd", "3" * 64)
    odd = replace(odd, report=replace(odd.report, skipped=in_a_row))

    summary = _written(tmp_path / "out", strange, odd, _bare("other", "1" * 64))

    assert [row[0] for row in _overview(tmp_path / "out")["rows"]] == ["other"]
    assert _details(tmp_path / "out", 0)["problems"] == []
    for folder in ("folder-0", "folder-1"):
        assert "its numbers cannot be shown" in summary.problems[folder][0]
