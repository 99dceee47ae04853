"""Write the evidence of one upload: a folder with its record, its pictures and its clips.

    DIR/rabbit-1f3870be27/  query.jpg                              along the upload
                            ref_0.jpg                              along each reference
                            match_0_query.jpg  match_0_ref.jpg     side by side
                            match_0_query.webm match_0_ref.webm    the same as clips
                            evidence.json                          last: without it nothing counts

What pictures cannot be had is said in a sentence; the evidence is complete as data without them.
"""

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import vcd
from pipelines.evidence_footage import Footage, Picture, Pixels, path_of, why_unseen
from pipelines.evidence_pictures import MatchPictures, attempted, match_pictures, write_strip
from vcd.core import (
    Descriptors,
    Examination,
    Index,
    InputError,
    Match,
    MatchReport,
    SetupError,
    Video,
)
from vcd.evidence import (
    RECORD_NAME,
    EvidenceRecord,
    EvidenceSettings,
    HeatMap,
    MatchRecord,
    RefRecord,
    Sheet,
    Terms,
    files_of,
    folder_name,
    heat_map,
    merged_hints,
    read_record,
    transform_hints,
    write_record,
)
from vcd.media import DecodePool
from vcd.search import RefInfo

__all__ = ["EvidenceFolder", "make_evidence_folder", "map_of"]

_MAX_HINT_PAIRS = 5
"""Pairs of pictures that say what was done to the copy; more say the same, slower."""

_MAX_KEPT_STRIPS = 64
"""Strips of references in memory, about 200 kB each: some references are copied every day."""

_OUR_SUFFIXES = frozenset({".jpg", ".webm", ".part"})


@dataclass(kw_only=True, eq=False)
class EvidenceFolder:
    """Where the evidence of every upload goes.

    Attributes:
        path: of the folder; each upload has one below it.
        settings: how much is kept.
        terms: under which scores are made.
        refs: what the index knows of its references, by id.
        index: the references.
        prepare: makes of a query's raw descriptors what is compared.
        pool: decodes pictures; of one child, and nobody else's.
    """

    path: Path
    settings: EvidenceSettings
    terms: Terms
    refs: Mapping[str, RefInfo]
    index: Index
    prepare: Callable[[Descriptors], Descriptors]
    pool: DecodePool
    _why_unseen: dict[str, str | None] = field(default_factory=dict)
    _strips: dict[str, tuple[Sheet, bytes]] = field(default_factory=dict)

    def holds(self, report: MatchReport) -> bool:
        """Tell whether the evidence of this very report is there, with all its files."""
        folder = self.path / folder_name(report.query_id)
        try:
            record = read_record(folder)
        except InputError:
            return False
        files = [folder / name for name in files_of(record)]
        return record.report.identity == report.identity and all(map(Path.is_file, files))

    def write(
        self, examination: Examination, descriptors: Descriptors, report: MatchReport
    ) -> tuple[str, ...]:
        """Write all that there is to see of one upload.

        Args:
            examination: of the upload.
            descriptors: of the upload, raw.
            report: of the upload; each match with its evidence.

        Returns:
            Why pictures are missing, a sentence each.

        Raises:
            SetupError: the folder does not take it.
        """
        folder = self.path / folder_name(report.query_id)
        with contextlib.ExitStack() as stack:
            try:
                folder.mkdir(exist_ok=True)
                stack.enter_context(_alone_in(folder))
                # From here on, until the new record is there, nothing in the folder counts.
                (folder / RECORD_NAME).unlink(missing_ok=True)
            except OSError as error:
                why = error.strerror or error
                raise SetupError(f"{folder}: cannot be written: {why}") from error
            drawing = _Drawing(self, folder, examination, self.prepare(descriptors))
            record = drawing.record(report)
            write_record(folder, record)
            _remove_strangers(folder, keep={RECORD_NAME, *files_of(record)})
        return tuple(drawing.missing)

    def footage(self, video: Video) -> Footage:
        """Make the pictures of a video that can be looked at."""
        return Footage(pool=self.pool, video=video, path=path_of(video.uri), settings=self.settings)

    def write_ref_strip(self, path: Path, ref_id: str) -> Sheet:
        """Write pictures along a reference; those of the last ones are kept for other uploads."""
        if ref_id not in self._strips:
            sheet = write_strip(path, self.footage(self.refs[ref_id].video))
            if len(self._strips) >= _MAX_KEPT_STRIPS:
                del self._strips[next(iter(self._strips))]
            self._strips[ref_id] = (sheet, path.read_bytes())
        sheet, jpeg = self._strips[ref_id]
        path.write_bytes(jpeg)
        return replace(sheet, file=path.name)

    def why_unseen(self, ref_id: str) -> str | None:
        """Say why a reference cannot be looked at; None where it can; found out once."""
        if ref_id not in self._why_unseen:
            self._why_unseen[ref_id] = why_unseen(self.refs[ref_id].video)
        return self._why_unseen[ref_id]


