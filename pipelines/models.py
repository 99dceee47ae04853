"""`vcd models`: list the weights there are, fetch published ones, trust a file, export one."""

import argparse
import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pipelines import console
from pipelines.cli import verb_parser
from vcd.config import load_settings
from vcd.descriptors import (
    BUNDLED_NAME,
    PUBLISHED,
    PublishedWeights,
    WeightsCache,
    bundled_card,
    expected_sha256,
    pull_weights,
)
from vcd.descriptors.exports import EXPORT_FORMATS, export_weights

__all__ = ["main"]

_ABOUT = """\
List the weights there are, fetch published ones, trust a file, and export to other formats.

  vcd models list
  vcd models pull sscd_disc_mixup
  vcd models trust mine.torchscript.pt
  vcd models export runs/train/best.pt --to onnx

Weights are used with --weights NAME (or a file) of `vcd index add` and `vcd describe`."""

_PULL_ABOUT = """\
Fetch published weights into the cache; nothing is loaded before its digest is checked.

NAME may name a format too: sscd_disc_mixup.torchvision. The same command again goes on where a
broken transfer stopped."""

_TRUST_ABOUT = """\
Believe this very file from now on. Needed for TorchScript and torch.export files, which are
programs: they run with your rights. Trust only what you have from a source you would run a program
from. Of an ONNX file it believes which parameters it says it holds."""

_EXPORT_ABOUT = """\
Write weights as ONNX (.onnx), TorchScript (.torchscript.pt) or torch.export file (.pt2).

WEIGHTS is a name of `vcd models list`, a weights file, or best.pt of `vcd train` (the averaged
weights). The file is compared with torch before it is kept; it says which trunk, parameters and
preprocessing it has, so that --weights needs nothing else."""


def main(argv: Sequence[str]) -> int:
    """Run the verb; see ``vcd models --help``."""
    parser = verb_parser("models", _ABOUT)
    parser.add_argument("action", choices=sorted(_ACTIONS), help="what to do")
    chosen = parser.parse_args(argv[:1] or ["--help"])
    return _ACTIONS[chosen.action](argv[1:])


def _list(argv: Sequence[str]) -> int:
    parser = verb_parser("models list", "List the weights there are, and which are here.")
    arguments = _parse(parser, argv)
    cache = _cache(arguments)
    weights = [_bundled_entry(), *(_entry(each, cache) for each in PUBLISHED.values())]
    if arguments.json:
        console.print_json({"cache": str(cache.folder), "models": weights})
        return 0
    for each in weights:
        here = [file["format"] for file in each["files"] if file["is_here"]]
        state = f"here as {', '.join(here)}" if here else "vcd models pull " + each["name"]
        print(
            f"{each['name']:<24} {each['dim']:>5}-d  {each['preprocessing']:<10} "
            f"{each['trunk']:<17} {'bundled' if each['is_bundled'] else state}"
        )
    console.say(f"pulled files are kept in {cache.folder}")
    return 0


def _pull(argv: Sequence[str]) -> int:
    parser = verb_parser("models pull", _PULL_ABOUT)
    parser.add_argument("name", metavar="NAME", help="as `vcd models list` has it")
    arguments = _parse(parser, argv)
    settings = load_settings(arguments.config, {})
    cache = WeightsCache(settings.describe.cache_dir)
    with _byte_progress(arguments.name) as on_progress:
        pulled = pull_weights(arguments.name, cache, settings.pull, on_progress=on_progress)
    if arguments.json:
        console.print_json(
            {
                "name": pulled.name,
                "path": str(pulled.path),
                "sha256": pulled.sha256,
                "vouched_by": pulled.vouched_by,
                "was_there": pulled.was_there,
            }
        )
    else:
        print(f"{pulled.sha256}  {pulled.path}")
    if pulled.vouched_by == "first use":
        console.say(
            f"no digest of {pulled.path.name} is built in: the one above is believed from now on; "
            "compare it with one you trust"
        )
    state = "was here already" if pulled.was_there else "pulled"
    console.say(f"{pulled.path.name} {state}; digest: {pulled.vouched_by}")
    return 0


def _trust(argv: Sequence[str]) -> int:
    parser = verb_parser("models trust", _TRUST_ABOUT)
    parser.add_argument("file", type=Path, metavar="FILE")
    arguments = _parse(parser, argv)
    sha256 = _cache(arguments).trust(arguments.file)
    if arguments.json:
        console.print_json({"path": str(arguments.file), "sha256": sha256})
    else:
        print(f"{sha256}  {arguments.file}")
    console.say(f"{arguments.file} is trusted from now on, as long as its bytes stay the same")
    return 0


def _export(argv: Sequence[str]) -> int:
    parser = verb_parser("models export", _EXPORT_ABOUT)
    parser.add_argument("weights", metavar="WEIGHTS", help="name or file")
    parser.add_argument("--to", required=True, choices=sorted(EXPORT_FORMATS))
    parser.add_argument("--out", type=Path, metavar="FILE", help="default: named after the weights")
    arguments = _parse(parser, argv)
    overrides: dict[str, object] = {"describe.weights": arguments.weights}
    settings = load_settings(arguments.config, overrides).describe
    export = export_weights(settings, arguments.out, to=arguments.to)
    if arguments.json:
        stated = {"path": str(export.path), "sha256": export.sha256, "size_px": export.size_px}
        differs = {"worst_difference": export.worst_difference}
        console.print_json(stated | differs | {"label": export.label.as_strings()})
    else:
        print(f"{export.sha256}  {export.path}")
    sizes = "any size" if export.size_px is None else f"{export.size_px} x {export.size_px} pixels"
    console.say(
        f"{export.path} takes pictures of {sizes} and differs from torch by at most "
        f"{export.worst_difference:.0e}; on other machines: `vcd models trust {export.path.name}`"
    )
    return 0


_ACTIONS: dict[str, Callable[[Sequence[str]], int]] = {
    "export": _export,
    "list": _list,
    "pull": _pull,
    "trust": _trust,
}


def _parse(parser: argparse.ArgumentParser, argv: Sequence[str]) -> argparse.Namespace:
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    return parser.parse_args(argv)


def _cache(arguments: argparse.Namespace) -> WeightsCache:
    return WeightsCache(load_settings(arguments.config, {}).describe.cache_dir)


def _bundled_entry() -> dict[str, Any]:
    card = bundled_card()
    return {
        "name": BUNDLED_NAME,
        "is_bundled": True,
        "trunk": card.trunk,
        "dim": card.dim,
        "preprocessing": card.preprocessing,
        "files": [
            {"format": name.partition(".")[2], "is_here": True, "sha256": sha256}
            for name, sha256 in sorted(card.sha256.items())
        ],
    }


def _entry(published: PublishedWeights, cache: WeightsCache) -> dict[str, Any]:
    return {
        "name": published.name,
        "is_bundled": False,
        "trunk": published.trunk,
        "dim": published.dim,
        "preprocessing": published.preprocessing,
        "files": [
            {
                "format": file_format,
                "is_here": (cache.folder / published.file_name(file_format)).is_file(),
                "sha256": expected_sha256(published, file_format, cache),
            }
            for file_format in published.formats
        ],
    }


@contextlib.contextmanager
def _byte_progress(title: str) -> Iterator[Callable[[int, int | None], None]]:
    """Show a bar of bytes on stderr while the block runs, if stderr is a terminal."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
