"""The batches of edited views that a step trains on.

Batch number n is a function of (photographs, settings, n): a run that is resumed at step n sees
exactly what it would have seen, and how many processes make the batches changes nothing.
"""

import signal
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vcd.training.augment import PUBLISHED_RECIPES, RECIPES_WITH_TEXT, edited_view, hard_view
from vcd.training.data import PackedPhotos
from vcd.training.fonts import load_faces
from vcd.training.mixing import Mixing, mix, plan_mixing
from vcd.training.settings import TrainingSettings

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Batch", "load_batches", "make_batch", "ramped", "size_at"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What one step trains on.

    Attributes:
        step: number of the step.
        views_VHWC: ``(V, S, S, 3)`` uint8 RGB: all first views, then all second views.
        photo_V: ``(V,)`` int64, the photograph of each view.
        mixed_photo_V: ``(V,)`` int64, the photograph that is mixed into each view; its own where
            none is.
        share_V: ``(V,)`` float32, how much of each view is its own photograph; 1.0 where nothing is
            mixed.
    """

    step: int
    views_VHWC: NDArray[np.uint8]
    photo_V: NDArray[np.int64]
    mixed_photo_V: NDArray[np.int64]
    share_V: NDArray[np.float32]


def ramped(start: float, end: float, *, step: int, ramp_steps: int) -> float:
    """Rise linearly from ``start`` to ``end`` over the first ``ramp_steps`` steps."""
    share = 1.0 if step >= ramp_steps else step / ramp_steps
    return start + (end - start) * share


def size_at(settings: TrainingSettings, step: int) -> int:
    """Side of the square input at a step."""
    return settings.sizes_px[bisect_right(settings.size_steps, step) - 1]


def make_batch(
    photos: PackedPhotos,
    settings: TrainingSettings,
    number: int,
    *,
    process: int = 0,
    num_processes: int = 1,
) -> Batch:
    """Make the views of one batch: all first views, then all second views.

    Photographs come in a new random order each time all have been seen; a batch may span the end
    of one order and the beginning of the next, so no photograph is dropped. The parts of all
    processes together are, view for view, the batch of one process alone.

    Args:
        photos: what the run trains on.
        settings: the recipe.
        number: of the batch; a step takes ``settings.accumulate_batches`` of them.
        process: whose part of the batch is wanted; 0 is the first.
        num_processes: in how many parts, of equal numbers of photographs as far as that goes, the
            batch is made.
    """
    step = number // settings.accumulate_batches
    chosen = _chosen_photos(len(photos), settings, number)
    photo_V = np.tile(chosen, 2)
    bounds = len(chosen) * process // num_processes, len(chosen) * (process + 1) // num_processes
    wanted = np.arange(len(photo_V)).reshape(2, -1)[:, slice(*bounds)].reshape(-1)
    mixing = plan_mixing(
        len(photo_V),
        size_at(settings, step),
        probability=settings.augment.mixup_probability,
        rng=np.random.default_rng([settings.seed, 2, number]),
    )
    needed = frozenset(wanted.tolist()) | frozenset(mixing.partner_V[wanted].tolist())
    draw = _copies if settings.augment.recipe == "copies" else _published
    views = dict(draw(photos, settings, number, chosen, needed))
    return Batch(
        step=step,
        views_VHWC=np.stack([_mixed(views, view, mixing) for view in wanted.tolist()]),
        photo_V=photo_V[wanted],
        mixed_photo_V=photo_V[mixing.partner_V[wanted]],
        share_V=mixing.share_V[wanted],
    )


def _mixed(views: Mapping[int, NDArray[np.uint8]], view: int, mixing: Mixing) -> NDArray[np.uint8]:
    partner = int(mixing.partner_V[view])
    if partner == view:
        return views[view]
    share = float(mixing.share_V[view])
    return mix(views[view], views[partner], share=share, box=mixing.box_V4[view])


def _published(
    photos: PackedPhotos,
    settings: TrainingSettings,
    number: int,
    chosen: NDArray[np.int64],
    needed: frozenset[int],
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Make the views of these numbers, each with a generator of its own."""
    recipe = PUBLISHED_RECIPES[settings.augment.recipe]
    size = size_at(settings, number // settings.accumulate_batches)
    for view in sorted(needed):
        rng = np.random.default_rng([settings.seed, 3, number, view])
        photo = photos[int(chosen[view % len(chosen)])]
        other = photos[int(rng.integers(0, len(photos)))]
        yield view, recipe(photo, other, size_px=size, rng=rng)


def _copies(
    photos: PackedPhotos,
    settings: TrainingSettings,
    number: int,
    chosen: NDArray[np.int64],
    needed: frozenset[int],
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Make all views, whose one generator goes from view to view, and give those needed."""
    step = number // settings.accumulate_batches
    rng = np.random.default_rng([settings.seed, 1, number])
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
    for view, (side, place) in enumerate(np.ndindex(others.shape)):
        photo, other = photos[int(chosen[place])], photos[int(others[side, place])]
        if is_hard[side, place]:
            pixels = hard_view(photo, other, size_px=size, rng=rng)
        else:
            depth = float(strengths[side, place])
            pixels = edited_view(photo, other, size_px=size, strength=depth, rng=rng)
        if view in needed:
            yield view, pixels


def _chosen_photos(num_photos: int, settings: TrainingSettings, number: int) -> NDArray[np.int64]:
    size = min(settings.batch_photos, num_photos)
    places = np.arange(number * size, (number + 1) * size)
    rounds = places // num_photos
    chosen = np.empty(size, dtype=np.int64)
    for this_round in np.unique(rounds):
        order = np.random.default_rng([settings.seed, 0, int(this_round)]).permutation(num_photos)
        chosen[rounds == this_round] = order[places[rounds == this_round] % num_photos]
    return chosen


@dataclass(frozen=True, slots=True)
class _NumberedBatches:
    """Batches by number, for a torch DataLoader."""

    photos: PackedPhotos
    settings: TrainingSettings
    process: int
    num_processes: int

    def __getitem__(self, number: int) -> "tuple[Tensor, Batch]":
        """Give the views as a tensor, which goes to another process in shared memory."""
        import torch

        batch = make_batch(
            self.photos,
            self.settings,
            number,
            process=self.process,
            num_processes=self.num_processes,
        )
        views = torch.from_numpy(batch.views_VHWC)
        return views, replace(batch, views_VHWC=batch.views_VHWC[:0])


def load_batches(
    photos: PackedPhotos,
    settings: TrainingSettings,
    first: int,
    *,
    process: int = 0,
    num_processes: int = 1,
) -> Iterator[Batch]:
    """Give the batches of the steps from ``first`` on, made ahead by loader processes.

    Args:
        photos: what the run trains on.
        settings: the recipe; a step has ``accumulate_batches`` batches, one after the other.
        first: number of the first step.
        process: which of the training processes asks; 0 is the first.
        num_processes: how many training processes share each batch.

    Raises:
        SetupError: the recipe writes text, and the fonts for it are not installed.
    """
    from torch.utils.data import DataLoader, Dataset

    if settings.augment.recipe in RECIPES_WITH_TEXT:
        load_faces()
    numbered = _NumberedBatches(photos, settings, process, num_processes)
    batches: Dataset[tuple[Tensor, Batch]] = numbered  # type: ignore[assignment]  # a protocol in all but name
    per_step = settings.accumulate_batches
    loader: DataLoader[tuple[Tensor, Batch]] = DataLoader(
        batches,
        batch_size=None,
        sampler=range(first * per_step, settings.steps * per_step),
        num_workers=settings.num_loaders,
        prefetch_factor=4 if settings.num_loaders else None,
        collate_fn=_as_is,
        worker_init_fn=_begin_loader,
    )
    return (replace(batch, views_VHWC=views.numpy()) for views, batch in loader)


def _as_is(batch: object) -> object:
    """Leave numpy arrays as they are; torch's own default would make tensors of them."""
    return batch


def _begin_loader(worker: int) -> None:
    """Leave ^C and SIGTERM, which reach the whole group, to the training process, which saves."""
    import torch

    del worker
    torch.set_num_threads(1)
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
