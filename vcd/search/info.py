"""What is in an index, said without opening FAISS or a single descriptor."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

from vcd.core import DescriptorSpace, Interval, SetupError, Skipped, Video
from vcd.search.manifest import (
    MANIFEST_NAME,
    Manifest,
    RefEntry,
    read_manifest,
    version_of,
)

__all__ = ["IndexInfo", "RefInfo", "is_index", "read_info"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RefInfo:
    """What is known of one reference.

    Attributes:
        video: the file it was described from.
        num_vectors: descriptors stored, those without evidence included.
        num_frames: sampled frames; one for an image.
        digest: of its descriptors.
        excluded: stretches that are stored but never searched.
        skipped: stretches that have no descriptors, with reasons.
    """

    video: Video
    num_vectors: int
    num_frames: int
    digest: str
    excluded: tuple[Interval, ...] = ()
    skipped: tuple[Skipped, ...] = ()


@dataclass(frozen=True, kw_only=True)
class IndexInfo:
    """What is in an index.

    Attributes:
        version: digest of the contents; equal contents have equal versions.
        space: what its descriptors may be compared with.
        weights: name or path of the weights, as given when the index was made.
        rate_hz: sampled frames a second of its references.
        factory: FAISS factory string of the derived rows; ``Flat`` is exact.
        references: all of them, sorted by id.
        num_bytes: of the descriptor files on disk, dead rows included.
    """

    version: str
    space: DescriptorSpace
    weights: str
    rate_hz: float
    factory: str
    references: tuple[RefInfo, ...]
    num_bytes: int

    @cached_property
    def refs(self) -> tuple[Video, ...]:
        return tuple(ref.video for ref in self.references)

    @cached_property
    def num_vectors(self) -> int:
        return sum(ref.num_vectors for ref in self.references)

    @cached_property
    def by_id(self) -> Mapping[str, RefInfo]:
        return MappingProxyType({ref.video.id: ref for ref in self.references})

    @cached_property
    def image_ids(self) -> frozenset[str]:
        """Ids of the references of one frame."""
        return frozenset(ref.video.id for ref in self.references if ref.num_frames == 1)

    @classmethod
    def from_manifest(cls, manifest: Manifest) -> "IndexInfo":
        return cls.from_entries(manifest, manifest.refs)

    @classmethod
    def from_entries(cls, manifest: Manifest, refs: Iterable[RefEntry]) -> "IndexInfo":
        """Describe an index whose references are not those of its last manifest."""
        entries = sorted(refs, key=lambda ref: ref.video.id)
        return cls(
            version=version_of(manifest.space, entries),
            space=manifest.space,
            weights=manifest.weights,
            rate_hz=manifest.rate_hz,
            factory=manifest.factory,
            references=tuple(_ref_info(ref) for ref in entries),
            num_bytes=sum(shard.num_bytes for shard in manifest.shards),
        )


def _ref_info(ref: RefEntry) -> RefInfo:
    return RefInfo(
        video=ref.video,
        num_vectors=ref.num_rows,
        num_frames=ref.num_frames,
        digest=ref.digest,
        excluded=ref.excluded,
        skipped=ref.skipped,
    )


def is_index(path: Path) -> bool:
    """Tell whether there is an index, damaged or not.

    Raises:
        SetupError: that cannot be seen.
    """
    try:
        return (path / MANIFEST_NAME).exists()
    except OSError as error:
        raise SetupError(f"{path}: cannot be looked into: {error.strerror}") from error


def read_info(path: Path) -> IndexInfo:
    """Read what is in an index without loading its descriptors.

    Raises:
        SetupError: there is no index, or it is damaged.
    """
    return IndexInfo.from_manifest(read_manifest(path))
