"""What the evaluations of whole data sets share: flags, describing all folders, results.json."""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipelines import console
from pipelines.cli import verb_parser
from pipelines.dataset_descriptors import DataSetDescriber
from pipelines.dataset_layout import DataSetFolders
from pipelines.detection import open_detector
from vcd.config import load_settings
from vcd.core import SetupError

__all__ = ["data_set_parser", "describe_data_set", "parse_data_set", "save_results"]


def data_set_parser(verb: str, about: str) -> argparse.ArgumentParser:
    """Start the parser of an action that measures a folder."""
    parser = verb_parser(verb, about)
    parser.add_argument("data_dir", type=Path, metavar="DATA_DIR")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder of the results (default: DATA_DIR/results)"
    )
    parser.add_argument("--weights", metavar="W", help="name of `vcd models list`, or a file")
    parser.add_argument("--json", action="store_true", help="print the results as JSON")
    return parser


def parse_data_set(parser: argparse.ArgumentParser, argv: Sequence[str]) -> argparse.Namespace:
    """Parse, and say where the results go."""
    arguments = parser.parse_args(argv)
    if arguments.out is None:
        arguments.out = arguments.data_dir / "results"
    return arguments


def describe_data_set(
    arguments: argparse.Namespace, folders: DataSetFolders
) -> tuple[dict[str, Path], console.Outcome]:
    """Describe all folders; what was described before stays.

    Returns:
        Role -> descriptor file, and what became of the files.

    Raises:
        InputError: nothing of a folder can be described.
        SetupError: the weights cannot be used, or a file cannot be written.
    """
    overrides: dict[str, object] = {}
    if arguments.weights is not None:
        overrides["describe.weights"] = arguments.weights
    rate_hz = load_settings(arguments.config, overrides).media.rate_hz
    with open_detector(arguments.config, overrides) as detector:
        describer = DataSetDescriber(detector=detector, rate_hz=rate_hz, out=arguments.out)
        files = {role: describer.describe(role, each) for role, each in folders.roles().items()}
    return files, describer.outcome


def save_results(out: Path, document: Mapping[str, Any]) -> None:
    """Write results.json.

    Raises:
        SetupError: it cannot be written.
    """
    path = out / "results.json"
    text = json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    try:
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise SetupError(f"{path}: cannot be written: {error.strerror or error}") from error
