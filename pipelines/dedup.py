"""`vcd dedup`: find the near-duplicates among images and videos, and say which to keep."""

import argparse
import contextlib
import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import vcd
from pipelines import console
from pipelines.cli import verb_parser
from pipelines.dedup_clusters import cluster_items
from pipelines.dedup_describing import FILE_NAME, describe_media
from pipelines.dedup_findings import Clustering, cluster_lines, clusters_document
from pipelines.dedup_items import joined_rows, read_facts
from pipelines.dedup_sheet import draw_sheet
from pipelines.detection import open_detector, profile_defaults
from pipelines.results import checkout_commit
from vcd.config import Settings, load_settings
from vcd.core import DescriptorSpace, SetupError
from vcd.core.codec import json_number
from vcd.descriptors import SpaceProfile, measured_profile
from vcd.media import DecodePool

__all__ = ["main"]

_ABOUT = """\
Find the near-duplicates among images and videos, and say which one of each cluster to keep.

  vcd dedup photos/ --out deduped
  vcd dedup deduped/descriptors.npz --threshold 0.85 --out deduped

PATH is a video, an image, a folder, or a descriptor file. --out keeps descriptors.npz (the same
again describes only what is new), clusters.json and contact_sheet.png. Nothing is deleted."""


def main(argv: Sequence[str]) -> int:
    """Run the verb; see ``vcd dedup --help``."""
    arguments = _parse(argv)
    outcome = console.Outcome()
    files = [path for path in arguments.paths if path.suffix == ".npz"]
    media = [path for path in arguments.paths if path.suffix != ".npz"]
    if arguments.weights is not None and not media:
        raise SetupError("--weights: nothing is left to describe in descriptor files")
    if media and arguments.out is not None and _is_among(arguments.out / FILE_NAME, files):
        raise SetupError(f"{arguments.out / FILE_NAME}: is read, and would be written over")
    with _folder(arguments.out) as kept, tempfile.TemporaryDirectory(prefix="vcd-") as scratch:
        if media:
            files.append(_describe(arguments, media, kept or Path(scratch), outcome))
        rows = joined_rows(files, Path(scratch))
        threshold = _threshold(arguments.threshold, rows.space)
        settings = _settings(arguments, rows.space)
        facts = {name: one for file in files for name, one in read_facts(file).items()}
        clustering = cluster_items(rows, facts, settings, threshold)
        summary = _summary(clustering, rows.space, threshold, settings)
        document = clusters_document(clustering, outcome.refused, summary)
        if kept is not None:
            _write(kept / "clusters.json", document)
            with DecodePool(settings.media) as pool:
                draw_sheet(kept / "contact_sheet.png", clustering.clusters, pool, threshold)
    if arguments.json:
        console.print_json(document)
    else:
        for line in cluster_lines(clustering):
            print(line)
    _say_end(clustering, outcome, threshold, kept)
    return outcome.exit_code


def _describe(
    arguments: argparse.Namespace, media: Sequence[Path], folder: Path, outcome: console.Outcome
) -> Path:
    overrides = {"describe.weights": arguments.weights}
    rate_hz = load_settings(arguments.config, overrides).media.rate_hz
    with open_detector(arguments.config, overrides) as detector:
        _threshold(arguments.threshold, detector.describer.space)
        return describe_media(media, folder, detector, outcome, rate_hz=rate_hz)


def _threshold(asked: float | None, space: DescriptorSpace) -> float:
    """Take what was asked for, or what was measured for the space.

    Raises:
        SetupError: neither is there.
    """
    if asked is not None:
        return asked
    profile = measured_profile(space)
    if profile is None:
        raise SetupError(
            f"wanted --threshold: which similarity makes a near-duplicate in the space "
            f"{space.name} has not been measured (published SSCD weights: "
            f"{SpaceProfile().near_duplicate})"
        )
    return profile.near_duplicate


def _settings(arguments: argparse.Namespace, space: DescriptorSpace) -> Settings:
    defaults = profile_defaults(measured_profile(space) or SpaceProfile())
    return load_settings(arguments.config, {}, defaults=defaults)


def _summary(
    clustering: Clustering, space: DescriptorSpace, threshold: float, settings: Settings
) -> dict[str, Any]:
    return {
        "num_items": clustering.num_items,
        "num_clusters": len(clustering.clusters),
        "num_to_remove": clustering.num_advised("remove"),
        "num_to_look_at": clustering.num_advised("look"),
        "num_chained": sum(cluster.is_chained for cluster in clustering.clusters),
        "num_links": clustering.num_links,
        "num_pairs_over_cap": clustering.num_pairs_over_cap,
        "is_exact": clustering.is_exact,
        "threshold": threshold,
        "space": asdict(space),
        "settings": {
            f"{room}.{key}": json_number(value) if isinstance(value, float) else value
            for room in ("search", "align")
            for key, value in asdict(getattr(settings, room)).items()
            if f"{room}.{key}" != "align.min_score"  # the threshold stands in its place
        },
        "vcd_version": vcd.__version__,
        "commit": checkout_commit(Path(vcd.__file__).parents[1]),
    }


def _say_end(
    clustering: Clustering, outcome: console.Outcome, threshold: float, kept: Path | None
) -> None:
    for name in clustering.uninformative:
        console.say(f"{name}: nearly uniform, like everything and nothing; in no cluster")
    if clustering.num_pairs_over_cap:
        number = clustering.num_pairs_over_cap
        console.say(
            f"{number} pairs of videos were not compared: more than search.max_pairs a video"
        )
    clusters = clustering.clusters
    note = (
        f"{console.counted(len(clusters), 'cluster')} among "
        f"{console.counted(clustering.num_items, 'item')} at {threshold:.4g}, "
        f"{clustering.num_advised('remove')} to remove"
    )
    num_chained = sum(cluster.is_chained for cluster in clusters)
    if num_chained:
        note += f", {clustering.num_advised('look')} to look at ({num_chained} chained)"
    if not clustering.is_exact:
        note += "; found by inverted lists, which miss some (docs/design/dedup.md)"
    if kept is not None:
        note += f"; see {kept / 'contact_sheet.png'}"
    if outcome.num_done or outcome.num_unchanged or outcome.refused:
        note = outcome.closing_line(done="described", note=note)
    console.say(note)


def _is_among(path: Path, files: Sequence[Path]) -> bool:
    return path.resolve() in {file.resolve() for file in files}


@contextlib.contextmanager
def _folder(out: Path | None) -> Iterator[Path | None]:
    if out is not None:
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SetupError(f"{out}: cannot be made: {error.strerror or error}") from error
    yield out


def _write(path: Path, document: dict[str, Any]) -> None:
    text = json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(text + "\n", encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise SetupError(f"{path}: cannot be written: {error.strerror or error}") from error


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = verb_parser("dedup", _ABOUT)
    parser.add_argument(
        "paths", nargs="+", type=Path, metavar="PATH", help="videos, images, folders, FILE.npz"
    )
    parser.add_argument(
        "--threshold",
        type=float,
        metavar="S",
        help="similarity of near-duplicates, above 0 and at most 1 (default: the weights' own)",
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="keeps all that was found")
    parser.add_argument("--json", action="store_true", help="print the clusters as JSON")
    parser.add_argument("--weights", metavar="W", help="name of `vcd models list`, or a file")
    arguments = parser.parse_args(argv)
    if arguments.threshold is not None and not 0.0 < arguments.threshold <= 1.0:
        parser.error(f"--threshold wants a similarity in (0, 1], got {arguments.threshold}")
    return arguments
