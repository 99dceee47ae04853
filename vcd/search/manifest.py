"""The table of contents of an index on disk, and the version that names its contents.

One JSON file: what it is, a checksum, and a body that says which rows of which
shard are which reference. It knows nothing of how the files get there
(``directory.py``) or of FAISS.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vcd.core import Descriptors, DescriptorSpace, Interval, SetupError, Skipped, Video

__all__ = [
    "MANIFEST_NAME",
    "Manifest",
    "RefEntry",
    "ShardEntry",
    "descriptor_digest",
    "index_version",
    "manifest_bytes",
    "parse_manifest",
    "read_manifest",
    "version_of",
]

MANIFEST_NAME = "manifest.json"
_FORMAT = "vcd index"
_FORMAT_VERSION = 1
_BODY_MARK = b',"body":'
_END_MARK = b"}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardEntry:
    """One immutable file of descriptors, named by the digest of its bytes."""

    digest: str
    num_bytes: int
    num_rows: int
    num_frames: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RefEntry:
    """Where one reference lies.

    Attributes:
        video: what is known of its file.
        digest: of its descriptors, wherever they lie.
        shard: digest of the shard that holds them.
        row_first: its first row of features in that shard.
        num_rows: how many there are.
        frame_first: its first frame in that shard's timeline.
        num_frames: how many there are.
        excluded: stretches that are stored but never searched.
        skipped: stretches that have no descriptors, with reasons.
    """

    video: Video
    digest: str
    shard: str
    row_first: int
    num_rows: int
    frame_first: int
    num_frames: int
    excluded: tuple[Interval, ...] = ()
    skipped: tuple[Skipped, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The whole table of contents; references sorted by id."""

    space: DescriptorSpace
    weights: str
    rate_hz: float
    factory: str
    shards: tuple[ShardEntry, ...] = ()
    refs: tuple[RefEntry, ...] = ()

    def __post_init__(self) -> None:
        ids = [ref.video.id for ref in self.refs]
        if ids != sorted(set(ids)):
            raise ValueError("the references of a manifest must be unique and sorted by id")
        shards = {shard.digest: shard for shard in self.shards}
        for ref in self.refs:
            shard = shards.get(ref.shard)
            if shard is None or not (
                0 <= ref.row_first <= ref.row_first + ref.num_rows <= shard.num_rows
                and 0 <= ref.frame_first <= ref.frame_first + ref.num_frames <= shard.num_frames
            ):
                raise ValueError(f"{ref.video.id}: its rows are not in any shard")

    @property
    def version(self) -> str:
        return version_of(self.space, self.refs)


