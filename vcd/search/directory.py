"""Add and remove references of an index on disk, one writer at a time.

    DIR/manifest.json    which rows of which shard are which reference; replaced as a whole
    DIR/shards/          immutable descriptor files, named by their digest
    DIR/derived/         what fits and FAISS made of them; may be deleted at any time
    DIR/lock             held by the writer
    DIR/log.json         only where the index follows a message bus: which one (owner.py)

What is added waits in memory, then in shards that no manifest names yet, and
counts from the moment a new manifest takes the place of the old one. See
``docs/design/search.md``.
"""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from vcd.core import (
    Descriptors,
    DescriptorSpace,
    InputError,
    Interval,
    SetupError,
    Skipped,
    VcdError,
    Video,
)
from vcd.search.compaction import grouped_parts, shards_to_rewrite
from vcd.search.index import check_factory
from vcd.search.info import IndexInfo
from vcd.search.layout import as_setup_error, check_free, opened_manifest, orphans, publish_manifest
from vcd.search.manifest import (
    MANIFEST_NAME,
    Manifest,
    RefEntry,
    ShardEntry,
    descriptor_digest,
)
from vcd.search.owner import refuse_followed_index
from vcd.search.publication import WriterLock, publish_file, remove_files
from vcd.search.shards import ShardPart, map_shard, shard_path, write_shard

__all__ = ["MAX_WAITING_BYTES", "IndexWriter"]

MAX_WAITING_BYTES = 64 * 2**20
"""Descriptors that wait in memory: eight hours of video at 2 Hz and 256 dimensions."""
_NOT_WRITTEN = ""
"""Shard of a reference that waits in memory; never in a manifest."""
_logger = logging.getLogger(__name__)


