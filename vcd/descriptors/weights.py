"""Say which file a name of weights means, and whether it is the file it should be.

Three kinds: ``vcd_compact`` ships inside the package; the published SSCD files lie in the cache
once ``vcd models pull`` has fetched them; anything else is a path. Opening a TorchScript or a
torch.export file runs code, so it is opened only when its digest is built in here, or this
program wrote it on this machine, or the user has trusted it.
Nothing here opens a file as weights: it only reads bytes and digests.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from vcd.core import SetupError
from vcd.descriptors.programs import PROGRAM_SUFFIXES
from vcd.descriptors.weights_cache import WeightsCache, digest_weights

__all__ = [
    "BUNDLED_NAME",
    "PUBLISHED",
    "PUBLISHED_PREPROCESSING",
    "PublishedWeights",
    "WeightsFile",
    "expected_sha256",
    "locate_weights",
]

BUNDLED_NAME = "vcd_compact"

PUBLISHED_PREPROCESSING = "small_288"

_SUFFIXES = (
    ".torchscript.pt",
    ".torchvision.pt",
    ".classy.pt",
    ".safetensors",
    ".onnx",
    ".pt2",
    ".pt",
)
"""What a weights file may be called; the name alone says how it is read. ``.pt`` is a checkpoint
of ``vcd train``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedWeights:
    """Weights that their authors publish, in one or more formats.

    Attributes:
        name: as published.
        trunk: name in `TRUNKS`.
        dim: length of a descriptor.
        formats: best first: known digests, then files that hold no program.
        digests: SHA-256 by format, of the formats whose digest is built in.
    """

    name: str
    trunk: str
    dim: int
    formats: tuple[str, ...]
    digests: Mapping[str, str] = field(default_factory=dict)

    @property
    def preprocessing(self) -> str:
        """What its README recommends."""
        return PUBLISHED_PREPROCESSING

    def file_name(self, file_format: str) -> str:
        return f"{self.name}.{file_format}.pt"


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsFile:
    """A weights file on this machine whose bytes have been checked.

    Attributes:
        name: what the descriptor space is called after.
        path: where it is.
        suffix: how it is read, like ``.torchvision.pt``.
        sha256: digest of its bytes.
    """

    name: str
    path: Path
    suffix: str
    sha256: str


def _published(
    name: str,
    formats: tuple[str, ...] = ("torchvision", "classy", "torchscript"),
    *,
    trunk: str = "resnet50",
    dim: int = 512,
    digests: Mapping[str, str] | None = None,
) -> tuple[str, PublishedWeights]:
    weights = PublishedWeights(
        name=name,
        trunk=trunk,
        dim=dim,
        formats=formats,
        digests=MappingProxyType(dict(digests or {})),
    )
    return name, weights


_DISC_MIXUP_SCRIPT = "9f26bd4c848cc19b73d2ae92eea6e04886f61a7b764ceb7a13aeee62e6a6db56"

PUBLISHED: Mapping[str, PublishedWeights] = MappingProxyType(
    dict(
        [
            _published("sscd_disc_blur"),
            _published("sscd_disc_advanced"),
            _published(
                "sscd_disc_mixup",
                ("torchscript", "torchvision", "classy"),
                digests={"torchscript": _DISC_MIXUP_SCRIPT},
            ),
            _published(
                "sscd_disc_large", ("classy", "torchscript"), trunk="resnext101_32x4d", dim=1024
            ),
            _published("sscd_imagenet_blur"),
            _published("sscd_imagenet_advanced"),
            _published("sscd_imagenet_mixup"),
        ]
    )
)
"""The seven published sets by name: github.com/facebookresearch/sscd-copy-detection, MIT."""


def expected_sha256(
    published: PublishedWeights, file_format: str, cache: WeightsCache
) -> str | None:
    """Digest that a file must have: as built in, as trusted, as first seen, in this order."""
    file_name = published.file_name(file_format)
    return (
        published.digests.get(file_format)
        or cache.trusted_sha256(file_name)
        or cache.first_seen_sha256(file_name)
    )


def locate_weights(weights: str, cache: WeightsCache) -> WeightsFile:
    """Find the file that a name or a path means, and check that it is what it was.

    Args:
        weights: a published name, with or without its format (``sscd_disc_mixup.torchvision``),
            or the path of a file. (The bundled weights are several files: `loading`.)
        cache: where pulled files are.

    Raises:
        SetupError: no such name or file, not pulled yet, another digest than expected, or a
            program that nobody trusts.
    """
    name, _, file_format = weights.partition(".")
    if name in PUBLISHED and not Path(weights).exists():
        return _located_pull(PUBLISHED[name], file_format, cache)
    path = Path(weights)
    suffix = next((suffix for suffix in _SUFFIXES if path.name.endswith(suffix)), None)
    if not path.is_file():
        known = ", ".join([BUNDLED_NAME, *sorted(PUBLISHED)])
        raise SetupError(f"no weights named {weights!r} and no such file; there are {known}")
    if suffix is None:
        raise SetupError(f"{path}: the name of a weights file ends in {', '.join(_SUFFIXES)}")
    sha256 = digest_weights(path)
    _check_program(path, suffix, sha256, cache)
    return WeightsFile(name=path.name.removesuffix(suffix), path=path, suffix=suffix, sha256=sha256)


def _located_pull(
    published: PublishedWeights, file_format: str, cache: WeightsCache
) -> WeightsFile:
    """Take the asked format, or the best one that has been pulled."""
    file_format = file_format.removesuffix(".pt")
    wanted = (file_format,) if file_format else published.formats
    paths = {each: cache.folder / published.file_name(each) for each in wanted}
    pulled = next((each for each in wanted if paths[each].is_file()), None)
    if pulled is None:
        asked = f"{published.name}.{file_format}" if file_format else published.name
        raise SetupError(
            f"{asked} is not on this machine: fetch it with `vcd models pull {asked}`"
            f" (looked in {cache.folder})"
        )
    path, suffix = paths[pulled], f".{pulled}.pt"
    sha256 = digest_weights(path)
    expected = expected_sha256(published, pulled, cache)
    if expected is not None and sha256 != expected:
        raise SetupError(
            f"{path}: wanted SHA-256 {expected}, found {sha256}: delete the file and pull it again"
        )
    _check_program(path, suffix, sha256, cache)
    return WeightsFile(name=published.name, path=path, suffix=suffix, sha256=sha256)


def _check_program(path: Path, suffix: str, sha256: str, cache: WeightsCache) -> None:
    built_in = {known for each in PUBLISHED.values() for known in each.digests.values()}
    if suffix not in PROGRAM_SUFFIXES or sha256 in built_in or cache.is_trusted(sha256):
        return
    kind = "torch.export" if suffix == ".pt2" else "TorchScript"
    raise SetupError(
        f"{path}: a {kind} file is a program and this one (SHA-256 {sha256}) is not known; "
        f"if you trust where it came from: `vcd models trust {path}`"
    )
