"""`vcd train`: train a descriptor on a folder of photographs."""

import argparse
import signal
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import vcd
from pipelines.cli import EXIT_DONE, EXIT_INTERRUPTED, verb_parser
from pipelines.console import progress, say
from pipelines.results import checkout_commit
from pipelines.train_measure import disc_measure
from pipelines.train_preview import write_preview
from pipelines.train_start import (
    choose_device,
    first_network,
    load_photos,
    without_near_duplicates,
)
from vcd.core.errors import SetupError
from vcd.settings_tables import settings_from
from vcd.training.settings import TrainingSettings

if TYPE_CHECKING:
    from torch import nn

    from vcd.training.data import PackedPhotos
    from vcd.training.loop import Ending, Measure

__all__ = ["main", "read_settings"]

_ABOUT = """\
Train a descriptor on a folder of photographs. Some are held out, and after each epoch the
network is measured on edited copies of them, beside the hash PDQ.
Writes last.pt, best.pt, metrics.jsonl and TensorBoard events; prints the path of best.pt.

  vcd train --config configs/smoke.toml --photos DIR
  vcd train --config configs/smoke.toml --photos DIR --resume
  torchrun --nproc-per-node 8 -m pipelines.cli train --config configs/sscd_disc_mixup.toml ...

^C (or SIGTERM) saves and stops; after that, or after a kill, --resume goes on."""


def main(argv: Sequence[str]) -> int:
    """Run the verb; see ``vcd train --help``."""
    arguments = _parse(argv)
    settings = read_settings(arguments.config)
    if arguments.photos is not None:
        settings = replace(settings, photos=str(arguments.photos))
    if arguments.start_from is not None:
        settings = replace(settings, start_from=arguments.start_from)
    if not settings.photos:
        raise SetupError(f"{arguments.config} names no folder of photographs; give --photos DIR")
    if arguments.preview:
        print(write_preview(settings, arguments.out))
        return EXIT_DONE
    return _train(settings, arguments.out, resume=arguments.resume)


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = verb_parser("train", _ABOUT)
    parser.add_argument("--photos", type=Path, metavar="DIR", help="instead of the file's folder")
    parser.add_argument("--out", type=Path, metavar="DIR", default=Path("runs/train"))
    parser.add_argument("--resume", action="store_true", help="go on from last.pt")
    parser.add_argument(
        "--start-from",
        metavar="WEIGHTS",
        help="a checkpoint, a name of `vcd models list` or a weights file to begin with",
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
        tables: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SetupError(f"{file}: not a training recipe: {error}") from error
    if tables.keys() != {"training"}:
        found = ", ".join(tables) or "nothing"
        raise SetupError(f"{file}: not a training recipe: wanted [training], found {found}")
    return settings_from(TrainingSettings, tables["training"], origin=str(file), name="training")


def _train(settings: TrainingSettings, out: Path, *, resume: bool) -> int:
    import torch

    from vcd.training.loop import Watch, train
    from vcd.training.processes import joined, local_rank, num_processes, rank

    kind = choose_device(settings)
    device = torch.device(f"cuda:{local_rank()}" if kind == "cuda" else "cpu")
    with joined(uses_gpu=kind == "cuda"):
        tell = say if rank() == 0 else _say_nothing
        training, held_out = load_photos(settings)
        kept = without_near_duplicates(training, settings)
        tell(f"{_network_line(settings)}; {kind}, {num_processes()} at once")
        tell(_photos_line(len(kept), len(training) - len(kept), len(held_out)))
        for line in _recipe_lines(settings, len(kept)):
            tell(line)
        measure = _prepared_measure(held_out, settings, tell)
        with _stop_signals() as wants_stop, progress("training", total=settings.steps) as bar:
            ending = train(
                lambda: first_network(settings).to(device),
                kept,
                settings,
                folder=out,
                watch=Watch(
                    measure=measure,
                    advance=bar.advance,
                    wants_stop=wants_stop,
                    commit=checkout_commit(Path(vcd.__file__).parents[1]),
                ),
                resume=resume,
            )
        if rank() > 0:
            return EXIT_INTERRUPTED if ending.cause == "asked" else EXIT_DONE
    return _closed(ending, settings)


def _network_line(settings: TrainingSettings) -> str:
    start = settings.start_from or "random weights"
    number = "bfloat16" if settings.bf16 else "float32"
    return f"{settings.trunk}, {settings.dim} dimensions, from {start}, in {number}"


def _photos_line(num_kept: int, num_twins: int, num_held_out: int) -> str:
    twins = f" ({num_twins:,} near duplicates left out)" if num_twins else ""
    return f"{num_kept:,} photographs to train on{twins}, {num_held_out:,} held out to measure with"


def _recipe_lines(settings: TrainingSettings, num_photos: int) -> list[str]:
    """Say what a run is going to do, so that a wrong number is seen before it has cost hours."""
    per_step = min(settings.batch_photos, num_photos) * settings.accumulate_batches
    times = settings.steps * per_step / num_photos
    optimizer, sizes = settings.optimizer, " then ".join(map(str, settings.sizes_px))
    return [
        f"{settings.steps:,} steps of {per_step:,} photographs, so that each is seen {times:.1f} "
        f"times; measured every {settings.steps_per_epoch:,} steps at {settings.input_px} px",
        f"edits {settings.augment.recipe}, inputs of {sizes} px, {optimizer.name} at "
        f"{optimizer.learning_rate:g}, entropy {settings.loss.end_entropy:g}",
    ]


def _prepared_measure(
    held_out: "PackedPhotos", settings: TrainingSettings, tell: Callable[[str], None]
) -> "Measure":
    """Make the measured set in process 0, the only one that measures."""
    from vcd.training.processes import first_does

    prepared: list[Measure] = []
    first_does(
        lambda: prepared.append(disc_measure(held_out, input_px=settings.input_px, tell=tell))
    )
    return prepared[0] if prepared else _measure_nothing


def _measure_nothing(network: "nn.Module") -> Mapping[str, float]:
    raise AssertionError(f"only process 0 measures {network}")


def _say_nothing(sentence: str) -> None:
    """Leave speaking to process 0."""


@contextmanager
def _stop_signals() -> Iterator[Callable[[], bool]]:
    """Take the first ^C or SIGTERM as a wish to save and stop; the second interrupts at once."""
    seen: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        if seen:
            raise KeyboardInterrupt
        seen.append(number)

    before = {each: signal.signal(each, note) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(seen)
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _closed(ending: "Ending", settings: TrainingSettings) -> int:
    """Say how it ended, and print where the best weights are."""
    if ending.cause == "asked":
        say(
            f"saved and stopped at step {ending.step:,} of {settings.steps:,}; "
            "the same command with --resume goes on"
        )
        return EXIT_INTERRUPTED
    if ending.cause == "no_better":
        say(f"stopped at step {ending.step:,}: {settings.patience_epochs} epochs were no better")
    print(ending.best)
    return EXIT_DONE
