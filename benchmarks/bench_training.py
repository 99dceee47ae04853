"""Measure how fast training goes: the input pipeline alone, the step alone, and both together.

    python -m benchmarks.bench_training PHOTOS
    python -m benchmarks.bench_training PHOTOS --trunks resnet50 --device cuda --bf16 \\
        --views 256 --loaders 15 --steps 200

Edits and steps on a CPU are counted in seconds of processor time, so that a busy machine changes
little: views per second of one core. On a GPU steps are counted in seconds of the clock. The third
table is seconds of the clock in any case: it says which share of them the step waits for views.
Writes Markdown, and JSON with ``--out``.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import torch

from vcd.descriptors.sscd import build_network
from vcd.training import AugmentSettings, TrainingSettings
from vcd.training.bank import Bank
from vcd.training.batches import Batch, load_batches, make_batch
from vcd.training.data import PackedPhotos, find_photos, pack_photos
from vcd.training.optimizer import build_optimizer
from vcd.training.step import compute_gradients

RECIPES = ("strong_blur", "advanced", "advanced_video", "copies")
ROUNDS = 5
"""Measured so often; the median counts, least and most are told."""


@dataclass(frozen=True)
class Speed:
    """Views per second, of each round."""

    views_per_s: tuple[float, ...]

    def __str__(self) -> str:
        rates = self.views_per_s
        return f"{median(rates):.0f} | {min(rates):.0f} to {max(rates):.0f}"


def main(argv: Sequence[str] | None = None) -> int:
    arguments = parse(argv)
    torch.set_num_threads(1)
    paths = find_photos(arguments.photos)
    paths = paths[:: max(1, len(paths) // 256)]
    results: dict[str, object] = {"device": str(arguments.device), "views": arguments.views}
    with tempfile.TemporaryDirectory() as cache:
        file = Path(cache) / "photos"
        photos = pack_photos(paths, short_px=arguments.store_px, file=file)
        base = TrainingSettings(
            batch_photos=arguments.views // 2, store_px=arguments.store_px, bf16=arguments.bf16
        )
        results["input"] = input_table(photos, base, arguments.sizes)
        results["step"] = step_table(photos, base, arguments)
        results["both"] = both_table(photos, base, arguments)
    if arguments.out is not None:
        arguments.out.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    return 0


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("photos", type=Path)
    parser.add_argument("--device", default="cpu", type=torch.device)
    parser.add_argument("--sizes", nargs="+", type=int, default=[128, 224])
    parser.add_argument("--trunks", nargs="*", default=["resnet18_w32"])
    parser.add_argument("--views", type=int, default=32, help="of a batch")
    parser.add_argument("--store-px", type=int, default=288)
    parser.add_argument("--loaders", type=int, default=1, help="processes that make views")
    parser.add_argument("--steps", type=int, default=8, help="that loaders feed")
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--out", type=Path, metavar="FILE.json")
    return parser.parse_args(argv)


def of_recipe(base: TrainingSettings, recipe: str, size_px: int) -> TrainingSettings:
    """Settings of a recipe at full strength; what is mixed is mixed as published."""
    augment = AugmentSettings(recipe=recipe, mixup_probability=0.05, start_strength=1.0)
    return replace(base, augment=augment, sizes_px=(size_px,), size_steps=(0,))


def input_table(
    photos: PackedPhotos, base: TrainingSettings, sizes: Sequence[int]
) -> list[dict[str, object]]:
    print("| recipe | input | views/s of one core | least to most |")
    print("| --- | --- | ---: | ---: |")
    rows: list[dict[str, object]] = []
    for recipe in RECIPES:
        for size_px in sizes:
            settings = of_recipe(base, recipe, size_px)
            make_batch(photos, settings, 0)
            numbers = iter(range(1, ROUNDS + 1))
            speed = measured(
                lambda settings=settings, numbers=numbers: make_batch(
                    photos, settings, next(numbers)
                ),
                base.batch_photos * 2,
                clock=time.process_time,
            )
            print(f"| {recipe} | {size_px} px | {speed} |", flush=True)
            rows.append({"recipe": recipe, "size_px": size_px, "views_per_s": speed.views_per_s})
    return rows


def measured(work: Callable[[], object], num_views: int, *, clock: Callable[[], float]) -> Speed:
    rates = []
    for _ in range(ROUNDS):
        began = clock()
        work()
        rates.append(num_views / (clock() - began))
    return Speed(tuple(rates))


class Step:
    """A network that takes whole training steps, and waits for the device after each."""

    def __init__(self, trunk: str, settings: TrainingSettings, device: torch.device) -> None:
        torch.manual_seed(0)
        network = build_network(trunk, settings.dim).to(device)
        self.network = network.to(memory_format=torch.channels_last).train()
        self.settings = settings
        self.device = device
        self.optimizer = build_optimizer(self.network, settings.optimizer)

    def take(self, batch: Batch, names: tuple[str, ...]) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        compute_gradients(
            self.network,
            batch,
            self.settings,
            step=0,
            bank=Bank.empty(self.settings.dim),
            names=names,
        )
        self.optimizer.step()
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def clock(self) -> Callable[[], float]:
        return time.monotonic if self.device.type == "cuda" else time.process_time


def step_table(
    photos: PackedPhotos, base: TrainingSettings, arguments: argparse.Namespace
) -> list[dict[str, object]]:
    seconds = "second" if arguments.device.type == "cuda" else "second of one core"
    print(f"\n| trunk | input | views per {seconds}, step alone | least to most |")
    print("| --- | --- | ---: | ---: |")
    rows: list[dict[str, object]] = []
    for trunk in arguments.trunks:
        for size_px in arguments.sizes:
            settings = of_recipe(base, "strong_blur", size_px)
            step, batch = Step(trunk, settings, arguments.device), make_batch(photos, settings, 0)
            step.take(batch, photos.names)
            speed = measured(
                lambda step=step, batch=batch: step.take(batch, photos.names),
                len(batch.photo_V),
                clock=step.clock(),
            )
            print(f"| {trunk} | {size_px} px | {speed} |", flush=True)
            rows.append({"trunk": trunk, "size_px": size_px, "views_per_s": speed.views_per_s})
    return rows


def both_table(
    photos: PackedPhotos, base: TrainingSettings, arguments: argparse.Namespace
) -> list[dict[str, object]]:
    print(f"\n| trunk | recipe | input | views/s, {arguments.loaders} loaders | waiting |")
    print("| --- | --- | --- | ---: | ---: |")
    rows: list[dict[str, object]] = []
    for trunk in arguments.trunks:
        for recipe in ("advanced", "copies"):
            for size_px in arguments.sizes:
                settings = replace(
                    of_recipe(base, recipe, size_px), num_loaders=arguments.loaders, steps=10_000
                )
                rate, waiting = together(
                    photos, Step(trunk, settings, arguments.device), num_steps=arguments.steps
                )
                print(f"| {trunk} | {recipe} | {size_px} px | {rate:.0f} | {waiting:.0%} |")
                row = {"trunk": trunk, "recipe": recipe, "size_px": size_px}
                rows.append(row | {"views_per_s": rate, "waiting_share": waiting})
    return rows


def together(
    photos: PackedPhotos, step: Step, *, num_steps: int, num_warm: int = 2
) -> tuple[float, float]:
    """Take steps on loaded batches; return views per second and the share of time waiting."""
    batches = load_batches(photos, step.settings, 0)
    for _ in range(num_warm):
        step.take(next(batches), photos.names)
    began, waited = time.monotonic(), 0.0
    for _ in range(num_steps):
        asked = time.monotonic()
        batch = next(batches)
        waited += time.monotonic() - asked
        step.take(batch, photos.names)
    elapsed = time.monotonic() - began
    return num_steps * 2 * step.settings.batch_photos / elapsed, waited / elapsed


if __name__ == "__main__":
    sys.exit(main())
