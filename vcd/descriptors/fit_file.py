"""Keep a fit in a file, and find the fit that the settings mean.

    fit          JSON text: format, version, space, digest, numbers
    mean         (D,) float32         only with a projection
    matrix       (E, D) float32
    background   (B, E) float32       only with a score normalization

A ``.npz``, readable with ``numpy.load``; equal fits are equal bytes. A file whose content is not
what its digest says is refused.
"""

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vcd.core import DescriptorSpace, InputError, SetupError
from vcd.descriptors.card import bundled_background, bundled_card
from vcd.descriptors.fit import Fit, Floors, fit_background
from vcd.descriptors.projection import Projection
from vcd.descriptors.score_norm import ScoreNorm
from vcd.descriptors.settings import FitSettings
from vcd.descriptors.store_format import open_arrays, open_rows
from vcd.descriptors.weights import BUNDLED_NAME

__all__ = ["load_fit", "read_fit", "write_fit"]

_FORMAT = "vcd fit"
_VERSION = 1
_MEMBERS = {"fit": "U", "mean": "f", "matrix": "f", "background": "f"}


def load_fit(
    settings: FitSettings, space: DescriptorSpace, *, calibrated: Fit | None = None
) -> Fit | None:
    """Find the fit that the settings mean; None where none is to be applied.

    Args:
        settings: where the background is, and what to fit to it.
        space: of the raw descriptors that it will be applied to.
        calibrated: what the index was calibrated with, which ``auto`` prefers.

    Raises:
        InputError: the file is neither a fit nor descriptors, is damaged, or too small.
        SetupError: the fit is of another space.
    """
    name = settings.background
    if name == "none":
        return None
    if name == "bundled":
        return _of_space(fit_background(bundled_background(), settings), space, BUNDLED_NAME)
    if name != "auto":
        return _of_space(_read_or_fit(Path(name), settings), space, name)
    if calibrated is not None:
        return _of_space(calibrated, space, "the fit of the index")
    return _default_fit(space)


def write_fit(path: Path, fit: Fit) -> None:
    """Write a fit whole, or leave what was there.

    Raises:
        SetupError: it cannot be written.
    """
    norm, projection = fit.score_norm, fit.projection
    head: dict[str, Any] = {
        "format": _FORMAT,
        "version": _VERSION,
        "digest": fit.digest,
        "space": asdict(fit.space),
        "floors": fit.floors and asdict(fit.floors),
    }
    arrays: dict[str, NDArray[Any]] = {}
    if projection is not None:
        arrays |= {"mean": projection.mean, "matrix": projection.matrix}
    if norm is not None:
        arrays["background"] = norm.background
        names = ("weight", "first_neighbour", "stop_neighbour", "offset")
        head["score_norm"] = {name: getattr(norm, name) for name in names}
    little = {name: each.astype("<f4", copy=False) for name, each in arrays.items()}
    text = np.array(json.dumps(head, sort_keys=True))
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".vcd-") as folder:
            made = Path(folder) / "made.npz"
            with made.open("wb") as file:
                np.savez(file, allow_pickle=False, fit=text, **little)
                file.flush()
                os.fsync(file.fileno())
            made.replace(path)
    except OSError as error:
        raise SetupError(f"{path}: cannot be written: {error.strerror or error}") from error


def read_fit(path: Path) -> Fit:
    """Read what `write_fit` wrote.

    Raises:
        InputError: it is no fit, is damaged, or of a version that this code does not know.
    """
    return _fit_from(path, open_arrays(path))


def _default_fit(space: DescriptorSpace) -> Fit | None:
    """Fit what the card of the bundled weights says, where it says so and these are they."""
    settings = bundled_card().default_fit
    if settings is None or bundled_background().space != space:
        return None
    return fit_background(bundled_background(), settings)


def _read_or_fit(path: Path, settings: FitSettings) -> Fit:
    arrays = open_arrays(path)
    if "fit" in arrays:
        return _fit_from(path, arrays)
    if "features" in arrays:
        rows = open_rows(path)
        try:
            return fit_background(rows, settings)
        except InputError as error:
            reason = str(error).removeprefix(f"{path}: ")
            raise InputError(f"{path}: {reason}") from error
    raise InputError(
        f"{path}: wanted a fit or a descriptor file, got {', '.join(sorted(arrays)) or 'nothing'}"
    )


def _of_space(fit: Fit, space: DescriptorSpace, name: str) -> Fit:
    if fit.space != space:
        raise SetupError(
            f"{name}: wanted a background of descriptor space {space.name} "
            f"({space.dim}-d, {space.fingerprint[:12]}), got one of {fit.space.name} "
            f"({fit.space.dim}-d, {fit.space.fingerprint[:12]})"
        )
    return fit


def _fit_from(path: Path, arrays: Mapping[str, NDArray[Any]]) -> Fit:
    if "fit" not in arrays:
        raise InputError(f"{path}: wanted a fit, got {', '.join(sorted(arrays)) or 'nothing'}")
    strange = [name for name, each in arrays.items() if each.dtype.kind != _MEMBERS.get(name)]
    if strange:
        raise InputError(f"{path}: not a fit: member {strange[0]} is not one, or of another kind")
    try:
        head = json.loads(str(arrays["fit"]))
        _refuse_other_version(head)
        fit = _built(head, arrays)
        digest = str(head["digest"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path}: a damaged fit: {error!r}") from error
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    if fit.digest != digest:
        raise InputError(
            f"{path}: a damaged fit: its content has digest {fit.digest[:12]}, not {digest[:12]}"
        )
    return fit


def _refuse_other_version(head: Mapping[str, Any]) -> None:
    if head["format"] != _FORMAT or head["version"] != _VERSION:
        raise InputError(
            f"wanted {_FORMAT} of version {_VERSION}, "
            f"got {head['format']} of version {head['version']}"
        )


def _built(head: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Fit:
    projection = norm = None
    if "matrix" in arrays:
        projection = Projection(mean=arrays["mean"], matrix=arrays["matrix"])
    if "background" in arrays:
        rows = np.asarray(arrays["background"], dtype=np.float32)
        stated = head["score_norm"]
        norm = ScoreNorm(
            background=rows,
            weight=float(stated["weight"]),
            first_neighbour=int(stated["first_neighbour"]),
            stop_neighbour=int(stated["stop_neighbour"]),
            offset=float(stated["offset"]),
        )
    floors = head["floors"]
    return Fit(
        space=DescriptorSpace(**head["space"]),
        projection=projection,
        score_norm=norm,
        floors=None if floors is None else Floors(**floors),
    )
