import json
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tests.unit.descriptors.conftest import events_of, pictures, write_tiny_onnx
from vcd.core import SetupError
from vcd.descriptors import (
    Describer,
    DescribeSettings,
    Preprocessing,
    WeightsCache,
    bundled_card,
)
from vcd.descriptors.export_cache import find_export
from vcd.descriptors.label import Label
from vcd.descriptors.loading import open_weights
from vcd.descriptors.programs import open_program
from vcd.descriptors.runtimes import TorchNetwork
from vcd.descriptors.sscd import build_network
from vcd.descriptors.state_dicts import digest_arrays, parameters_from, read_state_dict
from vcd.descriptors.weights import WeightsFile
from vcd.descriptors.weights_cache import digest_weights

ROOT = Path(__file__).parents[3]


class Scripted(nn.Module):
    """What a published TorchScript file holds: ``backbone``, and ``embeddings`` for the length."""

    def __init__(self, backbone: nn.Module, *, offset: float = 0.0) -> None:
        super().__init__()
        self.backbone = backbone
        self.offset = offset

    def forward(self, pixels_BCHW):
        raw_BD = self.backbone(pixels_BCHW + self.offset)
        return nn.functional.normalize(raw_BD, dim=1)


def save_script(module, path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(module.eval(), torch.zeros(1, 3, 64, 64)).save(str(path))
    return path


def settings(weights, cache, **changes):
    return DescribeSettings(
        weights=str(weights),
        cache_dir=str(cache),
        device="cpu",
        num_threads=1,
        **{"preprocessing": "skew_64", **changes},
    )


def only(describer, frames):
    ((_, descriptors),) = describer.describe(events_of("a", frames))
    return descriptors.features


@pytest.fixture(autouse=True)
def one_thread():
    """Two threads on two busy cores wait for each other most of the time."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def network():
    torch.manual_seed(0)
    return build_network("resnet18_w32", 32).eval()


def test_the_bundled_weights_are_those_of_their_card():
    card = bundled_card()

    loaded = open_weights(DescribeSettings(device="cpu"))

    assert loaded.space.name == "vcd_compact"
    assert loaded.space.dim == card.dim
    assert loaded.preprocessing.name == card.preprocessing
    assert loaded.profile.min_similarity < loaded.profile.hit_floor < 1.0


def test_bundled_weights_by_name_and_by_file_make_one_space(tmp_path):
    tensors = bundled_card().file("safetensors")
    parameters = parameters_from(tensors, read_state_dict(tensors))
    from vcd.descriptors.loading import _digest_without_torch

    assert _digest_without_torch(tensors) == (parameters.digest, parameters.quantization)


def test_another_preprocessing_is_another_space(tiny_onnx, tmp_path):
    first = open_weights(settings(tiny_onnx, tmp_path))
    again = open_weights(settings(tiny_onnx, tmp_path))
    other = open_weights(settings(tiny_onnx, tmp_path, preprocessing="small_64"))

    assert first.space == again.space
    assert first.space.fingerprint != other.space.fingerprint


def test_the_fingerprint_does_not_know_where_the_file_lies(tiny_onnx, tmp_path):
    moved = shutil.copy(tiny_onnx, tmp_path / "tiny.onnx")

    here, there = (open_weights(settings(path, tmp_path)) for path in (tiny_onnx, moved))

    assert here.space == there.space


def test_a_file_that_does_not_say_how_pictures_are_prepared_asks_for_it(tiny_onnx, tmp_path):
    with pytest.raises(
        SetupError, match=r'tiny\.onnx: .* --config: \[describe\] preprocessing = "skew'
    ):
        open_weights(settings(tiny_onnx, tmp_path, preprocessing=None))


def test_the_bundled_weights_take_only_their_own_size():
    with pytest.raises(
        SetupError, match=r"takes pictures of .* only, which small_288 does not give"
    ):
        open_weights(DescribeSettings(device="cpu", preprocessing="small_288"))


@pytest.mark.skipif("torch.cuda.is_available()")
def test_a_gpu_that_is_not_there_is_named():
    with pytest.raises(SetupError, match="torch finds no CUDA device"):
        open_weights(DescribeSettings(device="cuda"))


@pytest.mark.parametrize("suffix", ["onnx", "safetensors"])
def test_a_damaged_bundle_is_not_used(suffix, tmp_path):
    folder = tmp_path / "bundled"
    shutil.copytree(bundled_card().folder, folder)
    path = folder / f"vcd_compact.{suffix}"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)

    with pytest.raises(SetupError, match=rf"vcd_compact\.{suffix}: missing or damaged"):
        bundled_card(folder).file(suffix)


@pytest.mark.parametrize("text", ["{", "{}", '{"trunk": 1}', "[]"])
def test_a_card_that_lacks_something_is_named(text, tmp_path):
    (tmp_path / "vcd_compact.json").write_text(text)

    with pytest.raises(SetupError, match="the card of the bundled weights is missing or incompl"):
        bundled_card(tmp_path)


def test_a_card_states_the_limits_of_its_space(tmp_path):
    card = json.loads((bundled_card().folder / "vcd_compact.json").read_text())
    card["thresholds"] = {"hit_floor": 0.6, "min_similarity": 0.4, "min_score": 0.8}
    path = tmp_path / "vcd_compact.json"
    path.write_text(json.dumps(card))

    profile = bundled_card(tmp_path).profile

    assert (profile.hit_floor, profile.min_similarity, profile.min_score) == (0.6, 0.4, 0.8)


@pytest.mark.slow
def test_parameters_are_exported_once_and_then_used_without_torch(network, tmp_path):
    path = tmp_path / "small.torchvision.pt"
    torch.save(network.state_dict(), path)
    frames = pictures(3, seed=1)
    wanted = only_torch(network, frames)

    found = only(Describer(settings(path, tmp_path / "cache")), frames)

    np.testing.assert_allclose(found, wanted, atol=1e-4)
    program = f"""
import json, sys
from tests.unit.descriptors.conftest import events_of, pictures
from vcd.descriptors import Describer, DescribeSettings

describer = Describer(DescribeSettings(weights={str(path)!r}, cache_dir={str(tmp_path / "cache")!r},
                                       device="cpu", preprocessing="skew_64"))
((_, descriptors),) = describer.describe(events_of("a", pictures(3, seed=1)))
print(json.dumps([descriptors.features.tolist(), "torch" in sys.modules]))
"""
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    again, has_torch = json.loads(result.stdout)
    np.testing.assert_allclose(again, found, atol=1e-6)
    assert not has_torch


def only_torch(network, frames):
    resized = [Preprocessing.from_name("skew_64").resize(frame) for frame in frames]
    return TorchNetwork(network, device="cpu").describe(np.stack(resized))


def test_a_damaged_export_is_not_used(tmp_path):
    cache = WeightsCache(tmp_path)
    weights = WeightsFile(name="w", path=tmp_path / "w.pt", suffix=".classy.pt", sha256="0" * 64)
    folder = tmp_path / "exports" / f"2-{weights.sha256}"
    folder.mkdir(parents=True)
    onnx = write_tiny_onnx(folder / "network.onnx")
    label = Label(name="w", trunk="resnet50", dim=16, digest="d" * 64, quantization="none")
    record = {"label": label.as_strings(), "onnx_sha256": digest_weights(onnx)}
    (folder / "record.json").write_text(json.dumps(record))
    assert find_export(weights, cache) == (onnx, label)

    onnx.write_bytes(onnx.read_bytes()[:-1])

    assert find_export(weights, cache) is None


@pytest.mark.slow
def test_a_script_of_known_names_becomes_parameters_of_ours(network, tmp_path):
    path = save_script(Scripted(network.backbone), tmp_path / "known.torchscript.pt")

    script = open_program(path)

    assert script.parameters is not None
    assert script.parameters.trunk == "resnet18_w32"
    floats = {n: v.numpy() for n, v in network.state_dict().items() if v.is_floating_point()}
    assert script.parameters.digest == digest_arrays(floats)


@pytest.mark.slow
def test_a_script_that_computes_something_else_is_run_as_it_is(network, tmp_path):
    path = save_script(Scripted(network.backbone, offset=3.0), tmp_path / "odd.torchscript.pt")

    script = open_program(path)

    assert script.parameters is None
    assert script.dim == 32


def test_a_script_of_unknown_names_gives_its_own_vectors(tmp_path):
    torch.manual_seed(1)
    module = Scripted(
        nn.Sequential(
            nn.Conv2d(3, 8, 5, stride=3),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(8, 12),
        )
    )
    path = save_script(module, tmp_path / "mine.torchscript.pt")
    cache = WeightsCache(tmp_path / "cache")
    cache.trust(path)
    frames = pictures(4, seed=1)

    found = only(Describer(settings(path, cache.folder)), frames)

    np.testing.assert_allclose(found, only_torch(module, frames), atol=1e-4)
    assert found.shape == (4, 12)


@pytest.mark.parametrize("content", [b"", b"no script"])
def test_a_trusted_file_that_is_no_script_is_named(content, tmp_path):
    path = tmp_path / "text.torchscript.pt"
    path.write_bytes(content)

    with pytest.raises(SetupError, match=r"text\.torchscript\.pt: torch cannot load"):
        open_program(path)


def test_a_script_of_something_else_is_named(tmp_path):
    path = save_script(nn.Flatten(0), tmp_path / "flat.torchscript.pt")

    with pytest.raises(SetupError, match=r"wanted a network of \(B, 3, H, W\) pixels"):
        open_program(path)


def test_an_export_of_fixed_size_says_what_it_takes(tmp_path):
    path = write_tiny_onnx(tmp_path / "fixed.onnx", size_px=32)

    with pytest.raises(SetupError, match="which skew_64 does not give"):
        open_weights(settings(path, tmp_path))
