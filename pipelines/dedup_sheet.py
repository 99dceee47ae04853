"""Draw the contact sheet of `vcd dedup`: a row a cluster, the item to keep in front, marked."""

import contextlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image

from pipelines.canvas import COLOURS, EDGE, FAINT, INK, Canvas
from pipelines.dedup_findings import CHAINED, Cluster, Member
from vcd.core import FrameBatch, Interval, SetupError
from vcd.media import DecodePool, DecodeRequest

__all__ = ["MAX_SHEET_ROWS", "draw_sheet"]

MAX_SHEET_ROWS = 40
"""Rows of a sheet: about 6,500 px, what a viewer still opens at once."""

_MAX_PICTURES = 7
_CELL_WIDTH, _CELL_HEIGHT = 168, 112
_GAP, _MARGIN = 10, 24
_HEAD, _ROW_HEAD, _CAPTION = 74, 26, 34
_ROW_HEIGHT = _ROW_HEAD + _CELL_HEIGHT + _CAPTION + 2 * _GAP
_RATE_HZ = 4.0
_, _ORANGE, _GREEN, _ = COLOURS


def draw_sheet(path: Path, clusters: Sequence[Cluster], pool: DecodePool, threshold: float) -> None:
    """Write the picture, whole or not at all; clusters beyond the rows are counted in its head.

    Args:
        path: of the picture, PNG.
        clusters: in the order of their rows.
        pool: decodes the pictures.
        threshold: from which two items are linked.

    Raises:
        SetupError: it cannot be written.
    """
    shown = clusters[:MAX_SHEET_ROWS]
    pictures = _pictures(shown, pool)
    width = 2 * _MARGIN + _MAX_PICTURES * (_CELL_WIDTH + _GAP) + _GAP
    canvas = Canvas(width, _HEAD + max(1, len(shown)) * (_ROW_HEIGHT + _GAP) + _MARGIN)
    _draw_head(canvas, clusters, len(shown), threshold)
    for row, cluster in enumerate(shown):
        top = _HEAD + row * (_ROW_HEIGHT + _GAP)
        canvas.card((_MARGIN, top, width - _MARGIN, top + _ROW_HEIGHT))
        _draw_row(canvas, cluster, row + 1, top, pictures)
    part = path.with_name(f".{path.name}.part")
    try:
        canvas.reduced().save(part, format="PNG")
        part.replace(path)
    except OSError as error:
        raise SetupError(f"{path}: cannot be written: {error.strerror or error}") from error


def _draw_head(
    canvas: Canvas, clusters: Sequence[Cluster], num_shown: int, threshold: float
) -> None:
    advice = Counter(member.advice for cluster in clusters for member in cluster.members)
    title = f"{len(clusters)} clusters of near-duplicates: keep {advice['keep']}, "
    title += f"remove {advice['remove']}, look at {advice['look']}"
    canvas.text((_MARGIN, 34), title, 20)
    about = f"linked from a similarity of {threshold:.3g} on; the most doubtful cluster first"
    if num_shown < len(clusters):
        about += f"; {num_shown} shown, {len(clusters) - num_shown} more are not (clusters.json)"
    canvas.text((_MARGIN, 56), about, 13, FAINT)


def _draw_row(
    canvas: Canvas, cluster: Cluster, number: int, top: float, pictures: dict[str, Image.Image]
) -> None:
    left = _MARGIN + _GAP
    head = f"{number}   {len(cluster.members)} items, weakest link {cluster.weakest_link:.2f}, "
    head += f"least similarity {cluster.least_similarity:.2f}; keep the {cluster.why_kept}"
    canvas.text((left, top + 20), head, 13, INK)
    if cluster.is_chained:
        at = (_MARGIN + _MAX_PICTURES * (_CELL_WIDTH + _GAP), top + 20)
        canvas.text(at, CHAINED, 13, _ORANGE, "rs")
    members = _shown_members(cluster)
    for column, member in enumerate(members):
        at_left = left + column * (_CELL_WIDTH + _GAP)
        _draw_member(
            canvas, member, (at_left, top + _ROW_HEAD + _GAP), pictures, is_kept=column == 0
        )
    num_hidden = len(cluster.members) - len(members)
    if num_hidden:
        at_left = left + len(members) * (_CELL_WIDTH + _GAP)
        middle = top + _ROW_HEAD + _GAP + _CELL_HEIGHT / 2
        canvas.text((at_left + _CELL_WIDTH / 2, middle), f"{num_hidden} more", 18, FAINT, "mm")


