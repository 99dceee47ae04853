"""What a stranger can do wrong, through the commands: a sentence, an exit code, nothing lost."""

import ctypes
import json
import resource
import subprocess
import sys
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.e2e.conftest import Run, footage, one_sentence, write_frames
from vcd.core import Descriptors, DescriptorSpace, Timeline, Video
from vcd.search import IndexWriter

OTHER_WORDS = "the words of another file"


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _text(path: Path) -> None:
    path.write_text("This is not a video.\n" * 100)


def _playlist(path: Path) -> None:
    other = path.with_name("other.txt")
    other.write_text(OTHER_WORDS)
    path.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{other}\n#EXT-X-ENDLIST\n")


def _concat_script(path: Path) -> None:
    other = write_frames(path.with_name("hidden.mp4"), footage(3, 3.0))
    path.write_text(f"ffconcat version 1.0\nfile '{other}'\n")


def _session_description(path: Path) -> None:
    path.write_text("v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nm=video 5004 RTP/AVP 96\n")


def _audio_only(path: Path) -> None:
    with wave.open(str(path.with_suffix(".wav")), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(b"\0\0" * 8000)
    path.with_suffix(".wav").replace(path)


def _header_only(path: Path) -> None:
    write_frames(path, footage(3, 3.0))
    path.write_bytes(path.read_bytes()[:200])


def _very_wide(path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (16_000, 64)).save(path.with_suffix(".png"))
    path.with_suffix(".png").replace(path)


BAD_FILES: dict[str, Callable[[Path], None]] = {
    "empty file": _empty,
    "text": _text,
    "playlist": _playlist,
    "concat script": _concat_script,
    "session description": _session_description,
    "audio only": _audio_only,
    "header only": _header_only,
    "16,000 px wide": _very_wide,
}


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hold one good video among all the bad ones."""
    folder = tmp_path_factory.mktemp("mixed")
    for name, spoil in BAD_FILES.items():
        below = folder / name.replace(" ", "-").replace(",", "")
        below.mkdir()
        spoil(below / f"{below.name}.mp4")
        for other in below.iterdir():
            if other.name == "hidden.mp4":
                other.rename(other.with_suffix(".bin"))
    write_frames(folder / "good.mp4", footage(3, 5.0))
    return folder


def test_one_bad_file_never_ends_the_run_and_never_hides(
    vcd: Run, mixed: Path, index: Path
) -> None:
    result = vcd("check", mixed, "--index", index, "--json")

    assert result.returncode == 3
    one_sentence(result.stderr)
    document = json.loads(result.stdout)
    refused = {entry["query_id"]: entry["reason"] for entry in document["refused"]}
    assert sorted(refused) == sorted(name.replace(" ", "-").replace(",", "") for name in BAD_FILES)
    assert all(len(reason.split()) >= 4 for reason in refused.values()), refused
    assert OTHER_WORDS not in result.stdout + result.stderr
    (good,) = document["reports"]
    assert [match["ref_id"] for match in good["matches"]] == ["ref3"]


def test_index_add_names_the_bad_and_adds_the_good(vcd: Run, mixed: Path, tmp_path: Path) -> None:
    result = vcd("index", "add", mixed, "--index", tmp_path / "i")

    assert result.returncode == 3
    one_sentence(result.stderr, "1 indexed", f"{len(BAD_FILES)} refused")
    for name in BAD_FILES:
        assert name.replace(" ", "-").replace(",", "") in result.stderr


def test_a_truncated_file_is_partly_examined(vcd: Run, index: Path, tmp_path: Path) -> None:
    whole = write_frames(tmp_path / "cut.mkv", footage(3, 12.0)).read_bytes()
    (tmp_path / "cut.mkv").write_bytes(whole[: len(whole) // 2])

    result = vcd("check", tmp_path / "cut.mkv", "--index", index, "--json")

    assert result.returncode == 0, result.stderr
    (report,) = json.loads(result.stdout)["reports"]
    assert [match["ref_id"] for match in report["matches"]] == ["ref3"]
    assert report["examined"][-1]["end_s"] < 11.0
    assert [skip["reason"] for skip in report["skipped"]] == ["undecodable"]

    described = vcd("describe", tmp_path / "cut.mkv", "--out", tmp_path / "cut.npz")

    assert described.returncode == 0, described.stderr
    one_sentence(described.stderr, "cut: ", "s of it could not be looked at")
    assert "1 described, 1 not in full" in described.stderr


def test_a_video_of_one_frame_is_checked(vcd: Run, index: Path, tmp_path: Path) -> None:
    (frame,) = (frame for number, frame in enumerate(footage(3, 1.0)) if number == 5)
    write_frames(tmp_path / "one.mp4", [frame])

    result = vcd("check", tmp_path / "one.mp4", "--index", index, "--json")

    assert result.returncode == 0, result.stderr
    (report,) = json.loads(result.stdout)["reports"]
    assert [match["ref_id"] for match in report["matches"]] == ["ref3"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(["check", "nowhere.mp4", "--index", "{index}"], ["nowhere.mp4"], id="missing"),
        pytest.param(["check", "{empty}", "--index", "{index}"], ["found nothing"], id="no videos"),
        pytest.param(["check", "{refs}", "--index", "{empty}"], ["index"], id="not an index"),
        pytest.param(["check", "{refs}", "--index", "gone"], ["gone"], id="no such index"),
        pytest.param(["index", "add", "nowhere", "--index", "x"], ["nowhere"], id="add missing"),
        pytest.param(
            ["index", "add", "{refs}", "--index", "{index}", "--fps", "4"], ["--fps"], id="rate"
        ),
        pytest.param(
            ["index", "add", "{refs}", "--index", "x", "--weights", "nothing"],
            ["nothing"],
            id="weights",
        ),
    ],
)
def test_a_wrong_argument_is_one_sentence_and_exit_1(
    arguments: list[str], words: list[str], vcd: Run, index: Path, refs: Path, tmp_path: Path
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    filled = [a.format(index=index, refs=refs, empty=empty) for a in arguments]

    result = vcd(*filled, cwd=tmp_path)

    assert result.returncode == 1
    assert result.stdout == ""
    one_sentence(result.stderr, *words)
    assert len(result.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["check"], id="no path"),
        pytest.param(["check", "a.mp4"], id="no index"),
        pytest.param(["check", "a.mp4", "--index", "i", "--out", "x.xls"], id="unknown ending"),
        pytest.param(["nonsense"], id="no such verb"),
        pytest.param(["index", "polish"], id="no such action"),
    ],
)
def test_misuse_is_exit_2(arguments: list[str], vcd: Run, tmp_path: Path) -> None:
    result = vcd(*arguments, cwd=tmp_path)

    assert result.returncode == 2
    one_sentence(result.stderr, "usage")


def test_an_unreadable_file_is_refused_and_the_rest_goes_on(index: Path, tmp_path: Path) -> None:
    write_frames(tmp_path / "closed.mp4", footage(2, 3.0)).chmod(0o200)
    write_frames(tmp_path / "open.mp4", footage(3, 5.0))

    result = subprocess.run(
        [sys.executable, "-m", "pipelines.cli", "check", tmp_path, "--index", index, "--json"],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=_give_up_reading_everything,  # only ctypes, before any thread
    )

    assert result.returncode == 3, result.stderr
    document = json.loads(result.stdout)
    ((name, reason),) = ((e["query_id"], e["reason"]) for e in document["refused"])
    assert name == "closed"
    assert "permitted" in reason
    assert document["reports"][0]["matches"]


def _give_up_reading_everything() -> None:
    """Make root obey file modes like anybody else: drop two capabilities before the exec."""
    libc = ctypes.CDLL(None)
    cap_dac_override, cap_dac_read_search, pr_capbset_drop = 1, 2, 24
    libc.prctl(pr_capbset_drop, cap_dac_override)
    libc.prctl(pr_capbset_drop, cap_dac_read_search)


def test_an_index_of_another_space_is_refused(vcd: Run, refs: Path, tmp_path: Path) -> None:
    space = DescriptorSpace(name="vcd_compact", dim=4, fingerprint="0" * 64)
    features = np.eye(4, dtype=np.float32)
    timeline = Timeline.from_starts(np.arange(4) / 2.0, end_s=2.0)
    video = Video(id="r", uri="r.mp4", sha256="1" * 64, duration_s=2.0, width_px=64, height_px=64)
    with IndexWriter.open(
        tmp_path / "i", space=space, rate_hz=2.0, weights="vcd_compact"
    ) as writer:
        writer.add(video, Descriptors.from_frames("r", timeline, features, space))

    for arguments in (["check", refs / "ref0.mp4"], ["index", "add", refs / "ref0.mp4"]):
        result = vcd(*arguments, "--index", tmp_path / "i")

        assert result.returncode == 1
        one_sentence(result.stderr, "space")


def test_a_damaged_index_is_refused_and_never_answers(vcd: Run, refs: Path, tmp_path: Path) -> None:
    vcd("index", "add", refs / "ref0.mp4", "--index", tmp_path / "i")
    victims = [path for path in (tmp_path / "i").rglob("*") if path.is_file()]
    victims = [path for path in victims if path.name != "lock" and path.stat().st_size > 0]
    assert victims
    for victim in victims:
        whole = victim.read_bytes()
        middle = len(whole) // 2
        victim.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])

        result = vcd("check", refs / "ref0.mp4", "--index", tmp_path / "i")

        assert result.returncode == 1, f"{victim}: {result.stdout}"
        one_sentence(result.stderr, "damaged")
        victim.write_bytes(whole)


def test_a_full_disk_leaves_the_old_index(vcd: Run, refs: Path, tmp_path: Path) -> None:
    vcd("index", "add", refs / "ref0.mp4", "--index", tmp_path / "i")

    result = subprocess.run(
        [sys.executable, "-m", "pipelines.cli", "index", "add", refs, "--index", tmp_path / "i"],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192)),  # as above
    )

    assert result.returncode == 1, result.stderr
    one_sentence(result.stderr)
    check = vcd("check", refs / "ref0.mp4", "--index", tmp_path / "i", "--json")
    assert json.loads(check.stdout)["reports"][0]["num_refs"] == 1
