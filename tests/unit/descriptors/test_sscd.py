import pytest
import torch

from vcd.core.errors import SetupError
from vcd.descriptors.sscd import TRUNKS, GeM, build_network

LIGHT_TRUNKS = ["resnet18", "resnet18_w32", "regnet_x_400mf", "mobilenet_v3_large"]


@pytest.mark.parametrize(
    "name",
    [
        *LIGHT_TRUNKS,
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in TRUNKS
            if name not in LIGHT_TRUNKS
        ),
    ],
)
def test_every_trunk_gives_unit_descriptors_of_the_dimension_asked_for(name):
    torch.manual_seed(0)
    side = TRUNKS[name].fixed_size_px or 64
    network = build_network(name, 24).eval()

    with torch.no_grad():
        features = network(torch.randn(2, 3, side, side))

    assert features.shape == (2, 24)
    assert features.dtype == torch.float32
    assert features.norm(dim=1).tolist() == pytest.approx([1.0, 1.0], abs=1e-5)


def test_parameters_are_named_as_in_the_published_files():
    names = build_network("resnet50", 512).state_dict().keys()

    assert {"backbone.conv1.weight", "backbone.layer4.2.bn3.weight"} <= names
    assert {"backbone.fc.weight", "backbone.fc.bias"} <= names
    assert all(name.startswith("backbone.") for name in names)


def test_the_published_large_model_has_32_groups_of_4():
    shapes = {
        name: tuple(value.shape)
        for name, value in build_network("resnext101_32x4d", 1024).state_dict().items()
    }

    assert shapes["backbone.layer1.0.conv2.weight"] == (128, 4, 3, 3)
    assert shapes["backbone.fc.weight"] == (1024, 2048)


@pytest.mark.parametrize("name", ["resnet18", "resnet18_w32"])
def test_residual_blocks_begin_as_identities(name):
    network = build_network(name, 8)

    last_gammas = [value for key, value in network.named_parameters() if "bn2.weight" in key]

    assert len(last_gammas) == 8
    assert all(not gamma.any() for gamma in last_gammas)


@pytest.mark.parametrize("size", [(40, 40), (64, 96)], ids=["small", "not square"])
def test_convolutional_trunks_take_any_size(size):
    network = build_network("resnet18_w32", 8).eval()

    with torch.no_grad():
        assert network(torch.randn(1, 3, *size)).shape == (1, 8)


def test_gem_is_the_cubic_mean_of_positive_cells():
    cells = torch.tensor([[[[1.0, 2.0], [3.0, -4.0]]]])

    assert GeM()(cells).item() == pytest.approx(((1 + 8 + 27) / 4) ** (1 / 3), rel=1e-5)


def test_gem_of_large_halves_does_not_overflow():
    cells = torch.full((1, 1, 2, 2), 1000.0, dtype=torch.float16)

    assert GeM()(cells).item() == pytest.approx(1000.0, rel=1e-3)


def test_a_picture_alone_and_in_a_batch_gets_the_same_descriptor():
    torch.manual_seed(0)
    network = build_network("resnet18_w32", 8).eval()
    pixels = torch.randn(3, 3, 64, 64)

    with torch.no_grad():
        together, alone = network(pixels)[1], network(pixels[1:2])[0]

    assert torch.allclose(together, alone, atol=1e-5)


def test_an_unknown_trunk_names_the_known_ones():
    with pytest.raises(SetupError, match="no trunk named 'vgg'; there are convnext_tiny"):
        build_network("vgg", 8)


def test_a_descriptor_without_dimensions_is_refused():
    with pytest.raises(SetupError, match="at least one dimension, got 0"):
        build_network("resnet18", 0)