def _shown_members(cluster: Cluster) -> tuple[Member, ...]:
    """The item to keep, and those that are least like it."""
    if len(cluster.members) <= _MAX_PICTURES:
        return cluster.members
    return cluster.members[: _MAX_PICTURES - 1]


def _draw_member(
    canvas: Canvas,
    member: Member,
    at: tuple[float, float],
    pictures: dict[str, Image.Image],
    *,
    is_kept: bool,
) -> None:
    left, top = at
    box = (left, top, left + _CELL_WIDTH, top + _CELL_HEIGHT)
    picture = pictures.get(member.facts.id)
    if picture is None:
        canvas.box(box, fill=(240, 239, 234), edge=EDGE, px=1)
        canvas.text((left + _CELL_WIDTH / 2, top + _CELL_HEIGHT / 2), "no picture", 12, FAINT, "mm")
    else:
        box = _contained(picture, box)
        canvas.picture(picture, box)
    if member.advice == "look":
        canvas.box(box, fill=None, edge=_ORANGE, px=3)
    if is_kept:
        canvas.box(box, fill=None, edge=_GREEN, px=4)
        canvas.box((left, top, left + 44, top + 20), fill=_GREEN, edge=None, px=0)
        canvas.text((left + 22, top + 10), "keep", 12, (255, 255, 255), "mm")
    canvas.text((left, top + _CELL_HEIGHT + 15), _cut(member.facts.id), 12, INK)
    canvas.text((left, top + _CELL_HEIGHT + 30), _about(member, is_kept=is_kept), 11, FAINT)


def _about(member: Member, *, is_kept: bool) -> str:
    facts = member.facts
    words = [] if is_kept else [f"{member.similarity:.2f}"]
    if member.is_same_file and not is_kept:
        words = ["same file"]
    elif member.advice == "look":
        words.append("look")
    if facts.width_px:
        words.append(f"{facts.width_px} x {facts.height_px}")
    if facts.duration_s:
        words.append(f"{facts.duration_s:.1f} s")
    if facts.num_bytes:
        words.append(f"{facts.num_bytes / 1000:.0f} kB")
    return "  ".join(words)


def _cut(name: str) -> str:
    most = 25
    return name if len(name) <= most else f"...{name[3 - most :]}"


def _contained(
    picture: Image.Image, box: tuple[float, float, float, float]
) -> tuple[float, float, float, float]:
    """The largest box of the picture's shape in the upper left of another."""
    left, top, right, bottom = box
    factor = min((right - left) / picture.width, (bottom - top) / picture.height)
    return left, top, left + picture.width * factor, top + picture.height * factor


def _pictures(clusters: Sequence[Cluster], pool: DecodePool) -> dict[str, Image.Image]:
    """Take the middle frame of each item that is shown and whose file is still there."""
    requests = _requests(clusters)
    found: dict[str, Image.Image] = {}
    with contextlib.closing(pool.decode(requests)) as events:
        for event in events:
            if isinstance(event, FrameBatch) and len(event) and event.video_id not in found:
                found[event.video_id] = Image.fromarray(event.pixels_THWC[0])
    return found


def _requests(clusters: Sequence[Cluster]) -> Iterator[DecodeRequest]:
    for cluster in clusters:
        for member in _shown_members(cluster):
            facts = member.facts
            if facts.path is None or not Path(facts.path).is_file():
                continue
            middle_s = facts.duration_s / 2
            is_long = facts.duration_s > 2 / _RATE_HZ
            yield DecodeRequest(
                video_id=facts.id,
                path=Path(facts.path),
                sha256=facts.sha256 or "0" * 64,
                rate_hz=_RATE_HZ,
                max_short_edge_px=2 * _CELL_HEIGHT,
                interval=Interval(middle_s, middle_s + 1 / _RATE_HZ) if is_long else None,
            )
