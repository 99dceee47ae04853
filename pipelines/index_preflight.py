"""`vcd index preflight`: say what of a video is common, before it goes live as a reference."""

import argparse
import contextlib
import functools
import shlex
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from pipelines import console
from pipelines.cli import verb_parser
from pipelines.detection import refuse_other_space
from pipelines.items import find_items
from pipelines.matching import Matcher, open_matcher
from pipelines.preflight_comparing import Other
from pipelines.preflight_findings import Finding, finding_document, finding_lines, plain
from pipelines.preflight_picture import NUM_PICTURES, save_preflight
from pipelines.preflight_run import Preflight
from vcd.core import DescriptorSpace, FrameBatch, InputError, Interval
from vcd.descriptors import read_descriptor_rows
from vcd.descriptors.store_format import descriptors_from
from vcd.evidence.record_file import folder_name
from vcd.media import DecodeRequest
from vcd.search import is_index, read_info

__all__ = ["main"]

_ABOUT = """\
Say what of a video is common, before it goes live as a reference: black, stills, intros.

  vcd describe background/ --out background.npz
  vcd index preflight harbour.mp4 --index refs.index --background background.npz

Each second is held against the background, against the references of the index and against the
other videos named here. What several of them match is proposed to be excluded. Nothing but a
picture is written; --accept adds the video with these stretches excluded, at once."""
_DEFAULT_OUT = Path("preflight")
_THUMBNAIL_PX = 120


def main(argv: Sequence[str]) -> int:
    """Run the verb; see ``vcd index preflight --help``."""
    arguments = _parse(argv)
    info = read_info(arguments.index) if is_index(arguments.index) else None
    overrides: dict[str, object] = {"preflight.min_videos": arguments.min_videos}
    if info is not None:
        overrides |= {"describe.weights": info.weights, "media.rate_hz": info.rate_hz}
    run = Preflight(index=arguments.index, info=info)
    taken = {video.id: Path(video.uri) for video in (info.refs if info else ())}
    items = find_items(arguments.paths, taken=taken)
    with contextlib.ExitStack() as stack:
        matcher = stack.enter_context(
            open_matcher(
                arguments.config,
                overrides,
                index=arguments.index if info else None,
                factory=info.factory if info else "Flat",
            )
        )
        if info is not None:
            refuse_other_space(arguments.index, info, matcher.detector)
        others = _background(arguments.background, matcher.detector.describer.space)
        run.describe(matcher, list(items))
        run.compare(matcher, others)
        for finding in run.findings:
            pictures = _pictures(matcher, finding)
            save_preflight(_picture_path(arguments.out, finding), finding, pictures)
    if arguments.accept:
        run.accept(matcher, wants_all=arguments.anyway)
    _print(arguments, run)
    return run.outcome.exit_code


def _background(file: Path | None, space: DescriptorSpace) -> list[Other]:
    """Open the videos of a descriptor file.

    Raises:
        InputError: it is none, is damaged, empty, or of another space.
    """
    if file is None:
        return []
    rows = read_descriptor_rows(file)
    if not rows.runs:
        raise InputError(f"{file}: wanted descriptors of background videos, got none")
    if rows.space != space:
        raise InputError(
            f"{file}: wanted descriptors of {space.name} ({space.fingerprint[:12]}), got those of "
            f"{rows.space.name} ({rows.space.fingerprint[:12]}): describe the background with the "
            "weights of the index"
        )
    return [
        Other(
            id=str(rows.video_ids[first]),
            origin="background",
            load=functools.partial(descriptors_from, rows, first, stop),
        )
        for first, stop in rows.runs
    ]


def _pictures(matcher: Matcher, finding: Finding) -> list[tuple[Interval, Image.Image]]:
    """Take pictures along the video; none where it cannot be decoded a second time."""
    video = finding.video
    request = DecodeRequest(
        video_id=video.id,
        path=Path(video.uri),
        sha256=video.sha256,
        rate_hz=min(10.0, NUM_PICTURES / max(video.duration_s, 0.1)),
        max_short_edge_px=_THUMBNAIL_PX,
    )
    found = []
    with contextlib.closing(matcher.detector.pool.decode([request])) as events:
        for event in events:
            if isinstance(event, FrameBatch):
                for frame, pixels in enumerate(event.pixels_THWC):
                    stretch = event.timeline.span(frame, frame + 1)
                    found.append((stretch, Image.fromarray(pixels)))
    return found


def _picture_path(out: Path, finding: Finding) -> Path:
    return out / f"{folder_name(finding.video.id)}.png"


def _print(arguments: argparse.Namespace, run: Preflight) -> None:
    if arguments.json:
        videos = [
            {
                **finding_document(finding),
                "picture": str(_picture_path(arguments.out, finding)),
                "accepted": finding.video.id in run.accepted,
            }
            for finding in run.findings
        ]
        refused = [{"id": id_, "reason": why} for id_, why in sorted(run.outcome.refused.items())]
        console.print_json({"videos": videos, "refused": refused})
    else:
        for finding in run.findings:
            print("\n".join(finding_lines(finding)))
            print(f"   picture: {_picture_path(arguments.out, finding)}")
    console.say(run.outcome.closing_line(done="looked at", note=_note(arguments, run)))


def _note(arguments: argparse.Namespace, run: Preflight) -> str:
    """Say what became of the index, or with which command something would."""
    if arguments.accept:
        num_refs = len(read_info(arguments.index).refs) if is_index(arguments.index) else 0
        return f"{len(run.accepted)} accepted, the index now holds {num_refs} references"
    words = ["vcd", "index", "preflight", *map(str, arguments.paths)]
    for flag in ("index", "background", "config", "min_videos"):
        value = getattr(arguments, flag)
        if value is not None:
            words += [f"--{flag.replace('_', '-')}", str(value)]
    again = plain(shlex.join([*words, "--accept"]))
    place = plain(shlex.quote(str(arguments.index)))
    return (
        f"nothing is changed: `{again}` takes in what is not in the index, with what is proposed "
        "excluded; "
        f"`vcd index exclude ID START END --index {place}` excludes others by hand"
    )


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = verb_parser("index preflight", _ABOUT)
    parser.add_argument("paths", nargs="+", type=Path, metavar="VIDEO")
    parser.add_argument("--index", required=True, type=Path, metavar="DIR")
    parser.add_argument(
        "--background", type=Path, metavar="B.npz", help="what `vcd describe` wrote of others"
    )
    parser.add_argument(
        "--out", type=Path, default=_DEFAULT_OUT, metavar="DIR", help="default preflight"
    )
    parser.add_argument("--accept", action="store_true", help="add them, or set their exclusions")
    parser.add_argument("--anyway", action="store_true", help="accept what is doubtful, too")
    parser.add_argument(
        "--min-videos", type=int, metavar="K", help="what K others match is common (default 2)"
    )
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    arguments = parser.parse_args(argv)
    if arguments.anyway and not arguments.accept:
        parser.error("--anyway says what --accept may do: give both")
    return arguments
