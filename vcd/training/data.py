"""Photographs, decoded once and packed, and the batches of edited views that are made of them.

Every photograph is decoded once, shrunk and written into one flat file, so that loader processes
share its pages and no epoch decodes again. Batch number n is a function of (photographs, settings,
n): a run that is resumed at step n sees exactly what it would have seen, and how many processes
make the batches changes nothing.
"""

import hashlib
import logging
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from vcd.core.errors import InputError, SetupError
from vcd.training.augment import edited_view, hard_view
from vcd.training.settings import TrainingSettings

__all__ = [
    "Batch",
    "PackedPhotos",
    "batch_of_step",
    "find_photos",
    "is_held_out",
    "load_batches",
    "pack_photos",
    "ramped",
    "read_held_out",
    "size_at",
    "without_twins",
]

logger = logging.getLogger(__name__)

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})
MAX_PHOTO_PIXELS = 80_000_000
"""A larger photograph is refused: it costs more memory than it teaches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedPhotos:
    """Decoded photographs in one flat array.

    Attributes:
        names: file name of each.
        levels: ``(bytes,)`` uint8, each photograph's ``(H, W, 3)`` one after the other.
        first: ``(N + 1,)`` int64, where each begins; the last entry is the end.
        sizes: ``(N, 2)`` int64, height and width of each.
    """

    names: tuple[str, ...]
    levels: NDArray[np.uint8]
    first: NDArray[np.int64]
    sizes: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, photo: int) -> NDArray[np.uint8]:
        height, width = self.sizes[photo]
        return self.levels[self.first[photo] : self.first[photo + 1]].reshape(height, width, 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What one step trains on: ``(V, S, S, 3)`` uint8 views and the photograph of each view."""

    step: int
    views_VHWC: NDArray[np.uint8]
    photo_V: NDArray[np.int64]


def find_photos(folder: Path) -> list[Path]:
    """List the photographs of a folder and its sub-folders, by path.

    Raises:
        SetupError: there is no such folder, or no photograph in it.
    """
    if not folder.is_dir():
        raise SetupError(f"no folder of photographs at {folder}")
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not found:
        raise SetupError(f"no photograph in {folder}; looked for {', '.join(sorted(SUFFIXES))}")
    return found


def is_held_out(name: str, *, every: int) -> bool:
    """Say whether the photograph of this file name is kept for measuring: one in ``every`` is."""
    digest = hashlib.sha256(name.encode()).digest()
    return int.from_bytes(digest[:8], "big") % every == 0


def pack_photos(paths: Sequence[Path], *, short_px: int, file: Path) -> PackedPhotos:
    """Decode photographs, shrink them and write them into one file that is mapped, not read.

    A photograph that cannot be read is named in the log and left out.

    Args:
        paths: the photographs.
        short_px: each is shrunk to at most this short side; small ones stay as they are.
        file: where the decoded pixels go; overwritten.

    Raises:
        SetupError: none of them can be read.
    """
    names, sizes = [], []
    with file.open("wb") as packed:
        for path in paths:
            try:
                pixels = _decode(path, short_px)
            except InputError as error:
                logger.warning("left out: %s", error)
                continue
            packed.write(pixels.tobytes())
            names.append(path.name)
            sizes.append(pixels.shape[:2])
    if not names:
        raise SetupError(f"none of {len(paths)} photographs can be read; the first is {paths[0]}")
    shapes = np.array(sizes, dtype=np.int64)
    first = np.concatenate([[0], np.cumsum(shapes.prod(axis=1) * 3)]).astype(np.int64)
    levels = np.memmap(file, dtype=np.uint8, mode="r")
    return PackedPhotos(names=tuple(names), levels=levels, first=first, sizes=shapes)


def without_twins(
    photos: PackedPhotos, features: NDArray[np.float32], *, similarity: float
) -> PackedPhotos:
    """Leave out every photograph that is closer than ``similarity`` to one that is kept.

    Args:
        photos: N photographs.
        features: ``(N, D)`` float32, unit rows.
        similarity: cosine from which two count as one.
    """
    kept: list[int] = []
    kept_features = np.empty_like(features)
    for photo in range(len(photos)):
        if (kept_features[: len(kept)] @ features[photo] < similarity).all():
            kept_features[len(kept)] = features[photo]
            kept.append(photo)
    parts = [photos[photo].reshape(-1) for photo in kept]
    return PackedPhotos(
        names=tuple(photos.names[photo] for photo in kept),
        levels=np.concatenate(parts),
        first=np.cumsum([0, *(len(part) for part in parts)]).astype(np.int64),
        sizes=photos.sizes[kept],
    )