def map_of(match: Match, query: Descriptors, index: Index, *, max_cells: int) -> HeatMap:
    """Draw the similarity around a match, in the views that matched.

    Args:
        match: with its evidence.
        query: of the upload, as it was compared.
        index: that has the reference.
        max_cells: rows and columns at most.
    """
    evidence = match.evidence
    return heat_map(
        query,
        index.descriptors(match.ref_id),
        match,
        query_view=0 if evidence is None else evidence.query_view,
        ref_view=0 if evidence is None else evidence.ref_view,
        max_cells=max_cells,
    )


def make_evidence_folder(path: Path) -> None:
    """Make the folder below which evidence goes, and see that it can be written to.

    Raises:
        SetupError: it cannot.
    """
    probe = path / ".writable.part"
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise SetupError(
            f"{path}: wanted a folder for evidence that can be written to, "
            f"got: {error.strerror or error}"
        ) from error


class _Drawing:
    """The evidence of one upload in the making."""

    def __init__(
        self,
        home: EvidenceFolder,
        folder: Path,
        examination: Examination,
        query: Descriptors,
    ) -> None:
        self._home = home
        self._folder = folder
        self._query = query
        self._video = examination.video
        is_seen = examination.refused is None and examination.video is not None
        self._upload = home.footage(examination.video) if is_seen and examination.video else None
        self.missing: list[str] = []

    def record(self, report: MatchReport) -> EvidenceRecord:
        strip = None
        if self._upload is not None:
            upload = self._upload
            strip = attempted(self.missing, lambda: write_strip(self._folder / "query.jpg", upload))
        ref_ids = sorted({match.ref_id for match in report.matches})
        return EvidenceRecord(
            report=report,
            query=self._video,
            query_strip=strip,
            refs=tuple(self._ref(ordinal, ref_id) for ordinal, ref_id in enumerate(ref_ids)),
            matches=tuple(self._match(i, match) for i, match in enumerate(report.matches)),
            terms=self._home.terms,
            software=f"vcd {vcd.__version__}",
        )

    def _ref(self, ordinal: int, ref_id: str) -> RefRecord:
        ref = self._home.refs[ref_id]
        strip = None
        why_unseen = self._home.why_unseen(ref_id)
        if why_unseen is None:
            path = self._folder / f"ref_{ordinal}.jpg"
            strip = attempted(self.missing, lambda: self._home.write_ref_strip(path, ref_id))
        else:
            self.missing.append(why_unseen)
        return RefRecord(
            video=ref.video,
            descriptor_digest=ref.digest,
            excluded=ref.excluded,
            strip=strip,
        )

    def _match(self, ordinal: int, match: Match) -> MatchRecord:
        evidence = match.evidence
        by_views = () if evidence is None else evidence.hints
        seen = self._pictures(ordinal, match)
        # Without a line a still is held against pictures that it was not made from.
        aligned = seen.pairs if evidence is not None and evidence.line is not None else ()
        by_pixels = attempted(self.missing, lambda: transform_hints(_spread(aligned)))
        return MatchRecord(
            hints=merged_hints(by_views, by_pixels or ()),
            map=self._map(match),
            sheets=seen.sheets,
            query_preview=seen.query_preview,
            ref_preview=seen.ref_preview,
            missing=(*seen.absent, *seen.failed),
        )

    def _pictures(self, ordinal: int, match: Match) -> MatchPictures:
        settings = self._home.settings
        if ordinal >= settings.max_pictured_matches:
            why = f"pictures are made of the best {settings.max_pictured_matches} matches only"
            return MatchPictures(absent=[why])
        why_unseen = self._home.why_unseen(match.ref_id)
        ref = None if why_unseen else self._home.footage(self._home.refs[match.ref_id].video)
        stem = self._folder / f"match_{ordinal}"
        seen = match_pictures(stem, match, self._upload, ref, settings)
        self.missing += [why for why in seen.failed if why not in self.missing]
        if why_unseen:
            seen.absent.append(why_unseen)
        return seen

    def _map(self, match: Match) -> HeatMap:
        max_cells = self._home.settings.max_map_cells
        return map_of(match, self._query, self._home.index, max_cells=max_cells)


def _spread(pairs: Sequence[tuple[Picture, Picture]]) -> list[tuple[Pixels, Pixels]]:
    """Choose some pairs, evenly: what was done to a copy was done to all of it."""
    step = max(1, -(-len(pairs) // _MAX_HINT_PAIRS))
    return [(query.pixels_HWC, ref.pixels_HWC) for query, ref in pairs[step // 2 :: step]]


@contextlib.contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Wait for a run that writes the same upload: a digest is of a whole file."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _remove_strangers(folder: Path, *, keep: set[str]) -> None:
    """Remove what an earlier record named; files that are not of our making stay."""
    try:
        for path in folder.iterdir():
            if path.name not in keep and path.suffix in _OUR_SUFFIXES and path.is_file():
                path.unlink()
    except OSError as error:
        raise SetupError(f"{folder}: cannot be written: {error.strerror or error}") from error
