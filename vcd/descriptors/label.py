"""What a weights file says of itself, and where in each format it says it.

    .onnx                    metadata_props, one key a line:    vcd.name, vcd.trunk, vcd.dim, ...
    .safetensors             the header's metadata, the same keys
    .torchscript.pt, .pt2    a member extra/vcd.json of the archive: an object with the same keys

Reading a label runs nothing of the file. What it claims of the parameters is checked where the
parameters are read (`contents`) and believed of an ONNX file that somebody vouches for.
"""

import json
import re
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from vcd.core import SetupError
from vcd.descriptors.preprocess import Preprocessing
from vcd.descriptors.settings import SpaceProfile

__all__ = ["LABEL_FILE", "Label", "label_in_archive", "label_in_safetensors"]

LABEL_FILE = "vcd.json"
"""Name of the extra file in a TorchScript or torch.export archive."""

_PREFIX = "vcd."

_MAX_BYTES = 65536
"""A label is some hundred bytes; an archive that claims more of it is damaged or hostile."""

_MAX_NAME = 100
_DIGEST = re.compile(r"[0-9a-f]{64}")
_QUANTIZATIONS = ("none", "fp16")


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What a weights file says of itself.

    Attributes:
        name: what the descriptor space is called; an export is named after it, so no path.
        trunk: name in `TRUNKS`.
        dim: length of a descriptor.
        preprocessing: what a frame must go through, as ``skew_160``; None where nobody said.
        digest: of the parameters, as `digest_arrays` gives it.
        quantization: of the parameters' values: ``fp16`` or ``none``.
        profile: what a similarity means; None where nobody measured it.
        commit: of the code that trained them; None where nobody noted it.
    """

    name: str
    trunk: str
    dim: int
    digest: str
    quantization: str
    preprocessing: str | None = None
    profile: SpaceProfile | None = None
    commit: str | None = None

    def __post_init__(self) -> None:
        if not 0 < len(self.name) <= _MAX_NAME or not self.name.isprintable() or "/" in self.name:
            raise ValueError(f"not a name of weights: {self.name!r}")
        if not _DIGEST.fullmatch(self.digest):
            raise ValueError(f"wanted the digest of the parameters, got {self.digest!r}")
        if self.quantization not in _QUANTIZATIONS or self.dim < 1:
            raise ValueError(f"no such descriptor: {self.quantization=} {self.dim=}")

    def as_strings(self) -> dict[str, str]:
        """Write it as keys and values that every format has room for."""
        stated = {name: value for name, value in asdict(self).items() if name != "profile"}
        stated |= {} if self.profile is None else asdict(self.profile)
        return {f"{_PREFIX}{key}": str(value) for key, value in stated.items() if value is not None}

    @staticmethod
    def from_strings(path: Path, found: Mapping[str, str]) -> "Label | None":
        """Read it again; None where nothing in ``found`` is ours.

        Raises:
            SetupError: part of it is missing or wrong.
        """
        stated = {key.removeprefix(_PREFIX): found[key] for key in found if _is_ours(key)}
        if not stated:
            return None
        limits = [each.name for each in fields(SpaceProfile) if each.name in stated]
        try:
            if "preprocessing" in stated:
                Preprocessing.from_name(stated["preprocessing"])
            profile = SpaceProfile(**{name: float(stated[name]) for name in limits})
            return Label(
                name=stated["name"],
                trunk=stated["trunk"],
                dim=int(stated["dim"]),
                digest=stated["digest"],
                quantization=stated["quantization"],
                preprocessing=stated.get("preprocessing"),
                profile=profile if limits else None,
                commit=stated.get("commit"),
            )
        except KeyError as error:
            raise SetupError(f"{path}: what it says of itself lacks {error}") from error
        except (ValueError, SetupError) as error:
            raise SetupError(f"{path}: what it says of itself is wrong: {error}") from error


def label_in_safetensors(path: Path) -> Label | None:
    """Read the label in the header of a safetensors file; None where there is none.

    Raises:
        SetupError: the file is damaged, or the label is.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            metadata: dict[str, str] = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise SetupError(f"{path}: not a file of named tensors: {error}") from error
    return Label.from_strings(path, metadata)


def label_in_archive(path: Path) -> Label | None:
    """Read the label in a TorchScript or torch.export archive; None where there is none.

    Raises:
        SetupError: the file is no whole archive, or the label is damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            ends = f"/extra/{LABEL_FILE}"
            members = [each for each in archive.infolist() if each.filename.endswith(ends)]
            if not members:
                return None
            if members[0].file_size > _MAX_BYTES:
                raise SetupError(f"{path}: its {LABEL_FILE} has {members[0].file_size} bytes")
            stated = json.loads(archive.read(members[0]))
    except (zipfile.BadZipFile, OSError, ValueError, EOFError, NotImplementedError) as error:
        raise SetupError(f"{path}: not a whole archive: {error}") from error
    if not isinstance(stated, dict) or not all(isinstance(each, str) for each in stated.values()):
        raise SetupError(f"{path}: wanted an object of strings in {LABEL_FILE}")
    return Label.from_strings(path, stated)


def _is_ours(key: str) -> bool:
    return key.startswith(_PREFIX)
