"""`vcd demo`: make videos, index them, edit copies, find them again, and draw a picture of it."""

import json
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines import check, console, index, review
from pipelines.cli import verb_parser
from pipelines.demo_plan import Upload, demo_refs, demo_uploads, film_frames
from pipelines.timeline_picture import Panel, Strip, draw_timelines
from vcd.config import load_settings
from vcd.core import InputError, Interval, Match, report_from_document
from vcd.evaluation.stretches import Comparison, Judged, compare
from vcd.evaluation.synthesis.drawn_film import Film
from vcd.media import write_video

__all__ = ["main"]

_ABOUT = """\
Make videos, index them, edit copies, find them again. About a minute; needs nothing.

Eight references and ten uploads are drawn, indexed and checked by the very commands that
you would use: vcd index add, vcd check. What was found is held against what was copied."""

_RATE_HZ = 15.0
_MARKER = "made-by-vcd-demo"
"""File that tells a folder of an earlier demo, which may be replaced, from one that may not."""

_PICTURE = "timelines.png"
_PAGE = Path("review", "index.html")
_PICTURE_SUBTITLE = (
    "above: the upload    below: the reference    colour: found    bracket: really copied"
)


def main(argv: Sequence[str]) -> int:
    """Run the verb; see ``vcd demo --help``."""
    parser = verb_parser("demo", _ABOUT)
    parser.add_argument(
        "--out", type=Path, default=Path("demo"), metavar="DIR", help="default demo"
    )
    parser.add_argument("--json", action="store_true", help="print the comparison as JSON")
    arguments = parser.parse_args(argv)
    load_settings(arguments.config, {})  # a wrong file is told now, not after the drawing
    started_s = time.monotonic()
    folder = _fresh_folder(arguments.out)
    refs = demo_refs()
    uploads = demo_uploads(refs)
    _write_videos(folder, refs, uploads)
    matches = _find(folder, arguments.config)
    true_copies = [true for upload in uploads for true in upload.true_copies(frozenset(refs))]
    comparison = compare(matches, true_copies)
    _draw(folder, refs, uploads, matches, comparison)
    elapsed_s = time.monotonic() - started_s
    if arguments.json:
        console.print_json(_document(folder, comparison, elapsed_s))
    else:
        _print_table(uploads, comparison)
        _print_closing(folder, comparison, elapsed_s)
    return 0 if comparison.num_found else 1


def _fresh_folder(folder: Path) -> Path:
    """Make the folder, or empty that of an earlier demo."""
    if folder.exists() and any(folder.iterdir()):
        if not (folder / _MARKER).is_file():
            raise InputError(f"{folder}: wanted an empty folder or an earlier demo, found files")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _MARKER).write_text("vcd demo replaces this folder when it runs again\n")
    return folder


def _write_videos(folder: Path, refs: dict[str, Film], uploads: Sequence[Upload]) -> None:
    for name in ("references", "uploads"):
        (folder / name).mkdir()
    with console.progress("drawing", total=len(refs) + len(uploads)) as progress:
        for film in refs.values():
            path = folder / "references" / f"{film.title}.mp4"
            _write(path, film_frames(film, _RATE_HZ), crf=23)
            progress.advance(film.title)
        for upload in uploads:
            path = folder / "uploads" / f"{upload.id}.mp4"
            _write(path, upload.frames(_RATE_HZ), crf=upload.crf)
            progress.advance(upload.id)
    console.say(f"{len(refs)} references and {len(uploads)} uploads drawn")


def _write(path: Path, frames: Iterator[NDArray[np.uint8]], *, crf: int) -> None:
    options = {"crf": str(crf), "preset": "veryfast"}
    write_video(path, frames, rate_hz=_RATE_HZ, options=options)


def _find(folder: Path, config: Path | None) -> list[Match]:
    """Index and check, as anybody would."""
    settings = [] if config is None else ["--config", str(config)]
    place = ["--index", str(folder / "references.index"), *settings]
    index.main(["add", str(folder / "references"), *place])
    out, evidence = folder / "matches.json", folder / "evidence"
    check.main([str(folder / "uploads"), *place, "--out", str(out), "--evidence", str(evidence)])
    review.main([str(evidence), "--out", str(folder / _PAGE.parent), "--title", "vcd demo"])
    reports = json.loads(out.read_text(encoding="utf-8"))["reports"]
    return [match for report in reports for match in report_from_document(report).matches]


def _print_table(uploads: Sequence[Upload], comparison: Comparison) -> None:
    """Say for each copied stretch where it is and where it was found, in upload seconds."""
    print("\n" + _row("upload", "what was done", "reference", "copied", "found", "IoU   score"))
    for upload in uploads:
        for one in _of(upload, comparison):
            found = _span(one.found.query) if one.found else "-"
            how_well = f"{one.iou:.2f}   {one.found.score:5.2f}" if one.found else ""
            copied = _span(one.true.query)
            print(_row(upload.id, upload.about, one.true.ref_id, copied, found, how_well))
        if not _of(upload, comparison):
            print(_row(upload.id, upload.about, "-", "-", "-", ""))
    for match in comparison.wrong:
        print(f"wrong: {match.query_id} {_span(match.query)} is not from {match.ref_id}")