def read_held_out(folder: Path, *, every: int, short_px: int = 320) -> list[NDArray[np.uint8]]:
    """Decode the photographs of a folder that training does not see; unreadable ones are skipped.

    Raises:
        SetupError: there is no such folder or no photograph in it.
    """
    photos = []
    for path in find_photos(folder):
        if is_held_out(path.name, every=every):
            try:
                photos.append(_decode(path, short_px))
            except InputError as error:
                logger.warning("left out: %s", error)
    return photos


def _decode(path: Path, short_px: int) -> NDArray[np.uint8]:
    try:
        with Image.open(path) as opened:
            if opened.width * opened.height > MAX_PHOTO_PIXELS:
                raise InputError(f"{path}: {opened.width}x{opened.height} pixels are too many")
            picture = ImageOps.exif_transpose(opened).convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"{path}: not a readable photograph ({error})") from error
    scale = min(1.0, short_px / min(picture.size))
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return np.array(picture.resize(size, Image.Resampling.BICUBIC), dtype=np.uint8)


def ramped(start: float, end: float, *, step: int, ramp_steps: int) -> float:
    """Rise linearly from ``start`` to ``end`` over the first ``ramp_steps`` steps."""
    share = 1.0 if step >= ramp_steps else step / ramp_steps
    return start + (end - start) * share


def size_at(settings: TrainingSettings, step: int) -> int:
    """Side of the square input at a step."""
    return settings.sizes_px[bisect_right(settings.size_steps, step) - 1]


def batch_of_step(photos: PackedPhotos, settings: TrainingSettings, step: int) -> Batch:
    """Make the views of one step: all first views, then all second views.

    Photographs come in a new random order each time all have been seen; a batch may span the end
    of one order and the beginning of the next, so no photograph is dropped.
    """
    chosen = _photos_of_step(len(photos), settings, step)
    rng = np.random.default_rng([settings.seed, 1, step])
    ramp = settings.augment
    strength = ramped(
        ramp.start_strength,
        ramp.end_strength,
        step=step,
        ramp_steps=ramp.ramp_steps,
    )
    alike = rng.random(len(chosen)) < ramp.alike_probability
    others = rng.integers(0, len(photos), size=(2, len(chosen)))
    is_hard = np.zeros((2, len(chosen)), dtype=bool)
    if ramp.hard_share:
        is_hard[1] = rng.random(len(chosen)) < ramp.hard_share
    strengths = np.full((2, len(chosen)), strength)
    strengths[0, ~alike] *= ramp.ref_share
    size = size_at(settings, step)
    views = []
    for side, place in np.ndindex(others.shape):
        photo, other = photos[int(chosen[place])], photos[int(others[side, place])]
        if is_hard[side, place]:
            views.append(hard_view(photo, other, size_px=size, rng=rng))
        else:
            depth = float(strengths[side, place])
            views.append(edited_view(photo, other, size_px=size, strength=depth, rng=rng))
    return Batch(step=step, views_VHWC=np.stack(views), photo_V=np.tile(chosen, 2))


def _photos_of_step(num_photos: int, settings: TrainingSettings, step: int) -> NDArray[np.int64]:
    size = min(settings.batch_photos, num_photos)
    places = np.arange(step * size, (step + 1) * size)
    rounds = places // num_photos
    chosen = np.empty(size, dtype=np.int64)
    for this_round in np.unique(rounds):
        order = np.random.default_rng([settings.seed, 0, int(this_round)]).permutation(num_photos)
        chosen[rounds == this_round] = order[places[rounds == this_round] % num_photos]
    return chosen


@dataclass(frozen=True, slots=True)
class _BatchPerStep:
    """Batches by step number, for a torch DataLoader."""

    photos: PackedPhotos
    settings: TrainingSettings

    def __getitem__(self, step: int) -> Batch:
        return batch_of_step(self.photos, self.settings, step)


def load_batches(photos: PackedPhotos, settings: TrainingSettings, first: int) -> Iterator[Batch]:
    """Give the batches of the steps from ``first`` on, made ahead by other processes."""
    from torch.utils.data import DataLoader, Dataset

    steps: Dataset[Batch] = _BatchPerStep(photos, settings)  # type: ignore[assignment]  # a protocol in all but name
    loader: DataLoader[Batch] = DataLoader(
        steps,
        batch_size=None,
        sampler=range(first, settings.steps),
        num_workers=settings.num_loaders,
        prefetch_factor=4 if settings.num_loaders else None,
        collate_fn=_as_is,
        worker_init_fn=_one_thread,
    )
    return iter(loader)


def _as_is(batch: Any) -> Any:  # noqa: ANN401  # what the loader declares
    """Leave numpy arrays as they are; torch's own default would make tensors of them."""
    return batch


def _one_thread(worker: int) -> None:
    import torch

    del worker
    torch.set_num_threads(1)
