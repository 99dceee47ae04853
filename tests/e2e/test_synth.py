"""`vcd synth`: what the ground truth says is what the videos show."""

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest

from pipelines.synth_footage import UsableVideo, footage_of, open_pool
from tests.clips import Clip, number_in, numbered, sampled, write_clip
from tests.e2e.conftest import Run, one_sentence
from vcd.core import Interval
from vcd.evaluation.synthesis.footage_roles import Source
from vcd.evaluation.synthesis.query_frames import query_frames
from vcd.evaluation.synthesis.query_plan import Part, QueryPlan, Stretch
from vcd.media import MediaSettings, write_video

SOURCE_HZ = 25
NUM_FRAMES = 200
WIDTH, HEIGHT = 160, 120
NUM_VIDEOS = 7
CONFIG = """
[synth]
rate_hz = 12.0
short_edge_px = 120
max_segment_s = 5.0
"""


def pattern(video: int) -> np.ndarray:
    """Draw what tells one video from another, where `numbered` has its moving plane."""
    blocks = np.random.default_rng(video).integers(0, 2, (2, 8)) * 180 + 40
    return np.kron(blocks, np.ones((HEIGHT // 6, WIDTH // 8))).astype(np.uint8)


def picture(video: int, number: int) -> np.ndarray:
    pixels = numbered(number, width=WIDTH, height=HEIGHT)
    pixels[2 * HEIGHT // 3 :] = pattern(video)[..., None]
    return pixels


def video_in(pixels: np.ndarray) -> int:
    grey = pixels[2 * HEIGHT // 3 :].mean(axis=2)
    return max(range(NUM_VIDEOS), key=lambda n: np.corrcoef(grey.ravel(), pattern(n).ravel())[0, 1])


@pytest.fixture(scope="session")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hold seven videos that know which frame they show."""
    folder = tmp_path_factory.mktemp("videos")
    clip = Clip(
        suffix=".mp4",
        codec="libx264",
        num_frames=NUM_FRAMES,
        rate_hz=SOURCE_HZ,
        width=WIDTH,
        height=HEIGHT,
    )
    for video in range(NUM_VIDEOS):
        pictures = (picture(video, number) for number in range(NUM_FRAMES))
        write_clip(folder / f"video{video}.mp4", clip, pictures)
    return folder


@pytest.fixture(scope="session")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("config") / "synth.toml"
    path.write_text(CONFIG)
    return path


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="session")
def plain(vcd: Run, videos: Path, config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hold a set whose copies are cut and re-encoded only."""
    out = tmp_path_factory.mktemp("plain") / "set"
    options = ("--queries", 8, "--negatives", 0.25, "--strength", 0, "--config", config)
    result = vcd("synth", videos, "--out", out, *options)
    assert result.returncode == 0, result.stderr
    return out


@pytest.mark.slow
def test_every_frame_of_a_copy_is_the_frame_that_the_truth_says(plain: Path) -> None:
    names = {
        row["video_id"]: json.loads(row["urls"])[0] for row in rows(plain / "refs_metadata.csv")
    }
    truth = rows(plain / "ground_truth.csv")
    assert len(truth) >= 6

    for row in truth:
        query = plain / "queries" / f"{row['query_id']}.mp4"
        first = float(row["query_start"]) * 12.0
        stop = float(row["query_end"]) * 12.0
        assert first == pytest.approx(round(first))
        assert stop == pytest.approx(round(stop))
        _, sink = sampled(query, rate_hz=12.0, max_short_edge_px=HEIGHT)
        for frame in range(round(first), round(stop)):
            instant_s = float(row["ref_start"]) + (frame - first + 0.5) / 12.0
            assert number_in(sink.pictures[frame]) == math.floor(instant_s * SOURCE_HZ + 1e-6)
            assert f"video{video_in(sink.pictures[frame])}.mp4" == names[row["ref_id"]]
        outside = [at for at in (round(first) - 1, round(stop)) if 0 <= at < len(sink.pictures)]
        for at in outside:
            gap_s = (at - first + 0.5) / 12.0
            continued = math.floor((float(row["ref_start"]) + gap_s) * SOURCE_HZ + 1e-6)
            shown = (video_in(sink.pictures[at]), number_in(sink.pictures[at]))
            assert shown != (int(names[row["ref_id"]][5]), continued)


@pytest.mark.slow
def test_a_negative_shows_no_reference(plain: Path) -> None:
    refs = {json.loads(row["urls"])[0] for row in rows(plain / "refs_metadata.csv")}
    positives = {row["query_id"] for row in rows(plain / "ground_truth.csv")}
    queries = {path.stem for path in (plain / "queries").iterdir()}

    negatives = queries - positives

    assert len(negatives) == 2
    for query_id in negatives:
        _, sink = sampled(
            plain / "queries" / f"{query_id}.mp4", rate_hz=12.0, max_short_edge_px=HEIGHT
        )
        assert refs.isdisjoint(f"video{video_in(pixels)}.mp4" for pixels in sink.pictures)


@pytest.mark.slow
def test_the_folder_has_the_layout_of_vsc2022(plain: Path, videos: Path) -> None:
    refs = rows(plain / "refs_metadata.csv")
    queries = rows(plain / "queries_metadata.csv")

    truth = (plain / "ground_truth.csv").read_text().splitlines()
    assert truth[0] == "query_id,ref_id,query_start,query_end,ref_start,ref_end"
    assert [row["video_id"] for row in queries] == [f"Q{100001 + n}" for n in range(8)]
    assert [row["video_id"] for row in refs] == [f"R{100001 + n}" for n in range(len(refs))]
    for row in refs:
        copied = plain / "refs" / f"{row['video_id']}.mp4"
        assert copied.read_bytes() == (videos / json.loads(row["urls"])[0]).read_bytes()
    for row in queries:
        found, _ = sampled(plain / "queries" / f"{row['video_id']}.mp4")
        assert found.video.duration_s == pytest.approx(float(row["duration_sec"]), abs=1e-3)
        assert (found.video.width_px, found.video.height_px) == (
            int(row["width"]),
            int(row["height"]),
        )
    assert {row["edit"] for row in rows(plain / "edits.csv")} == {"none"}
    assert (plain / "preview.png").stat().st_size > 10_000


@pytest.mark.slow
def test_the_same_command_makes_only_what_is_missing(
    vcd: Run, videos: Path, config: Path, plain: Path
) -> None:
    truth = (plain / "ground_truth.csv").read_bytes()
    lost, kept = (plain / "queries" / f"Q10000{n}.mp4" for n in (2, 3))
    lost.unlink()
    (plain / "ground_truth.csv").unlink()
    before = kept.stat().st_mtime_ns
    options = ("--queries", 8, "--negatives", 0.25, "--strength", 0, "--config", config)

    result = vcd("synth", videos, "--out", plain, *options)

    assert result.returncode == 0
    assert "1 queries made, 7 unchanged" in result.stderr
    assert kept.stat().st_mtime_ns == before
    assert lost.exists()
    assert (plain / "ground_truth.csv").read_bytes() == truth


@pytest.mark.slow
def test_another_seed_does_not_mix_with_what_is_there(
    vcd: Run, videos: Path, config: Path, plain: Path
) -> None:
    result = vcd("synth", videos, "--out", plain, "--seed", 2, "--config", config)

    assert result.returncode == 1
    one_sentence(result.stderr, str(plain), "found one of other videos, settings or seed")


@pytest.mark.slow
def test_the_same_seed_gives_the_same_truth_and_bad_files_are_named(
    vcd: Run, videos: Path, config: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "videos"
    folder.mkdir()
    for path in videos.iterdir():
        (folder / path.name).symlink_to(path)
    (folder / "broken.mp4").write_bytes(b"not a video at all" * 100)
    (folder / "again.mp4").write_bytes((videos / "video0.mp4").read_bytes())
    options = ("--queries", 3, "--strength", 1, "--config", config, "--json")

    first, second = (
        vcd("synth", folder, "--out", tmp_path / name, *options) for name in ("a", "b")
    )

    assert first.returncode == second.returncode == 3, first.stderr
    assert "refused" in first.stderr
    assert "broken.mp4" in first.stderr
    summary = json.loads(first.stdout)
    assert summary["num_queries"] == 3
    assert list(summary["left_out"]) == [str(folder / "video0.mp4")]
    for name in ("ground_truth.csv", "edits.csv", "queries_metadata.csv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


@pytest.mark.slow
def test_too_few_videos_are_told_before_anything_is_made(
    vcd: Run, videos: Path, tmp_path: Path
) -> None:
    some = sorted(videos.iterdir())[:5]

    result = vcd("synth", *some, "--out", tmp_path / "set")

    assert result.returncode == 1
    one_sentence(result.stderr, "wanted at least 6 videos of different footage", "found 5")
    assert not (tmp_path / "set").exists()


@pytest.mark.slow
@pytest.mark.parametrize("speed", [0.6, 0.83, 1.0, 1.37, 1.5])
def test_a_copy_at_another_speed_shows_the_frame_of_each_moment(
    videos: Path, tmp_path: Path, speed: float
) -> None:
    shown = Stretch(source_id="v", first_cell=31, num_cells=60, cell_rate_hz=24.0 / speed)
    plan = QueryPlan(
        id="Q100001",
        structure="clip",
        parts=(Part(shown=shown),),
        size=(WIDTH, HEIGHT),
        rate_hz=24.0,
        crf=23,
        blurred_bars=False,
    )
    video = UsableVideo(
        path=videos / "video3.mp4",
        sha256="0" * 64,
        duration_s=8.0,
        shown_size=(WIDTH, HEIGHT),
        source=Source(id="v", usable=Interval(0.0, 8.0), size=(WIDTH, HEIGHT)),
        thumbnails=np.empty((0, 256), np.uint8),
    )

    path = tmp_path / "query.mp4"
    with open_pool(MediaSettings()) as pool:
        footage = footage_of([video], pool, short_edge_px=HEIGHT)
        write_video(path, query_frames(plan, footage), rate_hz=24.0)

    ((_, true),) = plan.true_copies({"v": "R100001"})
    _, sink = sampled(path, rate_hz=24.0, max_short_edge_px=HEIGHT)
    assert len(sink.pictures) == 60
    for frame, pixels in enumerate(sink.pictures):
        instant_s = true.ref.start_s + (frame + 0.5) / 60 * true.ref.length_s
        number = number_in(pixels)
        assert number / SOURCE_HZ - 1e-3 <= instant_s < (number + 1) / SOURCE_HZ + 1e-3