class IndexWriter:
    """The one writer of an index directory; a context manager.

    What was added counts from `publish` on. Leaving the context publishes, also
    when an exception ends it, because each `add` is complete in itself; only a
    writer that failed to write does not try again.
    """

    def __init__(self, directory: Path, manifest: Manifest, lock: WriterLock) -> None:
        """Use `open` instead."""
        self._directory = directory
        self._published = manifest
        self._factory = manifest.factory
        self._lock = lock
        self._refs = {ref.video.id: ref for ref in manifest.refs}
        self._shards = {shard.digest: shard for shard in manifest.shards}
        self._waiting: dict[str, tuple[RefEntry, ShardPart]] = {}
        self._waiting_bytes = 0
        self._is_changed = False
        self._is_broken = False
        self._remove_orphans()

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        space: DescriptorSpace,
        rate_hz: float,
        weights: str,
        factory: str | None = None,
        follows_log: bool = False,
    ) -> "IndexWriter":
        """Open an index for writing; make one when there is nothing yet.

        Args:
            path: its directory, or where it shall be.
            space: of the descriptors that will be added.
            rate_hz: at which their videos were sampled.
            weights: name or path, recorded when the index is made.
            factory: FAISS factory string; None keeps what the index has, ``Flat`` in a new one.
            follows_log: whether the writer follows a message bus; nobody else may write there.

        Raises:
            SetupError: another space or rate, another writer, another owner, not an index,
                damaged, or a factory string that FAISS does not understand.
        """
        if not follows_log:
            refuse_followed_index(path)
        if factory is not None:
            check_factory(space.dim, factory)
        with as_setup_error(f"{path}: the index cannot be opened for writing"):
            if not (path / MANIFEST_NAME).exists():
                check_free(path)
                path.mkdir(parents=True, exist_ok=True)
            lock = WriterLock(path)
        try:
            new = Manifest(space=space, weights=weights, rate_hz=rate_hz, factory=factory or "Flat")
            writer = cls(path, opened_manifest(path, new), lock)
            writer._choose_factory(factory)
        except BaseException:
            lock.release()
            raise
        return writer

    @property
    def info(self) -> IndexInfo:
        """What the index will hold once everything is published."""
        return IndexInfo.from_entries(self._published, self._entries().values())

    def __contains__(self, ref_id: str) -> bool:
        return ref_id in self._refs or ref_id in self._waiting

    def add(
        self,
        video: Video,
        descriptors: Descriptors,
        *,
        skipped: tuple[Skipped, ...] = (),
        excluded: Iterable[Interval] = (),
    ) -> None:
        """Add a reference, in place of the one that has its id; ``excluded`` is never searched.

        Raises:
            SetupError: its descriptors are of another space, or the disk is full.
            ValueError: the descriptors are another video's.
        """
        if descriptors.space != self._published.space:
            raise SetupError(
                f"{video.id}: the index holds descriptors of {self._published.space}, "
                f"these are of {descriptors.space}"
            )
        if descriptors.video_id != video.id:
            raise ValueError(f"{video.id}: the descriptors are those of {descriptors.video_id}")
        part = ShardPart.from_descriptors(descriptors)
        entry = RefEntry(
            video=video,
            digest=descriptor_digest(descriptors),
            shard=_NOT_WRITTEN,
            row_first=0,
            num_rows=len(part.rows),
            frame_first=0,
            num_frames=len(part.frames),
            excluded=tuple(sorted(excluded)),
            skipped=skipped,
        )
        self._is_changed = True
        self._waiting[video.id] = (entry, part)
        self._waiting_bytes += part.num_bytes
        if self._waiting_bytes >= MAX_WAITING_BYTES:
            self._write_shards([])

    def remove(self, ref_id: str) -> None:
        """Remove a reference.

        Raises:
            InputError: there is none of this id.
        """
        self._check_known(ref_id)
        self._is_changed = True
        self._refs.pop(ref_id, None)
        self._waiting.pop(ref_id, None)

    def exclude(self, ref_id: str, excluded: Iterable[Interval]) -> None:
        """Say which stretches of a reference are never searched; the descriptors stay.

        Raises:
            InputError: there is none of this id.
        """
        intervals = tuple(sorted(excluded))
        self._check_known(ref_id)
        self._is_changed = True
        if ref_id in self._waiting:
            entry, part = self._waiting[ref_id]
            self._waiting[ref_id] = (replace(entry, excluded=intervals), part)
        else:
            self._refs[ref_id] = replace(self._refs[ref_id], excluded=intervals)

    def publish(self) -> None:
        """Make what was added and removed count, at once and for good.

        Raises:
            SetupError: it could not be written; the version published before still counts.
        """
        if not self._is_changed:
            return
        refs = [ref for ref_id, ref in self._refs.items() if ref_id not in self._waiting]
        waiting = [part for _, part in self._waiting.values()]
        self._write_shards(shards_to_rewrite(self._shards.values(), refs, waiting))
        live = {ref.shard for ref in self._refs.values()}
        manifest = replace(
            self._published,
            factory=self._factory,
            shards=tuple(self._shards[digest] for digest in sorted(live)),
            refs=tuple(self._refs[ref_id] for ref_id in sorted(self._refs)),
        )
        with self._writing():
            publish_manifest(self._directory, manifest)
        self._published = manifest
        self._shards = {shard.digest: shard for shard in manifest.shards}
        self._is_changed = False
        self._remove_orphans()

    def __enter__(self) -> "IndexWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if not self._is_broken:
                self.publish()
        except VcdError as publication_error:
            if error is None:
                raise
            _logger.warning("%s", publication_error)
        finally:
            self._lock.release()

    def _entries(self) -> dict[str, RefEntry]:
        return {**self._refs, **{ref_id: entry for ref_id, (entry, _) in self._waiting.items()}}

    def _check_known(self, ref_id: str) -> None:
        if ref_id not in self:
            raise InputError(f"{ref_id}: the index {self._directory} has no reference of this id")

    def _choose_factory(self, factory: str | None) -> None:
        if factory is not None and factory != self._factory:
            self._factory = factory
            self._is_changed = True

    def _write_shards(self, rewritten: Iterable[ShardEntry]) -> None:
        """Write what waits, and the live rows of some shards, as new shards."""
        parts = list(self._waiting.values())
        for entry in rewritten:
            refs = [
                ref
                for ref_id, ref in self._refs.items()
                if ref.shard == entry.digest and ref_id not in self._waiting
            ]
            shard = map_shard(self._directory, entry, refs)
            parts += [(ref, shard.part(ref)) for ref in refs]
        for group in grouped_parts(parts):
            self._write_shard(group)
        self._waiting.clear()
        self._waiting_bytes = 0

    def _write_shard(self, group: list[tuple[RefEntry, ShardPart]]) -> None:
        def write(file: BinaryIO) -> ShardEntry:
            return write_shard(file, [part for _, part in group], self._published.space.dim)

        with self._writing():
            entry = publish_file(
                shard_path(self._directory, "").parent,
                write,
                lambda entry: shard_path(self._directory, entry.digest).name,
            )
        self._shards[entry.digest] = entry
        row_first = frame_first = 0
        for ref, part in group:
            self._refs[ref.video.id] = replace(
                ref, shard=entry.digest, row_first=row_first, frame_first=frame_first
            )
            row_first += len(part.rows)
            frame_first += len(part.frames)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            with as_setup_error(
                f"{self._directory}: the index could not be written (what was published "
                f"before, {len(self._published.refs)} references, still counts)"
            ):
                yield
        except SetupError:
            self._is_broken = True
            raise

    def _remove_orphans(self) -> None:
        remove_files(orphans(self._directory, self._shards, self._published.version))
