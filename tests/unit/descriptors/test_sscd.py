import pytest
import torch

from vcd.core.errors import SetupError
from vcd.descriptors.sscd import build_network


def test_parameters_are_named_as_in_the_published_files():
    names = build_network("resnet50", 512).state_dict().keys()

    assert {"backbone.conv1.weight", "backbone.layer4.2.bn3.weight"} <= names
    assert {"backbone.fc.weight", "backbone.fc.bias"} <= names
    assert all(name.startswith("backbone.") for name in names)


def test_the_published_large_model_has_32_groups_of_4():
    with torch.device("meta"):
        state = build_network("resnext101_32x4d", 1024).state_dict()

    assert tuple(state["backbone.layer1.0.conv2.weight"].shape) == (128, 4, 3, 3)
    assert tuple(state["backbone.fc.weight"].shape) == (1024, 2048)


def test_a_picture_alone_and_in_a_batch_gets_the_same_descriptor():
    torch.manual_seed(0)
    network = build_network("resnet18_w32", 8).eval()
    pixels = torch.randn(3, 3, 64, 64)

    with torch.no_grad():
        together, alone = network(pixels)[1], network(pixels[1:2])[0]

    assert torch.allclose(together, alone, atol=1e-5)


def test_an_unknown_trunk_names_the_known_ones():
    with pytest.raises(SetupError, match="no trunk named 'vgg'; there are convnext_atto"):
        build_network("vgg", 8)


def test_a_descriptor_without_dimensions_is_refused():
    with pytest.raises(SetupError, match="at least one dimension, got 0"):
        build_network("resnet18", 0)