def _row(*cells: str) -> str:
    upload, about, ref, copied, found, how_well = cells
    return f"{upload:<10} {about:<42} {ref:<12} {copied:>11} {found:>11}   {how_well}".rstrip()


def _span(interval: Interval) -> str:
    return f"{interval.start_s:.1f}-{interval.end_s:.1f}"


def _of(upload: Upload, comparison: Comparison) -> list[Judged]:
    return [one for one in comparison.judged if one.true.query_id == upload.id]


def _print_closing(folder: Path, comparison: Comparison, elapsed_s: float) -> None:
    median = "-" if comparison.median_iou is None else f"{comparison.median_iou:.2f}"
    print(
        f"\n{comparison.num_found} of {len(comparison.judged)} copied stretches found, "
        f"median IoU {median}, {len(comparison.wrong)} wrong, in {elapsed_s:.0f} s"
        f"\n\nSee it:       {folder / _PAGE}  (in a browser: why each is a match)"
        f"\n              {folder / _PICTURE}  (found against true)"
        f"\n\nYour videos:  {_command()} index add REFERENCES/ --index my.index"
        f"\n              {_command()} check UPLOADS/ --index my.index --out matches.csv"
        f"\n              {_command()} index info --index my.index"
    )


def _command() -> str:
    """How this very program can be called again from here."""
    program = Path(sys.executable).with_name("vcd")
    if shutil.which("vcd") == str(program) or not program.exists():
        return "vcd"
    if program.is_relative_to(Path.cwd()):
        return str(program.relative_to(Path.cwd()))
    return str(program)


def _document(folder: Path, comparison: Comparison, elapsed_s: float) -> dict[str, Any]:
    return {
        "stretches": [
            {
                "query_id": one.true.query_id,
                "ref_id": one.true.ref_id,
                "true": _bounds(one.true.query, one.true.ref),
                "found": one.found and _bounds(one.found.query, one.found.ref),
                "score": one.found and one.found.score,
                "iou": one.iou,
            }
            for one in comparison.judged
        ],
        "wrong": [
            {
                "query_id": match.query_id,
                "ref_id": match.ref_id,
                "found": _bounds(match.query, match.ref),
                "score": match.score,
            }
            for match in comparison.wrong
        ],
        "summary": {
            "num_stretches": len(comparison.judged),
            "num_found": comparison.num_found,
            "num_wrong": len(comparison.wrong),
            "median_iou": comparison.median_iou,
            "elapsed_s": elapsed_s,
            "page": str(folder / _PAGE),
            "picture": str(folder / _PICTURE),
        },
    }


def _bounds(query: Interval, ref: Interval) -> dict[str, float]:
    return {
        "query_start": query.start_s,
        "query_end": query.end_s,
        "ref_start": ref.start_s,
        "ref_end": ref.end_s,
    }


def _draw(
    folder: Path,
    refs: dict[str, Film],
    uploads: Sequence[Upload],
    matches: Sequence[Match],
    comparison: Comparison,
) -> None:
    panels = [
        _panel(
            upload,
            refs,
            tuple(match for match in matches if match.query_id == upload.id),
            _of(upload, comparison),
        )
        for upload in uploads
    ]
    title = (
        f"{comparison.num_found} of {len(comparison.judged)} copied stretches found, "
        f"{len(comparison.wrong)} wrong"
    )
    draw_timelines(title, _PICTURE_SUBTITLE, panels).save(folder / _PICTURE)


def _panel(
    upload: Upload, refs: dict[str, Film], found: tuple[Match, ...], judged: list[Judged]
) -> Panel:
    ref_ids = dict.fromkeys([one.true.ref_id for one in judged] + [match.ref_id for match in found])
    return Panel(
        about=upload.about,
        verdict=_verdict(found, judged),
        query=Strip(id=upload.id, duration_s=upload.duration_s, thumbnail=upload.picture_at),
        refs=tuple(
            Strip(id=ref_id, duration_s=refs[ref_id].duration_s, thumbnail=refs[ref_id].picture_at)
            for ref_id in ref_ids
        ),
        found=found,
        true=tuple((one.true.ref_id, one.true.query, one.true.ref) for one in judged),
    )


def _verdict(found: Sequence[Match], judged: Sequence[Judged]) -> str:
    if not found:
        return "not found" if judged else "nothing copied, nothing found"
    scores = ", ".join(f"{match.score:.2f}" for match in found)
    if not judged:
        return f"score {scores}, and nothing was copied"
    ious = ", ".join(f"{one.iou:.2f}" for one in judged if one.found)
    num_missed = sum(one.found is None for one in judged)
    missed = f"{num_missed} of {len(judged)} not found    " if num_missed else ""
    return f"{missed}score {scores}    IoU {ious or '-'}"
