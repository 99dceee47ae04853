"""`vcd train`: train a descriptor on a folder of photographs."""

import argparse
import json
import sys
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipelines.cli import verb_parser
from vcd.core.errors import SetupError
from vcd.descriptors import Preprocessing
from vcd.evaluation.synthesis.disc_like import DiscLikeSet, make_disc_like, score_disc_like
from vcd.training.data import find_photos, is_held_out, pack_photos, without_twins
from vcd.training.settings import (
    AugmentSettings,
    LossSettings,
    OptimizerSettings,
    TrainingSettings,
)

if TYPE_CHECKING:
    from torch import nn

    from vcd.training.data import PackedPhotos
    from vcd.training.loop import Measure

__all__ = ["described", "main", "pdq_similarity", "read_settings", "squashed"]

_ABOUT = """\
Train a descriptor on a folder of photographs. Some are held out, and after each epoch the
network is measured on edited copies of them, beside the hash PDQ.
Writes last.pt, best.pt and metrics.jsonl; prints the path of best.pt."""

_PREVIEW_STRENGTHS = (0.0, 0.25, 0.25, 0.5, 0.5, 1.0, 1.0, 1.0, 1.0, 1.0)

_MEASURED_REFS = 500
_MEASURED_SEED = 1
"""Of the set that picks the best epoch; the model card is measured with another seed."""


def main(argv: Sequence[str]) -> int:
    """Run the verb; see ``vcd train --help``."""
    arguments = _parse(argv)
    settings = read_settings(arguments.config)
    if arguments.photos is not None:
        settings = replace(settings, photos=str(arguments.photos))
    if not settings.photos:
        raise SetupError(f"{arguments.config} names no folder of photographs; give --photos DIR")
    if arguments.preview:
        print(_write_preview(settings, arguments.out))
    else:
        start = arguments.start_from
        print(_train(settings, arguments.out, start=start, resume=arguments.resume))
    return 0


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = verb_parser("train", _ABOUT)
    parser.add_argument("--photos", type=Path, metavar="DIR", help="instead of the file's folder")
    parser.add_argument("--out", type=Path, metavar="DIR", default=Path("runs/train"))
    parser.add_argument("--resume", action="store_true", help="go on from the last epoch")
    parser.add_argument(
        "--start-from", type=Path, metavar="FILE", help="a checkpoint to go on training from"
    )
    parser.add_argument("--preview", action="store_true", help="only write a contact sheet")
    arguments = parser.parse_args(argv)
    if arguments.config is None:
        parser.error("a recipe is needed: --config configs/smoke.toml")
    return arguments


def read_settings(file: Path) -> TrainingSettings:
    """Read the recipe of a TOML file.

    Raises:
        SetupError: no such file, no valid TOML, a key that no setting has or a bad value.
    """
    try:
        table: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))["training"]
        table["augment"] = AugmentSettings(**table.pop("augment", {}))
        table["loss"] = LossSettings(**table.pop("loss", {}))
        table["optimizer"] = OptimizerSettings(**table.pop("optimizer", {}))
        tuples = {key: tuple(value) for key, value in table.items() if isinstance(value, list)}
        return TrainingSettings(**(table | tuples))
    except KeyError as error:
        raise SetupError(f"{file}: not a training recipe, for it has no table {error}") from error
    except (OSError, ValueError, TypeError) as error:
        raise SetupError(f"{file}: not a training recipe: {error}") from error


def _train(settings: TrainingSettings, out: Path, *, start: Path | None, resume: bool) -> Path:
    from vcd.training.loop import train

    with tempfile.TemporaryDirectory(prefix="vcd-train-") as cache:
        training, held_out = _packed(settings, Path(cache))
        training = _deduplicated(training, settings, start)
        measure = _measure(held_out, settings)
        return train(
            lambda: _first_network(settings, start),
            training,
            settings,
            folder=out,
            measure=measure,
            resume=resume,
        )


def _first_network(settings: TrainingSettings, start: Path | None) -> "nn.Module":
    """Build the network with random weights or with the averaged ones of another run."""
    from vcd.descriptors.sscd import build_network
    from vcd.training.loop import load_checkpoint

    network = build_network(settings.trunk, settings.dim)
    if start is not None:
        try:
            network.load_state_dict(load_checkpoint(start)["average"])
        except RuntimeError as error:
            wanted = f"{settings.trunk} with {settings.dim} dimensions"
            raise SetupError(f"{start}: not a checkpoint of {wanted}") from error
    return network


