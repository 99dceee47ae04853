"""What is known of the weights that ship with the package: ``bundled/vcd_compact.json``."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vcd.core import DescriptorSpace, InputError, SetupError
from vcd.descriptors.label import Label
from vcd.descriptors.settings import FitSettings, SpaceProfile
from vcd.descriptors.store_format import DescriptorRows, open_rows
from vcd.descriptors.weights import BUNDLED_NAME, PUBLISHED
from vcd.descriptors.weights_cache import digest_weights

__all__ = ["BundledCard", "bundled_background", "bundled_card", "measured_profile"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BundledCard:
    """The bundled weights in numbers.

    Attributes:
        folder: where the files are.
        trunk: name in `TRUNKS`.
        dim: length of a descriptor.
        preprocessing: as ``skew_160``.
        sha256: digest of each file, by its name.
        profile: what a similarity means.
        default_fit: what is fitted to their background set unless somebody says otherwise; None
            fits nothing. Measured in ``docs/design/fit.md``.
        commit: of the code that trained them; None where nobody noted it.
    """

    folder: Path
    trunk: str
    dim: int
    preprocessing: str
    sha256: Mapping[str, str]
    profile: SpaceProfile
    default_fit: FitSettings | None
    commit: str | None = None

    def label(self, digest: str, quantization: str) -> Label:
        """Say of these parameters what a file of another format would say of itself."""
        return Label(
            name=BUNDLED_NAME,
            trunk=self.trunk,
            dim=self.dim,
            digest=digest,
            quantization=quantization,
            preprocessing=self.preprocessing,
            profile=self.profile,
            commit=self.commit,
        )

    def file(self, suffix: str) -> Path:
        """Path of one of the files, once its digest has been checked.

        Raises:
            SetupError: it is missing, damaged, or of another release.
        """
        path = self.folder / f"{BUNDLED_NAME}.{suffix}"
        wanted = self.sha256.get(path.name)
        if not path.is_file() or digest_weights(path) != wanted:
            raise SetupError(
                f"{path}: missing or damaged (wanted SHA-256 {wanted}): install the package again"
            )
        return path


def bundled_card(folder: Path | None = None) -> BundledCard:
    """Read the card of the bundled weights.

    Args:
        folder: None for the one inside the package.

    Raises:
        SetupError: it is missing or lacks what is needed to use them.
    """
    folder = Path(__file__).parent / "bundled" if folder is None else folder
    path = folder / f"{BUNDLED_NAME}.json"
    try:
        stated: dict[str, Any] = json.loads(path.read_text("utf-8"))
        default_fit = stated.get("default_fit")
        return BundledCard(
            folder=folder,
            trunk=str(stated["trunk"]),
            dim=int(stated["dim"]),
            preprocessing=str(stated["preprocessing"]),
            sha256={str(name): str(digest) for name, digest in stated["digests"].items()},
            profile=SpaceProfile(
                **{name: float(limit) for name, limit in stated["thresholds"].items()}
            ),
            default_fit=FitSettings(**default_fit) if default_fit is not None else None,
            commit=stated.get("commit"),
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise SetupError(
            f"{path}: the card of the bundled weights is missing or incomplete ({error!r}): "
            "install the package again"
        ) from error


def bundled_background(folder: Path | None = None) -> DescriptorRows:
    """Open the background set of the bundled weights: photographs that they were trained on.

    Args:
        folder: None for the one inside the package.

    Raises:
        SetupError: it is missing, damaged, or of another release.
    """
    path = bundled_card(folder).file("background.npz")
    try:
        return open_rows(path)
    except InputError as error:
        raise SetupError(f"{error}: install the package again") from error


def measured_profile(space: DescriptorSpace) -> SpaceProfile | None:
    """Say what a similarity means in a space, by its name; None where nobody measured it.

    For descriptors that somebody made before: whoever loads weights asks those.
    """
    if space.name == BUNDLED_NAME:
        return bundled_card().profile
    return SpaceProfile() if space.name in PUBLISHED else None
