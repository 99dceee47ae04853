import pytest
import torch
from torch import nn
from torchvision import models

from vcd.descriptors.sscd import build_network
from vcd.descriptors.trunks import TRUNKS, _Tokens

HEAVY = {
    "resnet50",
    "resnext50_32x4d",
    "resnext101_32x4d",
    "convnext_tiny",
    "swin_t",
    "vit_b_16",
}
NUM_RESIDUAL_BLOCKS = {
    "resnet18": 8,
    "resnet18_w32": 8,
    "resnet50": 16,
    "regnet_y_400mf": 16,
    "mobilenet_v3_small": 6,
    "efficientnet_b0": 9,
}


def pixels(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(name, marks=[pytest.mark.slow] if name in HEAVY else []) for name in TRUNKS
    ],
)
def network(request):
    torch.manual_seed(0)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield build_network(request.param, 24)
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    "size", [(64, 64), (40, 72)], ids=["a multiple of every stride", "of none"]
)
def test_every_trunk_gives_unit_descriptors_of_any_size(network, size):
    with torch.inference_mode():
        features = network.train()(pixels(2, 3, *size))

    assert features.shape == (2, 24)
    assert features.dtype == torch.float32
    assert features.norm(dim=1).tolist() == pytest.approx([1.0, 1.0], abs=1e-5)
    assert (features[0] - features[1]).abs().max() > 1e-4


def test_every_parameter_of_a_trunk_gets_a_gradient(network):
    with torch.no_grad():  # a gamma of zero hides what lies before it
        for parameter in network.parameters():
            if not parameter.any():
                parameter.fill_(0.5)

    network.train()(pixels(2, 3, 64, 64))[:, :3].sum().backward()

    without = [name for name, each in network.named_parameters() if not each.grad.any()]
    assert without == []


@pytest.mark.parametrize(("name", "num_blocks"), NUM_RESIDUAL_BLOCKS.items())
def test_residual_blocks_begin_as_identities(name, num_blocks):
    network = build_network(name, 8)

    norms = [each for each in network.modules() if isinstance(each, nn.BatchNorm2d)]

    assert sum(not norm.weight.any() for norm in norms) == num_blocks
    assert sum(bool((norm.weight == 1).all()) for norm in norms) == len(norms) - num_blocks


@pytest.mark.parametrize("name", ["efficientnet_b0", "convnext_atto", "vit_tiny_16"])
def test_training_mode_does_the_same_twice(name):
    torch.manual_seed(0)
    network = build_network(name, 8).train()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1)

        first, again = network(pixels(2, 3, 64, 64)), network(pixels(2, 3, 64, 64))

    assert torch.equal(first, again)


@pytest.mark.parametrize("name", ["convnext_atto", "vit_tiny_16"])
def test_the_last_columns_of_a_picture_are_seen(name):
    torch.manual_seed(0)
    network = build_network(name, 8).eval()
    picture = pixels(1, 3, 64, 70)
    other = picture.clone()
    other[..., 66:] = 3.0

    with torch.inference_mode():
        assert (network(picture) - network(other)).abs().max() > 1e-4


def test_positions_stay_as_learned_on_the_grid_that_they_were_learned_on():
    torch.manual_seed(0)
    transformer = models.VisionTransformer(
        image_size=48, patch_size=16, num_layers=1, num_heads=2, hidden_dim=8, mlp_dim=16
    ).eval()
    transformer.heads = nn.Identity()

    with torch.inference_mode():
        wanted = transformer(pixels(2, 3, 48, 48))
        found = _Tokens(transformer)(pixels(2, 3, 48, 48))

    torch.testing.assert_close(found[:, 0], wanted)
    assert found.shape == (2, 1 + 9, 8)
