"""Draw the contact sheet of a training recipe: ``preview.png`` of ``vcd train --preview``."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from pipelines.canvas import FAINT, Canvas
from vcd.core.errors import SetupError
from vcd.training.data import find_photos, pack_photos
from vcd.training.settings import TrainingSettings

if TYPE_CHECKING:
    from vcd.training.contact_sheet import Row

__all__ = ["write_preview"]

_MAX_PHOTOS = 24
_MAX_VIEW_ROWS = 6
_CELL_PX = 144
_GAP_PX = 8
_CAPTION_PX = 18
_NAME_PX = 22
_TITLE_PX = 56
_MARGIN_PX = 18
_COLUMNS = 9
_EDIT_CELLS = 4
_ROW_PX = _NAME_PX + _CELL_PX + _CAPTION_PX
_PITCH_PX = _CELL_PX + _GAP_PX


def write_preview(settings: TrainingSettings, out: Path) -> Path:
    """Write a picture of what the recipe does to some of its photographs, and return its path.

    Every edit alone, by name, from weak to strong; then whole views of real batches; then mixed
    ones, if the recipe has any.

    Args:
        settings: the recipe; its seed chooses the photographs.
        out: folder of ``preview.png``; made when missing.

    Raises:
        SetupError: no photograph can be read, the fonts of the recipe are not installed, or the
            picture cannot be written.
    """
    from vcd.training.contact_sheet import edit_rows, mixed_rows, view_rows

    found = find_photos(Path(settings.photos))
    rng = np.random.default_rng(settings.seed)
    chosen = rng.permutation(len(found))[:_MAX_PHOTOS]
    with tempfile.TemporaryDirectory(prefix="vcd-preview-") as cache:
        paths = [found[int(photo)] for photo in chosen]
        photos = pack_photos(paths, short_px=settings.store_px, file=Path(cache) / "photos")
        edits, mixed = edit_rows(photos, settings), mixed_rows(photos, settings)
        views = view_rows(photos, settings)[:_MAX_VIEW_ROWS]
    sheet = _drawn(settings, edits, views, mixed)
    try:
        out.mkdir(parents=True, exist_ok=True)
        sheet.save(out / "preview.png")
    except OSError as error:
        raise SetupError(f"{out}: the contact sheet cannot be written ({error})") from error
    return out / "preview.png"


def _drawn(
    settings: TrainingSettings,
    edits: Sequence["Row"],
    views: Sequence["Row"],
    mixed: Sequence["Row"],
) -> Image.Image:
    half = -(-len(edits) // 2)
    num_titles = 3 if mixed else 2
    height = 2 * _MARGIN_PX + num_titles * _TITLE_PX + (half + len(views) + len(mixed)) * _ROW_PX
    width = 2 * _MARGIN_PX + _COLUMNS * _PITCH_PX
    canvas = Canvas(width, height)
    recipe, top = settings.augment.recipe, _MARGIN_PX
    top = _title(canvas, top, f"Recipe {recipe}: each edit alone")
    for ordinal, row in enumerate(edits):
        column, line = divmod(ordinal, half)
        left = _MARGIN_PX + column * (_COLUMNS - _EDIT_CELLS) * _PITCH_PX
        _row(canvas, row, left, top + line * _ROW_PX)
    top += half * _ROW_PX
    top = _title(canvas, top, f"Both views of a photograph at four of {settings.steps} steps")
    for row in views:
        top = _row(canvas, row, _MARGIN_PX, top)
    if mixed:
        share = settings.augment.mixup_probability
        top = _title(canvas, top, f"Mixed with a view of another photograph ({share:.0%} of views)")
        for row in mixed:
            top = _row(canvas, row, _MARGIN_PX, top)
    return canvas.reduced()


def _title(canvas: Canvas, top: int, words: str) -> int:
    canvas.text((_MARGIN_PX, top + _TITLE_PX - 16), words, 20)
    return top + _TITLE_PX


def _row(canvas: Canvas, row: "Row", left: int, top: int) -> int:
    canvas.text((left, top + _NAME_PX - 6), row.name, 13)
    top += _NAME_PX
    for ordinal, cell in enumerate(row.cells):
        at = left + ordinal * _PITCH_PX
        box = (at, top, at + _CELL_PX, top + _CELL_PX)
        canvas.picture(Image.fromarray(cell.pixels), box)
        canvas.text((at, top + _CELL_PX + 12), cell.caption, 10, FAINT)
    return top + _CELL_PX + _CAPTION_PX
