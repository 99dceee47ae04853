"""What is known of the weights that ship with the package: ``bundled/vcd_compact.json``."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vcd.core import SetupError
from vcd.descriptors.settings import SpaceProfile
from vcd.descriptors.weights import BUNDLED_NAME
from vcd.descriptors.weights_cache import digest_weights

__all__ = ["BundledCard", "bundled_card"]


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
    """

    folder: Path
    trunk: str
    dim: int
    preprocessing: str
    sha256: Mapping[str, str]
    profile: SpaceProfile

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
        return BundledCard(
            folder=folder,
            trunk=str(stated["trunk"]),
            dim=int(stated["dim"]),
            preprocessing=str(stated["preprocessing"]),
            sha256={str(name): str(digest) for name, digest in stated["digests"].items()},
            profile=SpaceProfile(
                **{name: float(limit) for name, limit in stated["thresholds"].items()}
            ),
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise SetupError(
            f"{path}: the card of the bundled weights is missing or incomplete ({error!r}): "
            "install the package again"
        ) from error
