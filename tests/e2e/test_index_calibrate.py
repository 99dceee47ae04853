"""A fit and a threshold that are stored with an index, and a worker that is told of a fit."""

import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Run, footage, one_sentence, write_frames
from tests.e2e.stream_world import World
from tests.e2e.test_references import _followed
from tests.fault.web_server import answer, serving
from tests.unit.core.test_calibration import CALIBRATION
from vcd.core import encode_calibration
from vcd.search import read_info

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def background(vcd: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hold the descriptors of eight strangers."""
    folder = tmp_path_factory.mktemp("background")
    for seed in range(8):
        write_frames(folder / f"other{seed}.mp4", footage(300 + seed, 6.0))
    path = folder / "background.npz"
    result = vcd("describe", folder, "--out", path)
    assert result.returncode == 0, result.stderr
    return path


@pytest.fixture(scope="module")
def orphaned(vcd: Run, refs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hold an index of six references whose videos are gone."""
    folder = tmp_path_factory.mktemp("orphaned")
    videos = shutil.copytree(refs, folder / "videos")
    result = vcd("index", "add", videos, "--index", folder / "refs.index")
    assert result.returncode == 0, result.stderr
    shutil.rmtree(videos)
    return folder / "refs.index"


@pytest.fixture
def mine(orphaned: Path, tmp_path: Path) -> Path:
    """Hold an index of one's own to calibrate."""
    return shutil.copytree(orphaned, tmp_path / "refs.index")


@pytest.fixture(scope="module")
def uploads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hold a copy of the first reference from its second second on, and a stranger."""
    folder = tmp_path_factory.mktemp("uploads")
    write_frames(folder / "copy.mp4", list(footage(0, 15.0))[24:132])
    write_frames(folder / "stranger.mp4", footage(109, 5.0))
    return folder


def checked(vcd: Run, uploads: Path, index: Path, *words: object) -> tuple[Any, str]:
    """Check, and give the document and what was said."""
    result = vcd("check", uploads, "--index", index, "--json", *words)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout), result.stderr


def match_of(document: Any) -> Any:
    (match,) = (match for report in document["reports"] for match in report["matches"])
    return match


def assert_same_stretch(match: Any, other: Any) -> None:
    for side in ("query", "ref"):
        assert match[side] == pytest.approx(other[side], abs=0.5)


def _told(report: Any) -> Any:
    return {name: value for name, value in report.items() if name not in {"elapsed_s", "headers"}}


def test_a_fit_moves_scores_without_the_videos_until_it_is_cleared_and_reports_say_so(
    vcd: Run, uploads: Path, mine: Path, background: Path
) -> None:
    before, _ = checked(vcd, uploads, mine)

    result = vcd("index", "calibrate", "--index", mine, "--background", background)

    after, _ = checked(vcd, uploads, mine)
    cleared = vcd("index", "calibrate", "--index", mine, "--clear")
    again, _ = checked(vcd, uploads, mine)
    assert (result.returncode, cleared.returncode) == (0, 0), result.stderr + cleared.stderr
    assert match_of(after)["ref_id"] == match_of(before)["ref_id"] == "ref0"
    assert_same_stretch(match_of(after), match_of(before))
    assert match_of(after)["score"] != match_of(before)["score"]
    assert before["summary"]["fit"] is None
    assert after["summary"]["fit"][:12] in result.stderr
    assert after["summary"]["index_version"] == before["summary"]["index_version"]
    assert after["summary"]["settings_digest"] != before["summary"]["settings_digest"]
    for report in after["reports"]:
        assert report["settings_digest"] == after["summary"]["settings_digest"]
        assert report["space"]["dim"] == 255
    assert list(map(_told, again["reports"])) == list(map(_told, before["reports"]))


def test_what_was_reported_without_the_fit_is_looked_at_again_and_with_it_is_not(
    vcd: Run, uploads: Path, mine: Path, background: Path, tmp_path: Path
) -> None:
    words = ("--out", tmp_path / "matches.csv")
    checked(vcd, uploads, mine, *words)
    vcd("index", "calibrate", "--index", mine, "--background", background)

    _, fitted = checked(vcd, uploads, mine, *words)
    _, again = checked(vcd, uploads, mine, *words)

    assert fitted.startswith("2 checked; 1 match in 1 upload")
    assert again.startswith("0 checked, 2 unchanged")


def test_a_measured_threshold_is_used_and_said_until_something_else_changes(
    vcd: Run, uploads: Path, mine: Path, tmp_path: Path
) -> None:
    before, said = checked(vcd, uploads, mine)
    assert "at 0.45: expected precision not measured" in said
    info = read_info(mine)
    calibration = replace(
        CALIBRATION,
        space=info.space,
        rate_hz=info.rate_hz,
        fit_digest=None,
        settings_digest=before["summary"]["threshold_digest"],
        min_score=round(match_of(before)["score"] + 0.01, 3),
    )
    file = tmp_path / "calibration.json"
    file.write_text(encode_calibration(calibration))

    stored = vcd("index", "calibrate", "--index", mine, "--calibration", file)
    after, told = checked(vcd, uploads, mine)
    lower, lower_told = checked(vcd, uploads, mine, "--min-score", "0.5")
    (tmp_path / "c.toml").write_text("[align]\nmin_length_s = 2.5\n")
    other, other_told = checked(vcd, uploads, mine, "--config", tmp_path / "c.toml")

    assert stored.returncode == 0, stored.stderr
    assert f"0 matches in 0 uploads; {calibration.sentence}" in told
    assert after["summary"]["min_score"] == calibration.min_score
    assert after["summary"]["expected_precision"] == [0.99, 0.981, 0.996]
    assert match_of(lower) == match_of(before)
    assert "at 0.5: expected precision not measured" in lower_told
    assert lower["summary"]["expected_precision"] is None
    assert match_of(other)["ref_id"] == "ref0"
    assert "is not used: it was measured with settings of digest" in other_told


def test_an_index_is_announced_with_its_stored_descriptors_whatever_it_is_calibrated_with(
    vcd: Run, mine: Path, background: Path, tmp_path: Path
) -> None:
    log = f"sqlite:{tmp_path / 'bus.db'}"
    assert vcd("log", "create", "--log", log).returncode == 0
    vcd("index", "calibrate", "--index", mine, "--background", background)

    result = vcd("references", "add", "--from-index", mine, "--log", log)

    assert result.returncode == 0, result.stderr
    assert len(_followed(log, tmp_path / "followed", mine)) == 6
    assert read_info(tmp_path / "followed").version == read_info(mine).version


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--background", "references.npz"), "have the id of one: ref0"),
        (("--background", "none.npz"), "none.npz"),
        (("--calibration", "none.json"), "none.json: cannot be read: No such file or directory"),
    ],
    ids=["references", "no background", "no calibration"],
)
def test_what_cannot_be_stored_is_a_sentence(
    vcd: Run, refs: Path, mine: Path, tmp_path: Path, words: tuple[str, str], sentence: str
) -> None:
    vcd("describe", refs / "ref0.mp4", "--out", tmp_path / "references.npz")

    result = vcd("index", "calibrate", "--index", mine, words[0], tmp_path / words[1])

    assert result.returncode == 1
    one_sentence(result.stderr, sentence)


@pytest.fixture
def bus(tmp_path: Path, films: Path) -> Iterator[World]:
    """Lend a log in a file, with two references."""
    with ExitStack() as stack:
        servers = (serving(answer("200 OK", "Content-Length: 0")) for _ in range(2))
        cdn, inner = map(stack.enter_context, servers)
        world = World(tmp_path, f"sqlite:{tmp_path}/bus.db", cdn=cdn, inner=inner)
        stack.callback(world.close)
        world.create()
        result = world.vcd("references", "add", films / "film0.mp4", films / "film1.mp4")
        assert result.returncode == 0, result.stderr
        yield world


def test_a_worker_that_is_told_of_a_background_says_what_check_says_with_it(
    bus: World, films: Path, background: Path
) -> None:
    fitting = {"VCD_FIT__BACKGROUND": str(background)}
    bus.start("fitted", **fitting).until_ready()
    told = bus.answer_to("copy", films / "copy.mp4")

    check = ("check", bus.uploads / "copy.mp4", "--index", bus.index("fitted"), "--json")
    fitted = json.loads(bus.run(*check, env=fitting).stdout)
    plain = json.loads(bus.run(*check).stdout)
    info = bus.run("index", "info", "--index", bus.index("fitted"), "--json")
    calibrated = bus.run(
        "index", "calibrate", "--index", bus.index("fitted"), "--background", background
    )

    assert told["matches"][0]["ref_id"] == "film0"
    assert [_told(report) for report in fitted["reports"]] == [_told(told)]
    assert fitted["summary"]["fit"] is not None
    assert plain["reports"][0]["settings_digest"] != told["settings_digest"]
    assert plain["reports"][0]["matches"][0]["score"] != told["matches"][0]["score"]
    assert json.loads(info.stdout)["version"] == told["index_version"]
    assert calibrated.returncode == 1
    one_sentence(calibrated.stderr, "follows the log", "fit.background")