def _deduplicated(
    photos: "PackedPhotos", settings: TrainingSettings, start: Path | None
) -> "PackedPhotos":
    """Leave out near duplicates, where the recipe asks for it."""
    if settings.twin_similarity is None:
        return photos
    if start is None:
        raise SetupError("twin_similarity needs a network to see twins with; give --start-from")
    network = _first_network(settings, start).eval()
    features = np.concatenate(
        [
            described(network, squashed([photos[photo]], settings.input_px))
            for photo in range(len(photos))
        ]
    )
    kept = without_twins(photos, features, similarity=settings.twin_similarity)
    print(f"{len(photos) - len(kept)} near duplicates left out", file=sys.stderr)
    return kept


def _packed(settings: TrainingSettings, cache: Path) -> tuple["PackedPhotos", "PackedPhotos"]:
    """Pack the photographs to train on and those that are held out."""
    found = find_photos(Path(settings.photos))
    every = settings.holdout_every
    held_out = [path for path in found if is_held_out(path.name, every=every)]
    training = [path for path in found if not is_held_out(path.name, every=every)]
    if len(held_out) < 2:
        raise SetupError(f"{settings.photos}: {len(found)} photographs are too few to hold any out")
    packed = pack_photos(training, short_px=settings.store_px, file=cache / "training")
    return packed, pack_photos(held_out, short_px=settings.store_px, file=cache / "held_out")


def _measure(held_out: "PackedPhotos", settings: TrainingSettings) -> "Measure":
    """Make what measures a network on the held-out photographs, with PDQ beside it."""
    num_refs = min(_MEASURED_REFS, len(held_out) // 2)
    disc = make_disc_like(
        [held_out[photo] for photo in range(len(held_out))],
        num_refs=num_refs,
        num_queries=3 * num_refs,
        seed=_MEASURED_SEED,
    )
    refs = squashed(disc.refs, settings.input_px)
    queries = squashed(disc.queries, settings.input_px)
    pdq = pdq_similarity(disc)
    beside = {} if pdq is None else {"pdq_micro_ap": score_disc_like(disc, pdq)["micro_ap"]}

    def measure(network: "nn.Module") -> Mapping[str, float]:
        similarity = described(network, queries) @ described(network, refs).T
        metrics = score_disc_like(disc, similarity) | beside
        print(json.dumps(metrics), file=sys.stderr, flush=True)
        return metrics

    return measure


def squashed(pictures: Sequence[NDArray[np.uint8]], size_px: int) -> NDArray[np.uint8]:
    """Bring pictures to ``(N, size_px, size_px, 3)`` as the detector does with ``skew_N``."""
    preprocessing = Preprocessing.from_name(f"skew_{size_px}")
    return np.stack([preprocessing.resize(picture) for picture in pictures])


def described(network: "nn.Module", pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Describe ``(N, S, S, 3)`` uint8 pictures with a network in evaluation mode."""
    import torch

    from vcd.training.loop import standardize_pixels

    with torch.no_grad():
        parts = [
            network(standardize_pixels(torch.from_numpy(pixels[first : first + 64]))).numpy()
            for first in range(0, len(pixels), 64)
        ]
    return np.concatenate(parts)


def pdq_similarity(disc: DiscLikeSet) -> NDArray[np.float32] | None:
    """Compare all pictures by the 256-bit hash PDQ; None where ``pdqhash`` is not installed."""
    try:
        import pdqhash
    except ImportError:
        return None
    queries, refs = (
        np.stack([pdqhash.compute(np.ascontiguousarray(picture))[0] for picture in pictures])
        for pictures in (disc.queries, disc.refs)
    )
    signs_QB, signs_RB = (2.0 * bits.astype(np.float32) - 1.0 for bits in (queries, refs))
    similarity: NDArray[np.float32] = signs_QB @ signs_RB.T
    return similarity


def _write_preview(settings: TrainingSettings, out: Path) -> Path:
    """Write a contact sheet: a row a photograph, left as it is, then edited ever more strongly."""
    from PIL import Image

    from vcd.training.augment import edited_view

    found = find_photos(Path(settings.photos))
    rng = np.random.default_rng(settings.seed)
    chosen = [found[int(photo)] for photo in rng.choice(len(found), size=12)]
    with tempfile.TemporaryDirectory(prefix="vcd-preview-") as cache:
        photos = pack_photos(chosen, short_px=settings.store_px, file=Path(cache) / "photos")
        rows = []
        for photo in range(len(photos)):
            this, other = photos[photo], photos[(photo + 1) % len(photos)]
            size = settings.input_px
            views = [
                edited_view(this, other, size_px=size, strength=strength, rng=rng)
                for strength in _PREVIEW_STRENGTHS
            ]
            rows.append(np.hstack(views))
    out.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.vstack(rows)).save(out / "preview.png")
    return out / "preview.png"