def descriptor_digest(descriptors: Descriptors) -> str:
    """Digest the descriptors of one video: features, frames, views and times."""
    digest = hashlib.sha256()
    for array, dtype in (
        (descriptors.features, "<f4"),
        (descriptors.frame, "<i4"),
        (descriptors.view, "<i2"),
        (descriptors.timeline.start_s, "<f8"),
        (descriptors.timeline.end_s, "<f8"),
    ):
        digest.update(f"{dtype}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array, dtype=dtype).data)
    return digest.hexdigest()


def index_version(
    space: DescriptorSpace, refs: Iterable[tuple[str, str, tuple[Interval, ...]]]
) -> str:
    """Name the contents of an index: equal contents have equal versions everywhere.

    Args:
        space: of all descriptors in it.
        refs: id, descriptor digest and excluded intervals of each reference, in any order.
    """
    contents = {
        "space": _space_object(space),
        "refs": sorted([ref_id, digest, _bounds(excluded)] for ref_id, digest, excluded in refs),
    }
    return hashlib.sha256(_canonical_json(contents)).hexdigest()


def version_of(space: DescriptorSpace, refs: Iterable[RefEntry]) -> str:
    """Name the contents that these entries describe."""
    return index_version(space, ((ref.video.id, ref.digest, ref.excluded) for ref in refs))


def manifest_bytes(manifest: Manifest) -> bytes:
    """Write a manifest as JSON that carries the checksum of its own body."""
    body = _canonical_json(_body_object(manifest))
    header = {
        "format": _FORMAT,
        "format_version": _FORMAT_VERSION,
        "sha256": hashlib.sha256(body).hexdigest(),
    }
    return json.dumps(header).encode()[:-1] + _BODY_MARK + body + _END_MARK


def parse_manifest(data: bytes, path: Path) -> Manifest:
    """Read what `manifest_bytes` wrote.

    Raises:
        SetupError: it is something else, of a newer format, or damaged.
    """
    head, mark, rest = data.partition(_BODY_MARK)
    try:
        header = json.loads(head + b"}")
    except ValueError:
        header = None
    if not isinstance(header, dict) or header.get("format") != _FORMAT:
        raise SetupError(f"{path}: wanted the manifest of a vcd index, found something else")
    if header.get("format_version") != _FORMAT_VERSION:
        raise SetupError(
            f"{path}: the index has format {header.get('format_version')}, this version of vcd "
            f"reads format {_FORMAT_VERSION}: use the version that wrote it, or a newer one"
        )
    body = rest.removesuffix(_END_MARK)
    if not mark or hashlib.sha256(body).hexdigest() != header.get("sha256"):
        raise SetupError(f"{path}: the manifest of the index is damaged: its checksum is wrong")
    try:
        return _manifest_from_body(json.loads(body))
    except (KeyError, TypeError, ValueError) as error:
        raise SetupError(f"{path}: the manifest of the index makes no sense: {error}") from error


def read_manifest(directory: Path) -> Manifest:
    """Read the table of contents of an index.

    Raises:
        SetupError: there is no index, or it cannot be read.
    """
    path = directory / MANIFEST_NAME
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        if not directory.exists():
            raise SetupError(f"{directory}: wanted an index, found nothing there") from None
        raise SetupError(
            f"{directory}: wanted an index, found a directory without {MANIFEST_NAME}"
        ) from None
    except NotADirectoryError:
        raise SetupError(f"{directory}: wanted an index directory, found a file") from None
    except OSError as error:
        raise SetupError(f"{path}: the index cannot be read: {error.strerror}") from error
    return parse_manifest(data, path)


def _canonical_json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def _bounds(intervals: Iterable[Interval]) -> list[list[float]]:
    return [[float(each.start_s), float(each.end_s)] for each in sorted(intervals)]


def _space_object(space: DescriptorSpace) -> dict[str, Any]:
    return {"name": space.name, "dim": space.dim, "fingerprint": space.fingerprint}


def _body_object(manifest: Manifest) -> dict[str, Any]:
    return {
        "space": _space_object(manifest.space),
        "weights": manifest.weights,
        "rate_hz": float(manifest.rate_hz),
        "factory": manifest.factory,
        "shards": [
            [each.digest, each.num_bytes, each.num_rows, each.num_frames]
            for each in manifest.shards
        ],
        "refs": [_ref_object(ref) for ref in manifest.refs],
    }


def _ref_object(ref: RefEntry) -> dict[str, Any]:
    video = ref.video
    return {
        "video": [
            video.id,
            video.uri,
            video.sha256,
            float(video.duration_s),
            int(video.width_px),
            int(video.height_px),
        ],
        "digest": ref.digest,
        "shard": ref.shard,
        "rows": [ref.row_first, ref.num_rows],
        "frames": [ref.frame_first, ref.num_frames],
        "excluded": _bounds(ref.excluded),
        "skipped": [[*_bounds([each.interval])[0], each.reason] for each in ref.skipped],
    }


def _manifest_from_body(body: dict[str, Any]) -> Manifest:
    return Manifest(
        space=DescriptorSpace(**body["space"]),
        weights=body["weights"],
        rate_hz=body["rate_hz"],
        factory=body["factory"],
        shards=tuple(
            ShardEntry(digest=digest, num_bytes=num_bytes, num_rows=rows, num_frames=frames)
            for digest, num_bytes, rows, frames in body["shards"]
        ),
        refs=tuple(_ref_from_object(ref) for ref in body["refs"]),
    )


def _ref_from_object(ref: dict[str, Any]) -> RefEntry:
    video_id, uri, sha256, duration_s, width_px, height_px = ref["video"]
    return RefEntry(
        video=Video(
            id=video_id,
            uri=uri,
            sha256=sha256,
            duration_s=duration_s,
            width_px=width_px,
            height_px=height_px,
        ),
        digest=ref["digest"],
        shard=ref["shard"],
        row_first=ref["rows"][0],
        num_rows=ref["rows"][1],
        frame_first=ref["frames"][0],
        num_frames=ref["frames"][1],
        excluded=tuple(Interval(start_s, end_s) for start_s, end_s in ref["excluded"]),
        skipped=tuple(
            Skipped(interval=Interval(start_s, end_s), reason=reason)
            for start_s, end_s, reason in ref["skipped"]
        ),
    )
