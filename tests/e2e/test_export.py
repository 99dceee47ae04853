"""`vcd models export`: every format describes a video as the weights that it was made of do."""

import contextlib
import json
from pathlib import Path

import numpy as np
import pytest

from pipelines.cli import main
from tests.e2e.conftest import RATE_HZ, footage
from vcd.descriptors import DescriptorRows, read_descriptor_rows
from vcd.media import write_video

NAMES = {
    "onnx": "vcd_compact.onnx",
    "torchscript": "vcd_compact.torchscript.pt",
    "torch_export": "vcd_compact.pt2",
}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """Keep what is trusted on this machine apart from the user's."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VCD_CACHE", str(folder))
        patch.setenv("VCD_DESCRIBE__NUM_THREADS", "1")
        yield folder


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("video") / "a.mp4"
    write_video(path, footage(1, 3.0), rate_hz=RATE_HZ)
    return path


@pytest.fixture(scope="module")
def exported(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    for to, name in NAMES.items():
        out = ["--out", str(folder / name), "--json"]
        with (folder / f"{to}.json").open("w") as stream, contextlib.redirect_stdout(stream):
            assert main(["models", "export", "vcd_compact", "--to", to, *out]) == 0
    return folder


def described(video: Path, out: Path, *weights: object) -> DescriptorRows:
    given = ["describe", str(video), "--out", str(out), *map(str, weights)]
    assert main(given) == 0
    return read_descriptor_rows(out)


@pytest.mark.parametrize("to", NAMES)
def test_every_export_describes_a_video_as_the_weights_do(to, exported, video, tmp_path):
    wanted = described(video, tmp_path / "wanted.npz")

    found = described(video, tmp_path / "found.npz", "--weights", exported / NAMES[to])

    assert found.space == wanted.space
    np.testing.assert_allclose(found.features, wanted.features, atol=1e-4)
    assert len(found.features) >= 5


def test_an_index_that_an_export_made_goes_on_with_the_weights(exported, video, tmp_path):
    index = ["--index", str(tmp_path / "index")]
    other = tmp_path / "b.mp4"
    write_video(other, footage(2, 3.0), rate_hz=RATE_HZ)

    first = main(["index", "add", str(video), *index, "--weights", str(exported / NAMES["onnx"])])
    second = main(["index", "add", str(other), *index, "--weights", "vcd_compact"])

    assert (first, second) == (0, 0)


def test_on_another_machine_an_export_is_believed_when_it_is_trusted(
    exported, video, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("VCD_CACHE", str(tmp_path / "elsewhere"))
    onnx, script = exported / NAMES["onnx"], exported / NAMES["torchscript"]

    doubted = described(video, tmp_path / "doubted.npz", "--weights", onnx)
    refused = main(
        ["describe", str(video), "--out", str(tmp_path / "s.npz"), "--weights", str(script)]
    )
    said = capsys.readouterr().err
    main(["models", "trust", str(onnx)])
    believed = described(video, tmp_path / "believed.npz", "--weights", onnx)

    assert refused == 1
    assert "is a program and this one" in said
    assert doubted.space != believed.space
    np.testing.assert_array_equal(doubted.features, believed.features)


def test_an_export_says_what_it_wrote(exported):
    for to, name in NAMES.items():
        stated = json.loads((exported / f"{to}.json").read_text())
        assert stated["path"] == str(exported / name)
        assert stated["worst_difference"] <= 1e-4
        assert stated["label"]["vcd.preprocessing"] == "skew_160"
        assert stated["label"]["vcd.hit_floor"]


def test_an_unknown_format_is_misuse_and_names_the_known_ones(cache, capsys):
    code = main(["models", "export", "vcd_compact", "--to", "coreml"])

    assert code == 2
    assert "onnx" in capsys.readouterr().err
