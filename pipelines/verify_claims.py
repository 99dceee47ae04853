"""What a piece of evidence claims, and what became of it: the folder, its files, the upload.

    evidence.json -> Claim -> agrees | disagrees | cannot be looked at

Whatever cannot be looked at is never said to agree.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

import vcd
from pipelines.items import find_items
from vcd.core import InputError
from vcd.evidence import (
    EVIDENCE_CHANGED,
    RECORD_NAME,
    EvidenceRecord,
    Rebuilt,
    files_of,
    read_record,
)
from vcd.media import digest_file
from vcd.search import IndexInfo

__all__ = ["Claim", "Verdict", "read_claims"]

_UPLOAD_FOLDER = re.compile(r".+-[0-9a-f]{10}")


class Verdict(Enum):
    """What became of a claim."""

    AGREES = "agrees"
    DISAGREES = "disagrees"
    CANNOT = "cannot be looked at"


@dataclass(kw_only=True, eq=False)
class Claim:
    """The evidence of one upload while it is held against what can be had.

    Attributes:
        folder: that it was read from.
        record: as read; None where it cannot be read.
        path: of the upload's file; None where it is not found.
        verdict: only ``AGREES`` counts once it is settled.
        sentences: why it does not agree.
        notes: what changed since without a difference.
        is_settled: whether nothing more is to be looked at.
    """

    folder: Path
    record: EvidenceRecord | None = None
    path: Path | None = None
    verdict: Verdict = Verdict.CANNOT
    sentences: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    is_settled: bool = False
    _doubts: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The upload, or where its evidence should be."""
        return str(self.folder) if self.record is None else self.record.report.query_id

    @property
    def known(self) -> EvidenceRecord:
        """The record of a claim that has one."""
        if self.record is None:
            raise ValueError(f"{self.folder}: no record was read")
        return self.record

    @property
    def file(self) -> Path:
        """The upload's file of a claim whose file was found."""
        if self.path is None:
            raise ValueError(f"{self.name}: its file was not found")
        return self.path

    def cannot(self, why: str) -> None:
        """Say that it cannot be looked at; what was found before still disagrees."""
        self.sentences.append(why)
        self.is_settled = True

    def settle(self, found: Sequence[str]) -> None:
        """Say what differs; nothing more is looked at."""
        self.sentences += found
        if found:
            self.verdict = Verdict.DISAGREES
        elif not self.sentences:
            self.verdict = Verdict.AGREES
        self.is_settled = True

    def look_for_refs(self, info: IndexInfo) -> None:
        """Say which of the matched references the index does not have any more."""
        for ref in self.known.refs:
            if ref.video.id not in info.by_id:
                self.cannot(f"{ref.video.id}: the index has no reference of this id")

    def note_since(self, again: Rebuilt, index_version: str) -> None:
        """Note what is not the same and need not be."""
        record = self.known
        if not record.report.matches:
            self.notes.append("no match was recorded: whether there is one was not looked at")
        if record.report.decoder != again.report.decoder:
            self.notes.append(
                f"decoded by {record.report.decoder} then, by {again.report.decoder} now"
            )
        if record.report.index_version != index_version:
            self.notes.append("the index has changed since, but not in what is compared")
        if record.software != f"vcd {vcd.__version__}":
            self.notes.append(f"made by {record.software}, verified by vcd {vcd.__version__}")


def read_claims(evidence: Sequence[Path], media: Sequence[Path]) -> list[Claim]:
    """Read the evidence, look at the files that it names, and find those of the uploads.

    Args:
        evidence: folders of uploads, folders of these, or files.
        media: files and folders in which uploads may be, too.

    Raises:
        InputError: one of the paths holds no evidence, or there is nothing of that name.
    """
    folders = dict.fromkeys(folder for path in evidence for folder in _folders(path))
    elsewhere = _Media(media)
    return [_claim(folder, elsewhere) for folder in folders]


def _folders(path: Path) -> list[Path]:
    if path.is_file():
        if path.name != RECORD_NAME:
            raise InputError(f"{path}: wanted a folder with evidence, or {RECORD_NAME}")
        return [path.parent]
    if not path.is_dir():
        raise InputError(f"{path}: no such file or folder")
    if (path / RECORD_NAME).exists():
        return [path]
    found = [
        each
        for each in sorted(path.iterdir())
        if each.is_dir() and ((each / RECORD_NAME).exists() or _UPLOAD_FOLDER.fullmatch(each.name))
    ]
    if not found and not _UPLOAD_FOLDER.fullmatch(path.name):
        raise InputError(f"{path}: wanted a folder with evidence in it, found none")
    return found or [path]


def _claim(folder: Path, elsewhere: "_Media") -> Claim:
    try:
        record = read_record(folder)
    except InputError as error:
        claim = Claim(folder=folder)
        if error.reason == EVIDENCE_CHANGED:
            claim.settle((str(error),))
        else:
            claim.cannot(str(error))
        return claim
    claim = Claim(folder=folder, record=record)
    _look_at_files(claim)
    _find_upload(claim, elsewhere)
    return claim


def _look_at_files(claim: Claim) -> None:
    changed = []
    for name, sha256 in files_of(claim.known).items():
        try:
            if digest_file(claim.folder / name) != sha256:
                changed.append(f"{name}: another file than the one that was written")
        except InputError as error:
            claim.cannot(str(error))
    if changed:
        claim.settle(changed)


def _find_upload(claim: Claim, elsewhere: "_Media") -> None:
    """Find the file of these bytes where it was, or where else it may be."""
    record = claim.known
    query = record.query
    if query is None:
        claim.cannot(f"the upload was refused ({record.report.refused}): nothing is known of it")
        return
    if query.sha256 != record.report.query_sha256:
        claim.settle((f"the report is of a file {record.report.query_sha256}, not {query.sha256}",))
        return
    try:
        is_there = digest_file(Path(query.uri)) == query.sha256
    except InputError as error:
        claim.path = elsewhere.of_digest(query.sha256, near=Path(query.uri).name)
        if claim.path is None:
            claim.cannot(f"{error}; --media says where else it may be")
        return
    claim.path = (
        Path(query.uri)
        if is_there
        else elsewhere.of_digest(query.sha256, near=Path(query.uri).name)
    )
    if claim.path is None:
        claim.settle((f"{query.uri}: another file than the one that was checked",))


class _Media:
    """Files in which uploads may be, each digested once at most."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._files = [item.path for item in find_items(paths)] if paths else []
        self._digests: dict[Path, str | None] = {}

    def of_digest(self, sha256: str, *, near: str) -> Path | None:
        """Find a file by its digest; those of the same name are looked at first."""
        for path in sorted(self._files, key=lambda path: (path.name != near, path)):
            if self._digest(path) == sha256:
                return path
        return None

    def _digest(self, path: Path) -> str | None:
        if path not in self._digests:
            try:
                self._digests[path] = digest_file(path)
            except InputError:
                self._digests[path] = None
        return self._digests[path]
