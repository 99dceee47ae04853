import json
import shutil

import pytest
import torch
from torch import nn

from vcd.core import SetupError
from vcd.descriptors import DescribeSettings, WeightsCache, bundled_card
from vcd.descriptors.contents import ForeignProgram, read_contents, read_network
from vcd.descriptors.exports import halved, write_export, write_safetensors
from vcd.descriptors.label import Label
from vcd.descriptors.loading import open_weights
from vcd.descriptors.sscd import build_network
from vcd.descriptors.state_dicts import parameters_from
from vcd.descriptors.weights import locate_weights


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield build_network("mobilenet_v3_small", 16).eval()
    torch.set_num_threads(before)


@pytest.fixture
def checkpoint(network, tmp_path):
    path = tmp_path / "best.pt"
    recipe = json.dumps({"input_px": 96, "trunk": "mobilenet_v3_small"})
    other = {name: torch.zeros_like(value) for name, value in network.state_dict().items()}
    torch.save(
        {"average": network.state_dict(), "network": other, "settings": recipe, "step": 3}, path
    )
    return path


def settings(weights, tmp_path, **changes):
    return DescribeSettings(
        weights=str(weights), cache_dir=str(tmp_path / "cache"), device="cpu", **changes
    )


def label_of(network, tmp_path, **changes):
    parameters = parameters_from(tmp_path, halved(network.state_dict()))
    stated = {
        "vcd.name": "mine",
        "vcd.trunk": parameters.trunk,
        "vcd.dim": "16",
        "vcd.digest": parameters.digest,
        "vcd.quantization": "fp16",
        "vcd.preprocessing": "skew_64",
    }
    label = Label.from_strings(tmp_path, stated | changes)
    assert label is not None
    return label


def test_a_checkpoint_gives_its_averaged_weights_and_the_size_it_is_used_with(
    checkpoint, network, tmp_path
):
    known = read_network(settings(checkpoint, tmp_path))

    wanted = parameters_from(checkpoint, network.state_dict())
    assert known.parameters.digest == wanted.digest
    assert known.label.trunk == "mobilenet_v3_small"
    assert known.label.preprocessing == "skew_96"
    assert (known.label.name, known.label.quantization) == ("best", "none")


@pytest.mark.parametrize(
    "content",
    [
        pytest.param({"a": torch.zeros(1)}, id="parameters alone"),
        pytest.param([1, 2], id="a list"),
        pytest.param({"average": {}, "settings": "{"}, id="a damaged recipe"),
    ],
)
def test_a_pt_file_that_is_no_checkpoint_says_what_it_should_be(content, tmp_path):
    path = tmp_path / "best.pt"
    torch.save(content, path)

    with pytest.raises(SetupError, match=r"best\.pt: wanted best\.pt or last\.pt of `vcd train`"):
        read_network(settings(path, tmp_path))


def test_a_truncated_checkpoint_is_named(checkpoint, tmp_path):
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])

    with pytest.raises(SetupError, match=r"best\.pt: not a file of named tensors"):
        read_network(settings(checkpoint, tmp_path))


def test_parameters_keep_what_their_header_says(network, tmp_path):
    path = tmp_path / "other name.safetensors"
    label = label_of(network, tmp_path)
    write_safetensors(halved(network.state_dict()), label, path)

    assert read_network(settings(path, tmp_path)).label == label


@pytest.mark.parametrize(
    "changes",
    [{"vcd.digest": "0" * 64}, {"vcd.dim": "17"}, {"vcd.trunk": "resnet18"}],
    ids=["other values", "other length", "other trunk"],
)
def test_a_header_that_contradicts_the_parameters_is_refused(changes, network, tmp_path):
    path = tmp_path / "w.safetensors"
    write_safetensors(halved(network.state_dict()), label_of(network, tmp_path, **changes), path)

    with pytest.raises(SetupError, match=r"it says that it holds .* and holds mobilenet_v3_small"):
        read_network(settings(path, tmp_path))


def test_bundled_parameters_are_known_wherever_they_lie(tmp_path):
    path = shutil.copy(bundled_card().file("safetensors"), tmp_path / "copy.safetensors")

    copied = read_network(settings(path, tmp_path))
    named = read_network(settings("vcd_compact", tmp_path))

    assert copied.label == named.label
    assert copied.label.profile == bundled_card().profile


def test_the_bundled_onnx_file_makes_the_bundled_space(tmp_path):
    path = shutil.copy(bundled_card().file("onnx"), tmp_path / "copy.onnx")

    by_file = open_weights(settings(path, tmp_path))
    by_name = open_weights(settings("vcd_compact", tmp_path))

    assert (by_file.space, by_file.profile) == (by_name.space, by_name.profile)


def test_an_onnx_file_is_not_exported_again(tiny_onnx, tmp_path):
    with pytest.raises(SetupError, match=r"tiny\.onnx: an ONNX file is not exported again"):
        read_network(settings(tiny_onnx, tmp_path))


class Foreign(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cells = nn.Conv2d(3, 8, 4, stride=4)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return nn.functional.normalize(self.cells(pixels).mean(dim=(2, 3)), dim=1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("to", "name"), [("torchscript", "f.torchscript.pt"), ("torch_export", "f.pt2")]
)
def test_a_program_of_no_known_trunk_runs_and_cannot_be_exported(to, name, network, tmp_path):
    path = tmp_path / name
    write_export(Foreign(), label_of(network, tmp_path), path, to=to)
    WeightsCache(tmp_path / "cache").trust(path)

    contents = read_contents(locate_weights(str(path), WeightsCache(tmp_path / "cache")))
    loaded = open_weights(settings(path, tmp_path))

    assert isinstance(contents, ForeignProgram)
    assert (loaded.space.dim, loaded.preprocessing.name) == (8, "skew_64")
    with pytest.raises(SetupError, match="holds the parameters of no known trunk"):
        read_network(settings(path, tmp_path))


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x05\x06" + bytes(18)])
def test_a_trusted_file_that_is_no_torch_export_is_named(content, tmp_path):
    path = tmp_path / "f.pt2"
    path.write_bytes(content)
    WeightsCache(tmp_path / "cache").trust(path)

    with pytest.raises(SetupError, match=r"f\.pt2: (not a whole archive|torch cannot load)"):
        open_weights(settings(path, tmp_path))


def test_a_torch_export_file_that_nobody_trusts_is_not_opened(tmp_path):
    path = tmp_path / "f.pt2"
    path.write_bytes(b"program")

    with pytest.raises(SetupError, match=r"a torch\.export file is a program .* `vcd models trust"):
        open_weights(settings(path, tmp_path))
