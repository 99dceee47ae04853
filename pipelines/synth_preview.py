"""Draw a contact sheet: pictures of some synthetic queries above what they copy."""

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, ImageOps

from pipelines.synth_files import DataSet
from vcd.core import FrameBatch, Interval
from vcd.evaluation.stretches import TrueCopy
from vcd.evaluation.synthesis.query_plan import Part, QueryPlan
from vcd.media import DecodePool, DecodeRequest

__all__ = ["draw_preview"]

_MAX_ROWS = 24
_NUM_PICTURES = 5
_CELL_PX = (176, 120)
_GAP_PX = 4
_CAPTION_PX = 20
_RATE_HZ = 24.0
_PAPER, _INK = (250, 250, 248), (30, 30, 30)

Pixels = NDArray[np.uint8]
_Copy = tuple[QueryPlan, Part, TrueCopy]


def draw_preview(data_set: DataSet, made: Sequence[QueryPlan], pool: DecodePool) -> None:
    """Write ``preview.png``: two columns of copies, each of another edit as far as there are.

    Args:
        data_set: whose folder it is put in.
        made: the queries that are there.
        pool: decodes them.
    """
    copies = _chosen(made, data_set.ref_ids)
    width = 2 * (_NUM_PICTURES * (_CELL_PX[0] + _GAP_PX) + 3 * _GAP_PX)
    height = -(-len(copies) // 2) * _row_px() + _GAP_PX
    sheet = Image.new("RGB", (width, height), _PAPER)
    for ordinal, (plan, part, copy) in enumerate(copies):
        left = (ordinal % 2) * width // 2 + _GAP_PX
        top = (ordinal // 2) * _row_px() + _GAP_PX
        names = ", ".join(plan.edit_names(part))
        about = (
            f"{copy.query_id} {_span(copy.query)}  is  {copy.ref_id} {_span(copy.ref)}:  {names}"
        )
        font = ImageFont.load_default(12)
        ImageDraw.Draw(sheet).text((left, top), f"{about}  ({plan.structure})", _INK, font)
        sides = (
            (data_set.query_path(plan), copy.query),
            (data_set.ref_path(copy.ref_id), copy.ref),
        )
        for side, (path, interval) in enumerate(sides):
            for place, pixels in enumerate(_pictures(pool, path, interval)):
                picture = ImageOps.contain(Image.fromarray(pixels), _CELL_PX)
                at_left = left + place * (_CELL_PX[0] + _GAP_PX)
                at_top = top + _CAPTION_PX + side * (_CELL_PX[1] + _GAP_PX)
                sheet.paste(picture, (at_left, at_top))
    part_path = data_set.folder / ".preview.png"
    sheet.save(part_path)
    part_path.replace(data_set.folder / "preview.png")


def _chosen(made: Sequence[QueryPlan], ref_ids: Mapping[str, str]) -> list[_Copy]:
    """Take one copy of each kind of edit, then others."""
    copies = [(plan, *true) for plan in made for true in plan.true_copies(ref_ids)]
    first_of: dict[tuple[str, ...], _Copy] = {}
    for copy in copies:
        first_of.setdefault(copy[0].edit_names(copy[1]), copy)
    ranked = sorted(first_of.values(), key=lambda copy: len(copy[0].edit_names(copy[1])))
    return ranked[:_MAX_ROWS]


def _pictures(pool: DecodePool, path: Path, interval: Interval) -> list[Pixels]:
    """Take pictures from all over a stretch, at instants that two sides of a copy share."""
    request = DecodeRequest(
        video_id=path.stem,
        path=path,
        sha256="0" * 64,
        rate_hz=_RATE_HZ,
        max_short_edge_px=_CELL_PX[1],
        interval=interval,
    )
    shares = (np.arange(_NUM_PICTURES) + 0.5) / _NUM_PICTURES
    instants = interval.start_s + shares * interval.length_s
    found: list[Pixels] = []
    with contextlib.closing(pool.decode([request])) as events:
        for event in events:
            if not isinstance(event, FrameBatch):
                continue
            for end_s, pixels in zip(event.timeline.end_s, event.pixels_THWC, strict=True):
                if len(found) < _NUM_PICTURES and instants[len(found)] < end_s:
                    found.append(pixels)
    return found


def _span(interval: Interval) -> str:
    return f"{interval.start_s:.2f}-{interval.end_s:.2f} s"


def _row_px() -> int:
    return _CAPTION_PX + 2 * (_CELL_PX[1] + _GAP_PX) + 2 * _GAP_PX
