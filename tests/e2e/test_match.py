"""`vcd match` on descriptor files of footage whose truth is known."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from tests.e2e.conftest import RATE_HZ, Run, footage, one_sentence, write_frames
from tests.house.house import ROOT

COLUMNS = "query_id,ref_id,query_start,query_end,ref_start,ref_end,score"
CONFIGS = ROOT / "configs"


def _rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines()))


@pytest.fixture(scope="module")
def work(vcd: Run, refs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hold three uploads, other footage, and the descriptors of all of them."""
    folder = tmp_path_factory.mktemp("match")
    (folder / "uploads").mkdir()
    host, clip = list(footage(77, 12.0)), list(footage(1, 15.0))
    at = round(5 * RATE_HZ)
    inserted = host[:at] + clip[round(4 * RATE_HZ) : round(10 * RATE_HZ)] + host[at:]
    write_frames(folder / "uploads/inserted.mp4", inserted)
    cropped = (np.ascontiguousarray(frame[16:-16, 20:-20]) for frame in footage(3, 15.0))
    write_frames(folder / "uploads/cropped.mp4", cropped)
    write_frames(folder / "uploads/stranger.mp4", footage(99, 9.0))
    (folder / "other").mkdir()
    for seed in range(4):
        write_frames(folder / f"other/other{seed}.mp4", footage(500 + seed, 8.0))
    for name, videos in (("q", "uploads"), ("b", "other"), ("r", refs)):
        result = vcd("describe", folder / videos, "--out", folder / f"{name}.npz")
        assert result.returncode == 0, result.stderr
    return folder


def _match(vcd: Run, work: Path, out: Path, *flags: object) -> str:
    files = ("--queries", work / "q.npz", "--refs", work / "r.npz", "--out", out)
    result = vcd("match", *files, *flags)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.slow
def test_match_says_what_check_says(vcd: Run, work: Path, index: Path, tmp_path: Path) -> None:
    _match(vcd, work, tmp_path / "matched.csv")
    result = vcd("check", work / "uploads", "--index", index, "--out", tmp_path / "checked.csv")
    assert result.returncode == 0, result.stderr

    matched, checked = (_rows(tmp_path / f"{name}.csv") for name in ("matched", "checked"))

    pairs = [[(row["query_id"], row["ref_id"]) for row in rows] for rows in (matched, checked)]
    assert pairs[0] == pairs[1] == [("cropped", "ref3"), ("inserted", "ref1")]
    for ours, theirs in zip(matched, checked, strict=True):
        assert float(ours["score"]) == pytest.approx(float(theirs["score"]), abs=1e-4)
        # A check looks at the video again around a bound, eight times a second.
        for bound in ("query_start", "query_end", "ref_start", "ref_end"):
            assert float(ours[bound]) == pytest.approx(float(theirs[bound]), abs=0.25)


@pytest.mark.slow
def test_the_published_baseline_finds_the_copies_first(
    vcd: Run, work: Path, tmp_path: Path
) -> None:
    _match(vcd, work, tmp_path / "raw.csv", "--config", CONFIGS / "vsc2022.toml")
    normalized = ("--config", CONFIGS / "vsc2022.toml", "--background", work / "b.npz")
    _match(vcd, work, tmp_path / "normalized.csv", *normalized)

    raw, moved = (_rows(tmp_path / f"{name}.csv") for name in ("raw", "normalized"))

    for rows in (raw, moved):
        best: dict[str, str] = {}
        for row in rows:
            best.setdefault(row["query_id"], row["ref_id"])
        assert best["cropped"] == "ref3"
        assert best["inserted"] == "ref1"
    assert max(float(row["score"]) for row in moved) < max(float(row["score"]) for row in raw)


@pytest.mark.slow
def test_what_is_written_says_what_it_was_made_with(vcd: Run, work: Path, tmp_path: Path) -> None:
    out, candidates = tmp_path / "m.csv", tmp_path / "c.csv"
    best = ("--config", CONFIGS / "vsc2022_best.toml", "--candidates-out", candidates, "--json")

    printed = json.loads(_match(vcd, work, out, *best))

    assert out.read_text().splitlines()[0] == COLUMNS
    assert candidates.read_text().splitlines()[0] == "query_id,ref_id,score"
    assert printed == json.loads((tmp_path / "m.csv.provenance.json").read_text())
    assert printed["counts"]["num_matches"] == len(_rows(out)) > 2
    assert printed["counts"]["num_candidates"] == len(_rows(candidates)) == 18
    assert printed["provenance"]["settings"]["match.max_frame_pairs_per_query"] == 1200
    assert set(printed["provenance"]["inputs"]) == {"queries", "references"}


@pytest.mark.slow
def test_the_same_files_give_the_same_bytes(vcd: Run, work: Path, tmp_path: Path) -> None:
    for name in ("one", "other"):
        _match(vcd, work, tmp_path / f"{name}.csv", "--min-score=-inf")

    for end in ("", ".provenance.json"):
        one, other = ((tmp_path / f"{name}.csv{end}").read_bytes() for name in ("one", "other"))
        assert one == other


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--background", "r.npz"), ("without references", "ref0")),
        (("--refs", "nobody.npz"), ("nobody.npz",)),
        (("--out", "nowhere/m.csv"), ("nowhere",)),
        (("--queries", "text.npz"), ("text.npz", "not a descriptor file")),
    ],
    ids=["background of references", "no references", "no folder", "no descriptors"],
)
def test_what_cannot_be_matched_is_a_sentence(
    flags: tuple[str, str], words: tuple[str, ...], vcd: Run, work: Path, tmp_path: Path
) -> None:
    (work / "text.npz").write_text("no archive")
    given = {"--queries": "q.npz", "--refs": "r.npz", "--out": str(tmp_path / "m.csv")}
    given[flags[0]] = flags[1]

    result = vcd("match", *(word for flag in given.items() for word in flag), cwd=work)

    assert result.returncode == 1
    one_sentence(result.stderr, *words)
    assert not (tmp_path / "m.csv").exists()
