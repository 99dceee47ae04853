"""Pull published weights: which file, whose word for its digest, and its place in the cache.

Nothing that is pulled is loaded before its digest has been compared, and nothing that failed
the comparison stays on the disk.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vcd.core import InputError, SetupError
from vcd.descriptors.settings import PullSettings
from vcd.descriptors.transfer import OnProgress, Transfer, fetch
from vcd.descriptors.weights import BUNDLED_NAME, PUBLISHED, PublishedWeights
from vcd.descriptors.weights_cache import WeightsCache, digest_weights

__all__ = ["Pulled", "pull_weights"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulled:
    """What a pull left on this machine.

    Attributes:
        name: of the weights.
        path: of the file.
        sha256: digest of its bytes.
        vouched_by: ``built in`` when the digest was known beforehand, ``trusted`` when the user
            had trusted it, ``first use`` when nobody had: then it is only recorded, so that a
            change will be noticed.
        was_there: whether nothing had to be fetched.
    """

    name: str
    path: Path
    sha256: str
    vouched_by: str
    was_there: bool


def pull_weights(
    weights: str,
    cache: WeightsCache,
    settings: PullSettings,
    *,
    on_progress: OnProgress = lambda _done, _total: None,
    wait: Callable[[float], None] = time.sleep,
) -> Pulled:
    """Fetch published weights into the cache, unless they are there.

    The format whose digest is built in is preferred; of those without, one that holds no
    program. A TorchScript file that nothing vouches for is refused before it is fetched.

    Args:
        weights: a published name, with or without its format (``sscd_disc_mixup.torchvision``).
        cache: where it goes.
        settings: whence, and how patiently.
        on_progress: told about every chunk.
        wait: sleeps; handed in, so that a test need not.

    Raises:
        InputError: no published weights of that name, or not in that format.
        SetupError: the digest is wrong, the publisher refuses, or the disk is full.
        TransientError: the network failed for longer than the settings are patient.
    """
    published, file_format = _chosen(weights)
    file_name = published.file_name(file_format)
    expected, vouched_by = _expected(published, file_format, cache)
    transfer = Transfer(
        url=f"{settings.base_url.rstrip('/')}/{file_name}", path=cache.make_folder() / file_name
    )
    was_there = transfer.path.is_file() and digest_weights(transfer.path) == expected
    if not was_there:
        fetch(transfer, settings, on_progress, wait)
        _publish(transfer, expected)
    sha256 = expected or digest_weights(transfer.path)
    if vouched_by == "first use":
        cache.record_pull(file_name, sha256)
    return Pulled(
        name=published.name,
        path=transfer.path,
        sha256=sha256,
        vouched_by=vouched_by,
        was_there=was_there,
    )


def _chosen(weights: str) -> tuple[PublishedWeights, str]:
    name, _, file_format = weights.removesuffix(".pt").partition(".")
    if name == BUNDLED_NAME:
        raise InputError(f"{name} ships with the package: there is nothing to pull")
    if name not in PUBLISHED:
        raise InputError(f"no published weights named {name!r}; there are {', '.join(PUBLISHED)}")
    published = PUBLISHED[name]
    if file_format and file_format not in published.formats:
        raise InputError(
            f"{name} is published as {', '.join(published.formats)}, not as {file_format!r}"
        )
    return published, file_format or published.formats[0]


def _expected(
    published: PublishedWeights, file_format: str, cache: WeightsCache
) -> tuple[str | None, str]:
    """Say which digest the file must have, if any, and whose word that is."""
    file_name = published.file_name(file_format)
    if file_format in published.digests:
        return published.digests[file_format], "built in"
    trusted = cache.trusted_sha256(file_name)
    if trusted is not None:
        return trusted, "trusted"
    if file_format == "torchscript":
        other = next(each for each in published.formats if each != "torchscript")
        raise SetupError(
            f"{file_name} is a program and its digest is not built in: pull the parameters alone "
            f"with `vcd models pull {published.name}.{other}`, or fetch the file yourself and "
            "say `vcd models trust FILE`"
        )
    return cache.first_seen_sha256(file_name), "first use"


def _publish(transfer: Transfer, expected: str | None) -> None:
    """Check the digest of what arrived and give it its name; what is wrong is deleted."""
    sha256 = digest_weights(transfer.part)
    if expected is not None and sha256 != expected:
        num_bytes = transfer.part.stat().st_size
        transfer.forget()
        raise SetupError(
            f"{transfer.url}: wanted SHA-256 {expected}, got {sha256} ({num_bytes:,} bytes): "
            "it is not the file it should be, was deleted, and nothing was loaded"
        )
    with transfer.part.open("rb") as file:
        os.fsync(file.fileno())
    transfer.part.replace(transfer.path)
    transfer.version_file.unlink(missing_ok=True)
