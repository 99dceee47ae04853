"""Write evidence as a page that opens from the file system: records in, files out.

    OUT/index.html          the page, its styles, its program and the overview's rows
    OUT/uploads/00017.js    the details of an upload, loaded when it is opened
    OUT/media/ab/abcd...    pictures and clips, each named by its digest and there once

The page asks for nothing from a network, which its content security policy also forbids. Its own
program and styles are allowed by their digests; what comes from evidence is data, never markup.
"""

import base64
import hashlib
import html
import json
import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path

from vcd.core import InputError, SetupError
from vcd.evidence.page_details import upload_details
from vcd.evidence.page_rows import OverviewRows
from vcd.evidence.record import EvidenceRecord, Preview, Sheet

__all__ = ["PageOptions", "PageSummary", "json_for_script", "write_page"]

_ASSETS = "page_assets"
_STYLES = ("tokens.css", "overview.css", "upload.css", "narrow.css")
_SCRIPTS = (
    "dom.js",
    "data.js",
    "store.js",
    "decisions.js",
    "table.js",
    "columns.js",
    "pictures.js",
    "position.js",
    "timeline.js",
    "similarity.js",
    "clips.js",
    "match.js",
    "upload.js",
    "exchange.js",
    "keys.js",
    "main.js",
)
_OWN_NAMES = {"index.html", "uploads", "media"}
_KINDS = {".jpg": b"\xff\xd8\xff", ".webm": b"\x1aE\xdf\xa3"}
_MAX_MEDIA_BYTES = 64 * 2**20
"""A minute of clip at the largest settings is smaller."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageOptions:
    """How the page presents itself.

    Attributes:
        title: of the page.
        is_blurred: whether pictures and clips are blurred until somebody asks to see them.
    """

    title: str = "vcd review"
    is_blurred: bool = False


@dataclass(slots=True, kw_only=True)
class PageSummary:
    """What became of the evidence.

    Attributes:
        num_uploads: shown on the page.
        num_twice: left out because the same evidence was there already.
        problems: what cannot be shown as it should, by the folder that it is in; a sentence each.
    """

    num_uploads: int = 0
    num_twice: int = 0
    problems: dict[str, list[str]] = field(default_factory=dict)


def write_page(
    out: Path,
    evidence: Iterable[tuple[Path, EvidenceRecord | InputError]],
    options: PageOptions,
) -> PageSummary:
    """Write the page of some evidence; equal evidence in equal order gives equal bytes.

    The index is written last: what was cut short cannot be taken for a report.

    Args:
        out: a folder that is not there, is empty, or holds an older report, which is replaced.
        evidence: each folder with its record, or with what is wrong with it. Read one by one.
        options: how the page presents itself.

    Raises:
        SetupError: ``out`` holds something else, or cannot be written.
    """
    try:
        _make_room(out)
        rows, summary, seen = OverviewRows(), PageSummary(), set[str | None]()
        for folder, record in evidence:
            if isinstance(record, InputError):
                summary.problems.setdefault(folder.name, []).append(str(record))
            elif record.digest is not None and record.digest in seen:
                summary.num_twice += 1
            else:
                seen.add(record.digest)
                try:
                    _write_upload(out, folder, record, rows, summary)
                except (ArithmeticError, ValueError) as error:  # no check writes such numbers
                    why = f"{folder}: its numbers cannot be shown: {error}"
                    summary.problems.setdefault(folder.name, []).append(why)
        summary.num_uploads = len(rows.rows)
        overview = {**rows.document(), "problems": summary.problems}
        (out / "index.html").write_text(_index(overview, options), encoding="utf-8", newline="\n")
    except OSError as error:
        raise SetupError(f"{out}: cannot be written: {error.strerror or error}") from error
    return summary


def json_for_script(document: object) -> str:
    """Write JSON that can stand in a script element or file: ASCII, no ``<``, ``>``, ``&``."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _make_room(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    strange = sorted(path.name for path in out.iterdir() if path.name not in _OWN_NAMES)
    if strange:
        raise SetupError(
            f"{out}: wanted a new folder, an empty one or an older report, found {strange[0]!r}"
        )
    (out / "index.html").unlink(missing_ok=True)
    for name in ("uploads", "media"):
        shutil.rmtree(out / name, ignore_errors=True)
        (out / name).mkdir()


def _write_upload(
    out: Path, folder: Path, record: EvidenceRecord, rows: OverviewRows, summary: PageSummary
) -> None:
    problems: list[str] = []

    def place(shown: Sheet | Preview) -> str | None:
        try:
            return _copied(folder, shown, out)
        except InputError as error:
            problems.append(str(error))
            return None

    details = json_for_script({**upload_details(record, place), "problems": problems})
    number = rows.add(record)
    try:
        json_for_script(rows.rows[number])
    except ValueError:
        del rows.rows[number]
        raise
    text = f"vcdUpload({number},{details});\n"
    (out / "uploads" / f"{number:05d}.js").write_text(text, encoding="ascii", newline="\n")
    if problems:
        summary.problems.setdefault(folder.name, []).extend(problems)


def _copied(folder: Path, shown: Sheet | Preview, out: Path) -> str:
    """Copy a picture or clip under a name of our own, and say which."""
    data = _media_bytes(folder, shown.file)
    suffix = ".jpg" if isinstance(shown, Sheet) else ".webm"
    digest = hashlib.sha256(data).hexdigest()
    if digest != shown.sha256 or not data.startswith(_KINDS[suffix]):
        raise InputError(f"{folder.name}/{shown.file}: not the file that the evidence names")
    place = f"media/{digest[:2]}/{digest}{suffix}"
    target = out / place
    if not target.exists():
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(data)
    return place


def _media_bytes(folder: Path, name: str) -> bytes:
    path = folder / name
    if path.parent != folder or name in ("", ".", "..") or path.is_symlink() or not path.is_file():
        raise InputError(f"{folder.name}: wanted a picture or clip beside it, got {name!r}"[:300])
    if path.stat().st_size > _MAX_MEDIA_BYTES:
        raise InputError(f"{folder.name}/{name}: larger than {_MAX_MEDIA_BYTES} bytes")
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{folder.name}/{name}: {error.strerror or error}") from error


def _index(overview: Mapping[str, object], options: PageOptions) -> str:
    styles = _asset_texts(_STYLES)
    scripts = f'(() => {{\n"use strict";\n{_asset_texts(_SCRIPTS)}\n}})();\n'
    parts = {
        "policy": _policy(styles, scripts),
        "title": html.escape(options.title).encode("ascii", "xmlcharrefreplace").decode(),
        "blur": "on" if options.is_blurred else "off",
        "styles": styles,
        "scripts": scripts,
        "overview": json_for_script(overview),
    }
    template = _asset_texts(("index.html",))
    return re.sub(r"\{\{(\w+)\}\}", lambda mark: parts[mark.group(1)], template)


def _policy(styles: str, scripts: str) -> str:
    """Forbid everything but this page's own program and styles, and files beside it."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src '{_source_digest(scripts)}' file: 'self'",
            f"style-src '{_source_digest(styles)}'",
            "img-src file: 'self'",
            "media-src file: 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types vcd-upload",
        )
    )


def _source_digest(source: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()


@cache
def _asset_texts(names: tuple[str, ...]) -> str:
    folder = resources.files("vcd.evidence") / _ASSETS
    return "\n".join((folder / name).read_text(encoding="utf-8") for name in names)
