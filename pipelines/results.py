"""Measured values with all that is needed to measure them again: as JSON and as a table.

    {"segment_ap": 0.91, ..., "confidence_intervals": {"segment_ap": [0.90, 0.92]},
     "counts": {...}, "provenance": {version, commit, settings, inputs, spaces}}

Equal inputs and settings give equal bytes: no time, no absolute path, no machine.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import vcd
from vcd.core import DescriptorSpace, InputError
from vcd.evaluation.bootstrap import Metric, confidence_interval

__all__ = [
    "Interval95",
    "checkout_commit",
    "intervals_of",
    "provenance",
    "results_document",
    "results_table",
]

Interval95 = tuple[float, float]
"""Low and high of a 95 % interval."""

_NUM_RESAMPLES = 1000
_SEED = 0

_RESERVED = frozenset({"confidence_intervals", "counts", "provenance"})


def results_document(
    metrics: Mapping[str, float | None],
    intervals: Mapping[str, Interval95],
    provenance: Mapping[str, Any],
    *,
    counts: Mapping[str, int] | None = None,
) -> dict[str, Any]:
    """Put results into the form of ``--json``: the metrics themselves are the top-level keys.

    Args:
        metrics: name -> value; None where there is none, as a recall at a precision that is
            never reached.
        intervals: name of a metric -> its 95 % interval by resampling queries.
        provenance: as `provenance` gives it.
        counts: name -> how many there were of what was measured.

    Raises:
        ValueError: an interval of no metric, or a metric with the name of another key.
    """
    if not intervals.keys() <= metrics.keys() or _RESERVED & metrics.keys():
        raise ValueError(f"metrics {sorted(metrics)}, intervals of {sorted(intervals)}")
    return {
        **{name: None if value is None else float(value) for name, value in metrics.items()},
        "confidence_intervals": {
            name: [float(low), float(high)] for name, (low, high) in intervals.items()
        },
        "counts": {name: int(count) for name, count in (counts or {}).items()},
        "provenance": dict(provenance),
    }


def intervals_of(metrics: Mapping[str, Metric], num_queries: int) -> dict[str, Interval95]:
    """Give the 95 % interval of each metric, from the same resamples of the queries.

    Args:
        metrics: name -> the metric of how often each query counts.
        num_queries: how many queries there are.
    """
    return {
        name: confidence_interval(metric, num_queries, num_resamples=_NUM_RESAMPLES, seed=_SEED)
        for name, metric in metrics.items()
    }


def provenance(
    *,
    inputs: Mapping[str, Path],
    settings: Mapping[str, Any],
    spaces: Mapping[str, DescriptorSpace] | None = None,
) -> dict[str, Any]:
    """Say what a result was measured with.

    Args:
        inputs: role -> file, as ``{"ground_truth": path}``; each is read once more for its digest.
        settings: what could have been chosen otherwise and moves the result; JSON values.
        spaces: role -> space of a descriptor file; the fingerprint names the weights.

    Returns:
        ``vcd_version``, ``commit`` (None outside a checkout), ``settings``, ``resampling`` (of
        the intervals), ``inputs`` and ``spaces``.

    Raises:
        InputError: a file cannot be read.
    """
    return {
        "vcd_version": vcd.__version__,
        "commit": checkout_commit(Path(vcd.__file__).parents[1]),
        "settings": dict(settings),
        "resampling": {"unit": "query", "num_resamples": _NUM_RESAMPLES, "seed": _SEED},
        "inputs": {
            role: {"file": path.name, "sha256": _sha256(path)} for role, path in inputs.items()
        },
        "spaces": {role: asdict(space) for role, space in (spaces or {}).items()},
    }


def results_table(
    metrics: Mapping[str, float | None],
    intervals: Mapping[str, Interval95],
    counts: Mapping[str, int],
) -> str:
    """Lay results out for people: a line for each metric, then a line for each count.

    segment_ap      0.9172   0.9103 - 0.9238
    micro_ap        1.0000   1.0000 - 1.0000

    predictions      2,707
    """
    rows: list[Sequence[str]] = [("metric", "value", "95 % interval")]
    for name, value in metrics.items():
        spread = intervals.get(name)
        shown = "" if spread is None else f"{spread[0]:.4f} - {spread[1]:.4f}"
        rows.append((name, "none" if value is None else f"{value:.4f}", shown))
    counted = [(name.replace("_", " "), f"{count:,}", "") for name, count in counts.items()]
    widths = [max(len(row[i]) for row in (*rows, *counted)) for i in range(2)]
    lines = [
        f"{name:<{widths[0]}}  {value:>{widths[1]}}  {spread}".rstrip()
        for name, value, spread in (*rows, ("", "", ""), *counted)
    ]
    return "\n".join(lines)


def checkout_commit(root: Path) -> str | None:
    """Name the commit of a git checkout; None when the folder is none, or has no commit yet."""
    git = root / ".git"
    try:
        if git.is_file():
            git = root / git.read_text().removeprefix("gitdir:").strip()
        head = (git / "HEAD").read_text().strip()
        ref = head.removeprefix("ref:").strip()
        if ref == head:
            return head
        shared = git / "commondir"
        folders = [git, git / shared.read_text().strip()] if shared.is_file() else [git]
        return next(filter(None, (_ref_commit(folder, ref) for folder in folders)), None)
    except OSError:
        return None


def _ref_commit(git: Path, ref: str) -> str | None:
    """Look a branch up where git keeps it: in a file of its own, or packed with others."""
    if (git / ref).is_file():
        return (git / ref).read_text().strip()
    packed = git / "packed-refs"
    lines = packed.read_text().splitlines() if packed.is_file() else []
    return next((line.split()[0] for line in lines if line.endswith(f" {ref}")), None)


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
