"""The folder that `vcd synth` makes: VSC2022's layout, what was done to each copy, and how it came.

DIR/queries/Q100001.mp4      made
DIR/refs/R100001.mp4         the user's files, byte for byte, with their own endings
DIR/ground_truth.csv         VSC2022's columns; written last, so that it speaks of finished queries
DIR/queries_metadata.csv     VSC2022's columns
DIR/refs_metadata.csv        the same; ``urls`` names the file that a reference is
DIR/edits.csv                one line for each copy, and for what a negative has in its place
DIR/synth.json               settings, roles, digests: what the set can be made from again
DIR/preview.png              some queries beside what they copy
"""

import csv
import hashlib
import io
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipelines.synth_footage import UsableVideo
from vcd.core import InputError, SetupError
from vcd.evaluation.settings import SynthSettings
from vcd.evaluation.synthesis.footage_roles import Role
from vcd.evaluation.synthesis.query_plan import QueryPlan

__all__ = ["DataSet", "copy_refs", "open_folder", "write_tables"]

_RECORD = "synth.json"
_FIRST_REF = 100_001
_TRUTH_COLUMNS = ("query_id", "ref_id", "query_start", "query_end", "ref_start", "ref_end")
_EDIT_COLUMNS = (*_TRUTH_COLUMNS, "edit", "edits", "seeds", "speed", "crf", "structure", "footage")
_METADATA_COLUMNS = (
    "video_id",
    "width",
    "height",
    "duration_sec",
    "frames_per_sec",
    "users",
    "urls",
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DataSet:
    """All that is decided before anything is made.

    Attributes:
        folder: where it is made.
        videos: what it is made from, by id.
        roles: of each video, by id.
        plans: of all queries.
        settings: that led to them.
    """

    folder: Path
    videos: Sequence[UsableVideo]
    roles: Mapping[str, Role]
    plans: Sequence[QueryPlan]
    settings: SynthSettings

    @property
    def refs(self) -> dict[str, UsableVideo]:
        """The references by the names that they get: in the order of the ids they had."""
        chosen = [
            video for video in self.videos if self.roles[video.source.id] is not Role.STRANGER
        ]
        return {f"R{_FIRST_REF + number:06d}": video for number, video in enumerate(chosen)}

    @property
    def ref_ids(self) -> dict[str, str]:
        """What the reference is called that a video became."""
        return {video.source.id: ref_id for ref_id, video in self.refs.items()}

    @property
    def digest(self) -> str:
        """Digest of the plans and of the bytes that they are made from."""
        document = {
            "plans": [asdict(plan) for plan in self.plans],
            "sha256": {video.source.id: video.sha256 for video in self.videos},
            "ref_ids": self.ref_ids,
        }
        return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()

    def query_path(self, plan: QueryPlan) -> Path:
        return self.folder / "queries" / f"{plan.id}.mp4"

    def ref_path(self, ref_id: str) -> Path:
        return self.folder / "refs" / f"{ref_id}{self.refs[ref_id].path.suffix.lower()}"


def open_folder(data_set: DataSet, record: Mapping[str, Any]) -> None:
    """Make the folder, or go on with the one that an earlier run of the same plan left.

    Args:
        data_set: what will be made in it.
        record: what else `synth.json` says.

    Raises:
        InputError: the folder holds something else.
    """
    folder = data_set.folder
    file = folder / _RECORD
    if folder.exists() and any(folder.iterdir()) and _digest_of(file) != data_set.digest:
        raise InputError(
            f"{folder}: wanted an empty folder, or the same data set begun before, found "
            + ("one of other videos, settings or seed" if file.exists() else "other files")
        )
    for name in ("queries", "refs"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    sources = [
        {
            "id": video.source.id,
            "file": video.path.name,
            "sha256": video.sha256,
            "duration_s": video.duration_s,
            "role": data_set.roles[video.source.id].value,
            "ref_id": data_set.ref_ids.get(video.source.id),
        }
        for video in data_set.videos
    ]
    document = {
        **record,
        "digest": data_set.digest,
        "settings": asdict(data_set.settings),
        "sources": sources,
    }
    _put(file, json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def copy_refs(data_set: DataSet) -> None:
    """Copy the references, unless they are there.

    Raises:
        SetupError: the disk does not take them.
    """
    for ref_id, video in data_set.refs.items():
        path = data_set.ref_path(ref_id)
        if path.exists():
            continue
        part = path.with_name(f".{path.name}")
        try:
            shutil.copyfile(video.path, part)
            part.replace(path)
        except OSError as error:
            raise SetupError(f"{path}: cannot be written: {error.strerror or error}") from error
        finally:
            part.unlink(missing_ok=True)


def write_tables(data_set: DataSet, made: Sequence[QueryPlan]) -> None:
    """Write ground truth, edits and metadata of the queries that were made.

    Raises:
        SetupError: the disk does not take them.
    """
    folder, ref_ids = data_set.folder, data_set.ref_ids
    _put(folder / "queries_metadata.csv", _csv(_METADATA_COLUMNS, map(_query_row, made)))
    refs = [_ref_row(ref_id, video) for ref_id, video in data_set.refs.items()]
    _put(folder / "refs_metadata.csv", _csv(_METADATA_COLUMNS, refs))
    edits = [row for plan in made for row in _edit_rows(plan, ref_ids)]
    _put(folder / "edits.csv", _csv(_EDIT_COLUMNS, edits))
    truth = [row for row in edits if row["ref_id"]]
    _put(folder / "ground_truth.csv", _csv(_TRUTH_COLUMNS, truth))


def _edit_rows(plan: QueryPlan, ref_ids: Mapping[str, str]) -> Iterable[dict[str, object]]:
    """Describe what was edited: copies, and what stands in their place in a negative."""
    for part, query in plan.placed():
        if part.surrounds:
            continue
        names, ref = plan.edit_names(part), part.shown.interval
        ref_id = ref_ids.get(part.shown.source_id)
        yield {
            "query_id": plan.id,
            "ref_id": ref_id or "",
            "query_start": query.start_s,
            "query_end": query.end_s,
            "ref_start": ref.start_s if ref_id else "",
            "ref_end": ref.end_s if ref_id else "",
            "edit": names[0] if len(names) == 1 else "several",
            "edits": "+".join(names),
            "seeds": "+".join(str(edit.seed) for edit in part.edits),
            "speed": round(plan.speed(part), 6),
            "crf": plan.crf,
            "structure": plan.structure,
            "footage": part.shown.source_id,
        }


def _query_row(plan: QueryPlan) -> dict[str, object]:
    return {
        "video_id": plan.id,
        "width": plan.size[0],
        "height": plan.size[1],
        "duration_sec": plan.duration_s,
        "frames_per_sec": plan.rate_hz,
        "users": "[]",
        "urls": "[]",
    }


def _ref_row(ref_id: str, video: UsableVideo) -> dict[str, object]:
    width, height = video.shown_size
    return {
        "video_id": ref_id,
        "width": width,
        "height": height,
        "duration_sec": video.duration_s,
        "frames_per_sec": "",
        "users": "[]",
        "urls": json.dumps([video.path.name], ensure_ascii=False),
    }


def _csv(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _digest_of(file: Path) -> str | None:
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return document.get("digest") if isinstance(document, dict) else None


def _put(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    part = path.with_name(f".{path.name}")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise SetupError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)
