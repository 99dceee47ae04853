"""Does `vcd verify` agree with untouched evidence, and notice one byte that is another?

    python -m benchmarks.verify_copies EVIDENCE --index DIR --work DIR [--flips 30]

EVIDENCE is what `vcd check --evidence` wrote of edited copies (`benchmarks.copies` makes them).
All of it is verified once as it is. Then one byte at a time is changed in copies of the folder of
an upload, of the upload itself and of the index, at random places, and that upload is verified.
"""

import argparse
import contextlib
import io
import json
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.verify import main as verify
from vcd.evidence import RECORD_NAME, read_record, write_record
from vcd.search import read_exact_manifest
from vcd.search.shards import shard_path

SEED = 20261121


def _verdicts(*argv: object) -> tuple[int, list[dict[str, Any]]]:
    told = io.StringIO()
    with contextlib.redirect_stdout(told), contextlib.redirect_stderr(io.StringIO()):
        code = verify([*map(str, argv), "--json"])
    return code, json.loads(told.getvalue())["uploads"]


@contextlib.contextmanager
def _changed(path: Path, place: int, rng: np.random.Generator) -> Iterator[None]:
    """One byte of a file is another one while the block runs."""
    data = path.read_bytes()
    other = bytearray(data)
    other[place] = (other[place] + int(rng.integers(1, 256))) % 256
    path.write_bytes(other)
    try:
        yield
    finally:
        path.write_bytes(data)


def _flip(
    title: str,
    files: Sequence[Path],
    argv: Sequence[object],
    rng: np.random.Generator,
    num_flips: int,
) -> None:
    noticed, missed = 0, []
    for _ in range(num_flips):
        path = files[int(rng.integers(len(files)))]
        place = int(rng.integers(path.stat().st_size))
        with _changed(path, place, rng):
            code, uploads = _verdicts(*argv)
        if code == 1 and uploads[0]["verdict"] == "disagrees":
            noticed += 1
        else:
            missed.append(f"{path.name} at {place}: {uploads[0]}")
    print(f"{title:<34} {noticed:>3} of {num_flips} noticed", flush=True)
    for each in missed:
        print(f"  not noticed: {each}")


def _agreeing(evidence: Path, index: Path) -> list[Path]:
    started = time.monotonic()
    code, uploads = _verdicts(evidence, "--index", index)
    spent = time.monotonic() - started
    num_matches = sum(each["num_matches"] or 0 for each in uploads)
    agreeing = [each for each in uploads if each["verdict"] == "agrees"]
    print(
        f"{len(agreeing)} of {len(uploads)} uploads with {num_matches} matches agree, exit {code}, "
        f"{spent / len(uploads):.1f} s an upload"
    )
    for each in uploads:
        for sentence in (*each["sentences"], *each["notes"]):
            print(f"  {each['query_id']}: {sentence}")
    return [Path(each["evidence"]) for each in agreeing if each["num_matches"]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("evidence", type=Path)
    parser.add_argument("--index", required=True, type=Path)
    parser.add_argument("--work", required=True, type=Path, help="folder for copies")
    parser.add_argument("--flips", type=int, default=30, help="bytes changed of each kind of file")
    arguments = parser.parse_args()
    rng = np.random.default_rng(SEED)
    folders = _agreeing(arguments.evidence, arguments.index)
    index = arguments.work / "index"
    shutil.copytree(arguments.index, index, ignore=shutil.ignore_patterns("derived", "lock"))
    manifest = read_exact_manifest(index)
    for number in rng.permutation(len(folders))[:3]:
        folder = arguments.work / folders[number].name
        shutil.copytree(folders[number], folder)
        record = read_record(folder)
        upload = arguments.work / Path(record.query.uri if record.query else "").name
        shutil.copy(record.query.uri if record.query else "", upload)
        print(f"\n{record.report.query_id}, {len(record.report.matches)} matches")
        argv = [folder, "--index", index]
        named = {ref.video.id for ref in record.refs}
        shards = {ref.shard for ref in manifest.refs if ref.video.id in named}
        kinds = {
            "evidence.json": [folder / RECORD_NAME],
            "pictures and clips": sorted(folder.glob("*.jpg")) + sorted(folder.glob("*.webm")),
            "manifest of the index": [index / "manifest.json"],
            "shards of matched references": [shard_path(index, shard) for shard in shards],
            "calibration of the index": sorted(index.glob("calibration.json")),
            "fit of the index": sorted(index.glob("fit-*.npz")),
        }
        for title, files in kinds.items():
            if files:
                _flip(title, files, argv, rng, arguments.flips)
        _flip_upload(upload, folder, index, rng, arguments.flips)
    return 0


def _flip_upload(
    upload: Path, folder: Path, index: Path, rng: np.random.Generator, num_flips: int
) -> None:
    """The upload is changed where it lies: evidence is rewritten to say that it lies in WORK."""
    record = read_record(folder)
    if record.query is None:
        return
    write_record(folder, replace(record, query=replace(record.query, uri=str(upload))))
    _flip("upload", [upload], [folder, "--index", index], rng, num_flips)


if __name__ == "__main__":
    sys.exit(main())
