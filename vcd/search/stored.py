"""Look at some references of an index as they lie on disk, and at nothing that was derived.

What was kept of an earlier search (``derived/``) is not touched, nor are the shards of other
references: so that what is said of a few of them is said of the bytes that hold them, and of the
bytes that say where they are.
"""

import json
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from vcd.core import SetupError
from vcd.search.calibration import CALIBRATION_NAME, read_calibration
from vcd.search.manifest import MANIFEST_NAME, Manifest, manifest_bytes, parse_manifest
from vcd.search.references import MappedReferences

__all__ = ["open_stored", "read_exact_manifest"]


def read_exact_manifest(directory: Path) -> Manifest:
    """Read the table of contents of an index, every byte of which is as it was written.

    The calibration beside it is looked at too: it says how the contents are searched.

    Raises:
        SetupError: there is no index, or a byte of what describes it is another one.
    """
    path = directory / MANIFEST_NAME
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SetupError(f"{path}: the index cannot be read: {error.strerror}") from error
    manifest = parse_manifest(data, path)
    if manifest_bytes(manifest) != data:
        raise SetupError(f"{path}: the manifest of the index is damaged: not written as it was")
    read_calibration(directory)
    calibration = directory / CALIBRATION_NAME
    if calibration.is_file():
        text = calibration.read_text(encoding="utf-8")
        if json.dumps(json.loads(text), indent=1, sort_keys=True) + "\n" != text:
            raise SetupError(f"{calibration}: damaged: not written as it was")
    return manifest


def open_stored(directory: Path, manifest: Manifest, ref_ids: Collection[str]) -> MappedReferences:
    """Map some references of an index, once the digests of their files were found right.

    Args:
        directory: of the index.
        manifest: of `read_exact_manifest`.
        ref_ids: which; ids that the index does not have are passed over.

    Raises:
        SetupError: a file is missing or damaged.
    """
    refs = tuple(ref for ref in manifest.refs if ref.video.id in ref_ids)
    named = {ref.shard for ref in refs}
    shards = tuple(shard for shard in manifest.shards if shard.digest in named)
    return MappedReferences(directory, replace(manifest, refs=refs, shards=shards))
