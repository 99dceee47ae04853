from dataclasses import replace

import onnx
import pytest
import torch
from onnx import TensorProto
from torch import nn

from vcd.core import SetupError
from vcd.descriptors.exports import EXPORT_FORMATS, halved, write_export, write_safetensors
from vcd.descriptors.label import Label, label_in_archive, label_in_safetensors
from vcd.descriptors.runtimes import OnnxNetwork

LABEL = Label(
    name="tiny",
    trunk="resnet18_w32",
    dim=8,
    digest="a" * 64,
    quantization="none",
    preprocessing="skew_64",
)


class Tiny(nn.Module):
    """A network of one layer."""

    def __init__(self) -> None:
        super().__init__()
        self.cells = nn.Conv2d(3, 8, 4, stride=4)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        raw = self.cells(pixels).mean(dim=(2, 3))
        return nn.functional.normalize(raw, dim=1)


class Lying(Tiny):
    """A network that is another one where it is exported."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        described = super().forward(pixels)
        return described.flip(1) if torch.compiler.is_exporting() else described


class Odd(Tiny):
    """A network that TorchScript has no words for."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return next(each for each in [pixels])


@pytest.fixture
def network():
    torch.manual_seed(0)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield Tiny()
    torch.set_num_threads(before)


def with_half_values(network):
    """Round the parameters to halves, in float32."""
    network.load_state_dict(
        {name: each.float() for name, each in halved(network.state_dict()).items()}
    )
    return network


@pytest.mark.slow
@pytest.mark.parametrize(
    ("to", "name"), [("torchscript", "t.torchscript.pt"), ("torch_export", "t.pt2")]
)
def test_an_export_is_equal_to_torch_and_says_what_it_is(to, name, network, tmp_path):
    export = write_export(network, LABEL, tmp_path / name, to=to)

    assert export.worst_difference <= 1e-5
    assert export.size_px is None
    assert label_in_archive(tmp_path / name) == LABEL
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.slow
def test_an_onnx_export_of_halves_stores_halves_and_says_what_it_is(network, tmp_path):
    path = tmp_path / "t.onnx"
    stated = LABEL.as_strings() | {"vcd.quantization": "fp16"}
    label = replace(LABEL, quantization="fp16")

    export = write_export(with_half_values(network), label, path, to="onnx", fixed_size=True)

    opened = OnnxNetwork(path, num_threads=1)
    kinds = {each.name: each.data_type for each in onnx.load(path).graph.initializer}
    assert export.worst_difference <= 1e-5
    assert export.size_px == 64
    assert opened.metadata == stated
    assert kinds["cells.weight.half"] == TensorProto.FLOAT16
    assert kinds["cells.bias"] == TensorProto.FLOAT


def test_an_export_that_differs_is_refused_and_the_old_file_stays(tmp_path):
    path = tmp_path / "t.pt2"
    path.write_bytes(b"before")

    with pytest.raises(SetupError, match=r"torch_export export differs from torch by .*not kept"):
        write_export(Lying(), LABEL, path, to="torch_export")

    assert path.read_bytes() == b"before"
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_a_network_that_cannot_be_exported_is_named(tmp_path):
    with pytest.raises(SetupError, match="tiny: resnet18_w32 cannot be exported"):
        write_export(Odd(), LABEL, tmp_path / "t.torchscript.pt", to="torchscript")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("to", EXPORT_FORMATS)
def test_a_name_that_says_another_format_is_refused(to, network, tmp_path):
    with pytest.raises(SetupError, match=rf"an export to {to} has a name that ends in \."):
        write_export(network, LABEL, tmp_path / "t.bin", to=to)


def test_an_unknown_format_names_the_known_ones(network, tmp_path):
    with pytest.raises(SetupError, match="no export to 'coreml'; there are onnx, torchscript, t"):
        write_export(network, LABEL, tmp_path / "t.mlmodel", to="coreml")


def test_a_folder_that_is_not_there_is_named(network, tmp_path):
    with pytest.raises(SetupError, match=r"t\.onnx: cannot be written: No such file"):
        write_export(network, LABEL, tmp_path / "no" / "t.onnx", to="onnx")


def test_a_trunk_of_one_size_an_export_needs_a_preprocessing_that_gives_one_size(network, tmp_path):
    label = replace(LABEL, trunk="swin_t", preprocessing="small_288")

    with pytest.raises(
        SetupError, match="of swin_t takes pictures of one size only, and small_288"
    ):
        write_export(network, label, tmp_path / "t.onnx", to="onnx")


def test_parameters_are_written_with_their_label(network, tmp_path):
    path = tmp_path / "t.safetensors"

    write_safetensors(halved(network.state_dict()), LABEL, path)

    assert label_in_safetensors(path) == LABEL
