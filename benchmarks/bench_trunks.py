"""Train several trunks for the same processor time and compare what they have learned.

    python -m benchmarks.bench_trunks PHOTOS [--seconds 60] [--size-px 64] [--trunks NAME ...]

Rule: each trunk gets the same seconds of one core, edited views included, in the precision
(bfloat16 or float32) that is faster for it; how many steps that makes is found by timing three.
Recipe, seed and order of photographs are the same; strength, entropy and learning rate follow the
share of the run that is done. Measured as shipped weights are: averaged weights, 500 held-out
references and 1,500 queries of which two thirds match nothing. Time an image: ONNX Runtime, one
thread, batch 8, processor time, median of 15.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np
from torch import nn

from pipelines.train_measure import described, squashed
from vcd.descriptors.onnx_file import write_onnx
from vcd.descriptors.runtimes import OnnxNetwork
from vcd.descriptors.sscd import build_network
from vcd.evaluation import DiscLikeSet, score_disc_like
from vcd.evaluation.synthesis.disc_like import make_disc_like
from vcd.training.data import PackedPhotos, find_photos, is_held_out, pack_photos, read_held_out
from vcd.training.loop import Measure, Watch, train
from vcd.training.settings import (
    AugmentSettings,
    LossSettings,
    OptimizerSettings,
    TrainingSettings,
)

TRUNKS = ("resnet18_w32", "mobilenet_v3_small", "regnet_y_400mf", "vit_tiny_16", "convnext_atto")
EVERY = 6
DIM = 256


def main(argv: Sequence[str] | None = None) -> int:
    raw = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--size-px", type=int, default=64)
    parser.add_argument("--trunks", nargs="+", default=list(TRUNKS))
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args(argv)
    rows = []
    with tempfile.TemporaryDirectory(prefix="vcd-trunks-") as folder:
        photos = packed(arguments.photos, Path(folder))
        held_out = read_held_out(arguments.photos, every=EVERY)
        num_refs = min(500, len(held_out) // 2)
        disc = make_disc_like(held_out, num_refs=num_refs, num_queries=3 * num_refs, seed=1)
        for trunk in arguments.trunks:
            row = compared(
                trunk, photos, disc, seconds=arguments.seconds, size_px=arguments.size_px
            )
            rows.append(row)
            print(json.dumps(row), file=sys.stderr, flush=True)
    print(json.dumps(rows, indent=2) if arguments.json else as_table(rows))
    return 0


def packed(photos: Path, folder: Path) -> PackedPhotos:
    training = [path for path in find_photos(photos) if not is_held_out(path.name, every=EVERY)]
    return pack_photos(training, short_px=96, file=folder / "photos")


def compared(
    trunk: str, photos: PackedPhotos, disc: DiscLikeSet, *, seconds: float, size_px: int
) -> dict[str, float | str]:
    """Train one trunk and say what it learned and what it costs."""
    step_s = {
        precision: seconds_a_step(recipe(trunk, size_px, steps=8, bf16=bf16), photos)
        for precision, bf16 in (("bfloat16", True), ("float32", False))
    }
    precision = min(step_s, key=lambda each: step_s[each])
    steps = max(2, int(seconds / step_s[precision]))
    settings = recipe(trunk, size_px, steps=steps, bf16=precision == "bfloat16")
    measured: dict[str, float] = {}
    network: list[nn.Module] = []

    measuring_s = 0.0

    def measure(averaged: nn.Module) -> Mapping[str, float]:
        nonlocal measuring_s
        measuring_began_s = time.process_time()
        queries, refs = (
            described(averaged, squashed(each, size_px)) for each in (disc.queries, disc.refs)
        )
        measured.update(score_disc_like(disc, queries @ refs.T))
        network.append(averaged)
        measuring_s = time.process_time() - measuring_began_s
        return measured

    began_s = time.process_time()
    with tempfile.TemporaryDirectory(prefix="vcd-trunks-") as folder:
        train(
            lambda: build_network(trunk, DIM),
            photos,
            settings,
            folder=Path(folder) / "run",
            watch=watching(measure),
        )
        spent_s = time.process_time() - began_s - measuring_s
        write_onnx(network[-1].eval(), Path(folder) / "network.onnx")
        runtime = OnnxNetwork(Path(folder) / "network.onnx", num_threads=1)
        millis = {px: ms_an_image(runtime, px) for px in (size_px, 160)}
    return {
        "trunk": trunk,
        "millions": round(sum(each.numel() for each in network[-1].parameters()) / 1e6, 2),
        "precision": precision,
        "steps": steps,
        "pairs": steps * settings.batch_photos,
        "cpu_s": round(spent_s, 1),
        "micro_ap": round(measured["micro_ap"], 4),
        "recall_at_p90": round(measured["recall_at_p90"], 4),
        "accuracy_at_1": round(measured["accuracy_at_1"], 4),
        "ms": round(millis[size_px], 3),
        "ms_at_160": round(millis[160], 3),
        "micro_ap_per_ms": round(measured["micro_ap"] / millis[size_px], 3),
    }


def watching(measure: Measure) -> Watch:
    return Watch(measure=measure, advance=lambda _note: None, wants_stop=lambda: False)


def recipe(trunk: str, size_px: int, *, steps: int, bf16: bool) -> TrainingSettings:
    ramp = max(1, steps // 2)
    return TrainingSettings(
        trunk=trunk,
        dim=DIM,
        steps=steps,
        steps_per_epoch=steps,
        batch_photos=64,
        sizes_px=(size_px,),
        size_steps=(0,),
        input_px=size_px,
        store_px=96,
        num_loaders=0,
        bf16=bf16,
        augment=AugmentSettings(start_strength=0.1, end_strength=0.7, ramp_steps=ramp),
        loss=LossSettings(start_entropy=0.5, end_entropy=3.0, ramp_steps=ramp),
        optimizer=OptimizerSettings(
            warmup_steps=max(1, steps // 20), decay_steps=max(1, steps // 2), ema_decay=0.98
        ),
    )


def seconds_a_step(settings: TrainingSettings, photos: PackedPhotos) -> float:
    """Time three steps as the difference of a run of one and a run of four."""
    spent_s = []
    for steps in (1, 4):
        with tempfile.TemporaryDirectory(prefix="vcd-trunks-") as folder:
            began_s = time.process_time()
            train(
                lambda: build_network(settings.trunk, DIM),
                photos,
                replace(settings, steps=steps, steps_per_epoch=steps),
                folder=Path(folder) / "run",
                watch=watching(lambda _network: {"micro_ap": 0.0}),
            )
            spent_s.append(time.process_time() - began_s)
    return (spent_s[1] - spent_s[0]) / 3


def ms_an_image(runtime: OnnxNetwork, size_px: int) -> float:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (8, size_px, size_px, 3), dtype=np.uint8)
    taken_s = []
    for _ in range(18):
        began_s = time.process_time()
        runtime.describe(pixels)
        taken_s.append(time.process_time() - began_s)
    return 1e3 * median(taken_s[3:]) / len(pixels)


def as_table(rows: Sequence[Mapping[str, float | str]]) -> str:
    names = list(rows[0])
    lines = ["| " + " | ".join(names) + " |", "| --- |" + " ---: |" * (len(names) - 1)]
    lines += ["| " + " | ".join(str(row[name]) for name in names) + " |" for row in rows]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
