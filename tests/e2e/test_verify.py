"""`vcd verify` on evidence that `vcd check --evidence` wrote, as it is and tampered with."""

import contextlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from pipelines.cli import main as vcd_main
from tests.e2e.conftest import RATE_HZ, Run, footage, write_frames
from vcd.evidence import RECORD_NAME, read_record, write_record

pytestmark = pytest.mark.slow


@dataclass(frozen=True, kw_only=True)
class Checked:
    """An upload that copies ten seconds of a reference, checked, with its evidence."""

    upload: Path
    index: Path
    evidence: Path

    @property
    def folder(self) -> Path:
        return next(self.evidence.iterdir())

    def verify(self, *more: object) -> int:
        index = () if "--index" in more else ("--index", self.index)
        return vcd_main(["verify", *map(str, (self.evidence, *index, *more))])


@pytest.fixture(scope="module")
def checked(vcd: Run, index: Path, tmp_path_factory: pytest.TempPathFactory) -> Checked:
    folder = tmp_path_factory.mktemp("verify")
    own = folder / "index"
    shutil.copytree(index, own)
    clip = list(footage(1, 15.0))[round(4 * RATE_HZ) : round(14 * RATE_HZ)]
    write_frames(folder / "upload.mp4", [*footage(77, 3.0), *clip])
    result = vcd("check", folder / "upload.mp4", "--index", own, "--evidence", folder / "evidence")
    assert result.returncode == 0, result.stderr
    return Checked(upload=folder / "upload.mp4", index=own, evidence=folder / "evidence")


@contextlib.contextmanager
def one_byte_changed(path: Path, share: float) -> Iterator[None]:
    """Another byte at this share of the file's length while the block runs."""
    data = path.read_bytes()
    place = int(share * (len(data) - 1))
    path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
    try:
        yield
    finally:
        path.write_bytes(data)


@contextlib.contextmanager
def away(path: Path) -> Iterator[Path]:
    """A file is somewhere else while the block runs."""
    elsewhere = path.parent / "elsewhere" / f"other-name{path.suffix}"
    elsewhere.parent.mkdir(exist_ok=True)
    path.rename(elsewhere)
    try:
        yield elsewhere
    finally:
        elsewhere.rename(path)


@contextlib.contextmanager
def record_changed(checked: Checked, **changes: Any) -> Iterator[None]:
    """The best match of the record says something else, under a digest that holds."""
    path = checked.folder / RECORD_NAME
    data = path.read_bytes()
    record = read_record(checked.folder)
    match, *others = record.report.matches
    report = replace(record.report, matches=(replace(match, **changes), *others))
    write_record(checked.folder, replace(record, report=report))
    try:
        yield
    finally:
        path.write_bytes(data)


def test_untouched_evidence_agrees(vcd: Run, checked: Checked) -> None:
    result = vcd("verify", checked.evidence, "--index", checked.index)

    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout == "upload: agrees (1 match)\n"
    assert result.stderr.endswith("1 upload: 1 agree, 0 disagree, 0 cannot be looked at\n")


@pytest.mark.parametrize("share", [0.0, 0.37, 1.0])
@pytest.mark.parametrize("what", ["upload", "record", "picture", "clip", "manifest", "shard"])
def test_a_changed_byte_disagrees(
    what: str, share: float, checked: Checked, capsys: pytest.CaptureFixture[str]
) -> None:
    path = {
        "upload": checked.upload,
        "record": checked.folder / RECORD_NAME,
        "picture": checked.folder / "match_0_ref.jpg",
        "clip": checked.folder / "match_0_query.webm",
        "manifest": checked.index / "manifest.json",
        "shard": next((checked.index / "shards").iterdir()),
    }[what]

    with one_byte_changed(path, share):
        code = checked.verify()

    assert code == 1
    assert ": disagrees\n  " in capsys.readouterr().out


def test_another_score_disagrees_also_under_a_digest_that_holds(
    checked: Checked, capsys: pytest.CaptureFixture[str]
) -> None:
    with record_changed(checked, score=0.99):
        code = checked.verify()

    assert code == 1
    assert "score: 0.99 recorded, " in capsys.readouterr().out


def test_a_missing_upload_cannot_be_looked_at(
    checked: Checked, capsys: pytest.CaptureFixture[str]
) -> None:
    with away(checked.upload):
        code = checked.verify()

    assert code == 3
    assert "upload: cannot be looked at" in capsys.readouterr().out


def test_an_upload_is_found_elsewhere_by_its_bytes(
    checked: Checked, capsys: pytest.CaptureFixture[str]
) -> None:
    with away(checked.upload) as elsewhere:
        code = checked.verify("--media", elsewhere.parent)

    assert code == 0, capsys.readouterr().out


def test_a_missing_picture_cannot_be_looked_at(checked: Checked) -> None:
    with away(checked.folder / "match_0_ref.jpg"):
        code = checked.verify()

    assert code == 3


def test_an_index_without_the_reference_cannot_say(
    vcd: Run, checked: Checked, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(checked.index, tmp_path / "index")
    vcd("index", "remove", "ref1", "--index", tmp_path / "index")

    code = checked.verify("--index", tmp_path / "index")

    assert code == 3
    assert "ref1: the index has no reference of this id" in capsys.readouterr().out


def test_no_index_cannot_say(checked: Checked, tmp_path: Path) -> None:
    assert checked.verify("--index", tmp_path / "nothing") == 3


def test_other_references_may_go_and_settings_outside_do_not_count(
    vcd: Run,
    checked: Checked,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copytree(checked.index, tmp_path / "index")
    vcd("index", "remove", "ref2", "ref3", "--index", tmp_path / "index")
    config = tmp_path / "strict.toml"
    config.write_text("[align]\nmin_score = 0.9999\n")
    monkeypatch.setenv("VCD_SEARCH__MIN_SCORE", "0.99")

    code = checked.verify("--index", tmp_path / "index", "--config", config, "--json")

    document = json.loads(capsys.readouterr().out)
    assert (code, document["uploads"][0]["sentences"]) == (0, [])
    assert document["summary"] == {"agrees": 1, "disagrees": 0, "cannot": 0}
    assert any("the index has changed since" in note for note in document["uploads"][0]["notes"])


def test_what_is_no_evidence_is_refused(
    checked: Checked, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = vcd_main(["verify", str(tmp_path), "--index", str(checked.index)])

    assert code == 1
    assert "wanted a folder with evidence in it, found none" in capsys.readouterr().err
