"""Train a descriptor on a folder of photographs: ``vcd train --config configs/X.toml``."""

import argparse
import json
import logging
import sys
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vcd.core.errors import InputError, SetupError
from vcd.evaluation.disc_like import DiscLikeSet, make_disc_like, score_disc_like
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

__all__ = ["described", "main", "measured_pdq", "read_settings", "squashed"]

Pixels = NDArray[np.uint8]

MEASURED_REFS = 500
MEASURED_QUERIES = 1530
MEASURED_SEED = 1


def main(argv: Sequence[str] | None = None) -> int:
    """Run the verb; 0 done, 1 failed, 2 misuse, 130 interrupted."""
    arguments = _parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        settings = read_settings(arguments.config)
        if arguments.photos is not None:
            settings = replace(settings, photos=str(arguments.photos))
        if arguments.preview:
            _write_preview(settings, arguments.out)
        else:
            _train(settings, arguments.out, resume=arguments.resume)
    except (InputError, SetupError) as error:
        print(f"vcd train: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("vcd train: interrupted; --resume goes on from the last epoch", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="vcd train", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="TOML file with the recipe")
    parser.add_argument("--photos", type=Path, help="folder of photographs, instead of the file's")
    parser.add_argument("--out", type=Path, default=Path("runs/train"), help="checkpoints go here")
    parser.add_argument("--resume", action="store_true", help="go on from the last epoch")
    parser.add_argument("--preview", action="store_true", help="write a contact sheet of edits")
    return parser


def read_settings(file: Path) -> TrainingSettings:
    """Read the recipe of a TOML file.

    Raises:
        SetupError: no such file, no valid TOML, or a key that no setting has.
    """
    try:
        table: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))["training"]
        table["augment"] = AugmentSettings(**table.pop("augment", {}))
        table["loss"] = LossSettings(**table.pop("loss", {}))
        table["optimizer"] = OptimizerSettings(**table.pop("optimizer", {}))
        tuples = {key: tuple(value) for key, value in table.items() if isinstance(value, list)}
        return TrainingSettings(**(table | tuples))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise SetupError(f"{file}: not a training configuration ({error})") from error


def _train(settings: TrainingSettings, out: Path, *, resume: bool) -> None:
    from vcd.descriptors.sscd import build_network
    from vcd.training.loop import train

    with tempfile.TemporaryDirectory(prefix="vcd-train-") as cache:
        training, held_out = _packed(settings, Path(cache))
        measure = _measure(held_out, settings)
        best = train(
            lambda: build_network(settings.trunk, settings.dim),
            training,
            settings,
            folder=out,
            measure=measure,
            resume=resume,
        )
    print(best)


def _packed(settings: TrainingSettings, cache: Path) -> tuple["PackedPhotos", "PackedPhotos"]:
    """Pack the photographs to train on and those that are held out."""
    from vcd.training.data import find_photos, is_held_out, pack_photos

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
    num_refs = min(MEASURED_REFS, len(held_out) // 2)
    disc = make_disc_like(
        [held_out[photo] for photo in range(len(held_out))],
        num_refs=num_refs,
        num_queries=min(MEASURED_QUERIES, 3 * num_refs),
        seed=MEASURED_SEED,
    )
    refs = squashed(disc.refs, settings.input_px)
    queries = squashed(disc.queries, settings.input_px)
    pdq = measured_pdq(disc)["micro_ap"]

    def measure(network: "nn.Module") -> Mapping[str, float]:
        similarity = described(network, queries) @ described(network, refs).T
        metrics = score_disc_like(disc, similarity) | {"pdq_micro_ap": pdq}
        print(json.dumps(metrics), file=sys.stderr, flush=True)
        return metrics

    return measure


def squashed(pictures: Sequence[Pixels], size_px: int) -> Pixels:
    """Squash pictures to squares, antialiased bilinear: ``(N, size_px, size_px, 3)`` uint8."""
    from PIL import Image

    bilinear = Image.Resampling.BILINEAR
    size = (size_px, size_px)
    return np.stack([np.array(Image.fromarray(each).resize(size, bilinear)) for each in pictures])


def described(network: "nn.Module", pixels: Pixels) -> NDArray[np.float32]:
    """Describe ``(N, S, S, 3)`` uint8 pictures with a network in evaluation mode."""
    import torch

    from vcd.training.loop import standardize_pixels

    with torch.no_grad():
        parts = [
            network(standardize_pixels(torch.from_numpy(pixels[first : first + 64]))).numpy()
            for first in range(0, len(pixels), 64)
        ]
    return np.concatenate(parts)


def measured_pdq(disc: DiscLikeSet) -> dict[str, float]:
    """Measure the 256-bit hash PDQ on the set; NaN where pdqhash is not installed."""
    try:
        import pdqhash
    except ImportError:
        return {"micro_ap": float("nan")}
    hashes = [
        np.stack([pdqhash.compute(np.ascontiguousarray(each))[0] for each in pictures])
        for pictures in (disc.queries, disc.refs)
    ]
    signs = [2.0 * each.astype(np.float32) - 1.0 for each in hashes]
    return score_disc_like(disc, signs[0] @ signs[1].T)


def _write_preview(settings: TrainingSettings, out: Path) -> None:
    """Write a contact sheet: a row a photograph, left as it is, then edited ever more strongly."""
    from PIL import Image

    from vcd.training.augment import edited_view
    from vcd.training.data import find_photos, pack_photos

    found = find_photos(Path(settings.photos))
    rng = np.random.default_rng(settings.seed)
    chosen = [found[int(photo)] for photo in rng.choice(len(found), size=12)]
    with tempfile.TemporaryDirectory(prefix="vcd-preview-") as cache:
        photos = pack_photos(chosen, short_px=settings.store_px, file=Path(cache) / "photos")
        rows = [
            np.hstack(
                [
                    edited_view(
                        photos[photo],
                        photos[(photo + 1) % len(photos)],
                        size_px=settings.input_px,
                        strength=strength,
                        rng=rng,
                    )
                    for strength in (0.0, 0.25, 0.25, 0.5, 0.5, 1.0, 1.0, 1.0, 1.0, 1.0)
                ]
            )
            for photo in range(len(photos))
        ]
    out.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.vstack(rows)).save(out / "preview.png")
    print(out / "preview.png")


if __name__ == "__main__":
    sys.exit(main())
