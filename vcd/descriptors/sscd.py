"""The SSCD network: any torchvision trunk, GeM pooling, one linear layer, unit length.

A photograph goes in as standardized pixels and one unit vector comes out; copies of one picture
lie close together whatever was done to them. Every trunk is described by one small record in
`TRUNKS`, so a new architecture is one entry here and nothing elsewhere.

Parameter names follow the published ``.torchvision.pt`` files: the trunk under ``backbone.`` and
the projection as ``backbone.fc.{weight,bias}``; GeM and the L2 step have no parameters. This
module knows nothing of weight files, preprocessing, devices or batches.

Shape letters: B images, C channels, H and W pixels (or cells of a feature map), D dimensions.

Reference: Pizzi et al., A Self-Supervised Descriptor for Image Copy Detection, CVPR 2022.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision import models
from torchvision.models.resnet import BasicBlock, ResNet

from vcd.core.errors import SetupError

__all__ = ["TRUNKS", "GeM", "Sscd", "Trunk", "build_network"]

GEM_POWER = 3.0
"""The fixed power of GeM pooling; the published weights were trained with it."""

GEM_FLOOR = 1e-6
"""Cells are clamped to at least this before the power, as published."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trunk:
    """How one architecture becomes the trunk of the network.

    Attributes:
        build: makes the architecture with random parameters.
        children: its children that run in order and give the feature map ``(B, C, H, W)``.
        num_channels: C of that feature map, the input width of the projection.
        fixed_size_px: the only input side that it takes, or None when any will do.
    """

    build: Callable[[], nn.Module]
    children: tuple[str, ...]
    num_channels: int
    fixed_size_px: int | None = None


class GeM(nn.Module):
    """Generalized mean over the cells of a feature map: ``mean(x^3)^(1/3)``, a soft maximum.

    Works in float32 whatever the autocast, for a cube overflows float16 and blurs bfloat16.
    """

    def forward(self, cells_BCHW: Tensor) -> Tensor:
        powered_BCHW = cells_BCHW.float().clamp(min=GEM_FLOOR).pow(GEM_POWER)
        return powered_BCHW.mean(dim=(2, 3)).pow(1.0 / GEM_POWER)


class Sscd(nn.Module):
    """Standardized pixels to unit descriptors: ``(B, 3, H, W)`` to ``(B, D)`` float32.

    Attributes:
        backbone: the trunk's children, then ``pool`` and the projection ``fc``; its output is
            the raw descriptor, before it is brought to unit length.
    """

    def __init__(self, trunk: Trunk, dim: int) -> None:
        super().__init__()
        architecture = trunk.build()
        steps = [(name, architecture.get_submodule(name)) for name in trunk.children]
        steps += [("pool", GeM()), ("fc", _projection(trunk.num_channels, dim))]
        self.backbone = nn.Sequential(OrderedDict(steps))

    def forward(self, pixels_BCHW: Tensor) -> Tensor:
        raw_BD: Tensor = self.backbone(pixels_BCHW)
        return functional.normalize(raw_BD.float(), dim=1)


def build_network(trunk: str, dim: int) -> Sscd:
    """Build a network with random parameters, in training mode.

    Args:
        trunk: a name of `TRUNKS`.
        dim: length of the descriptor.

    Raises:
        SetupError: no trunk of that name, or ``dim`` is not positive.
    """
    if trunk not in TRUNKS:
        raise SetupError(f"no trunk named {trunk!r}; there are {', '.join(sorted(TRUNKS))}")
    if dim < 1:
        raise SetupError(f"a descriptor needs at least one dimension, got {dim}")
    return Sscd(TRUNKS[trunk], dim)


class _PatchCells(nn.Module):
    """The patch tokens of a vision transformer laid out as a feature map."""

    def __init__(self, transformer: models.VisionTransformer) -> None:
        super().__init__()
        self.conv_proj = transformer.conv_proj
        self.class_token = transformer.class_token
        self.encoder = transformer.encoder

    def forward(self, pixels_BCHW: Tensor) -> Tensor:
        patches_BCHW: Tensor = self.conv_proj(pixels_BCHW)
        rows, columns = patches_BCHW.shape[2:]
        tokens_BNC = patches_BCHW.flatten(2).transpose(1, 2)
        first_B1C = self.class_token.expand(len(tokens_BNC), -1, -1)
        encoded_BNC: Tensor = self.encoder(torch.cat([first_B1C, tokens_BNC], dim=1))
        cells_BCN = encoded_BNC[:, 1:].transpose(1, 2)
        return cells_BCN.reshape(*cells_BCN.shape[:2], rows, columns)


def _projection(num_channels: int, dim: int) -> nn.Linear:
    linear = nn.Linear(num_channels, dim)
    nn.init.xavier_uniform_(linear.weight)
    nn.init.zeros_(linear.bias)
    return linear


def _vit_b_16() -> nn.Module:
    return nn.ModuleDict({"cells": _PatchCells(models.vit_b_16(weights=None))})


def _narrow_resnet18(width: int) -> nn.Module:
    """ResNet-18 whose stages are ``width``, 2, 4 and 8 times ``width`` wide instead of 64..512."""
    network = ResNet(BasicBlock, [2, 2, 2, 2])
    stem = nn.Conv2d(3, width, kernel_size=7, stride=2, padding=3, bias=False)
    nn.init.kaiming_normal_(stem.weight, mode="fan_out", nonlinearity="relu")
    stages = {"conv1": stem, "bn1": nn.BatchNorm2d(width), "relu": network.relu}
    stages["maxpool"] = network.maxpool
    for stage in range(4):
        inner = width * 2**stage
        outer = inner if stage == 0 else inner // 2
        stages[f"layer{stage + 1}"] = _basic_stage(outer, inner, stride=1 if stage == 0 else 2)
    return nn.ModuleDict(stages)


def _basic_stage(in_channels: int, channels: int, *, stride: int) -> nn.Sequential:
    shortcut = None
    if stride != 1 or in_channels != channels:
        convolution = nn.Conv2d(in_channels, channels, kernel_size=1, stride=stride, bias=False)
        shortcut = nn.Sequential(convolution, nn.BatchNorm2d(channels))
    first = BasicBlock(in_channels, channels, stride, shortcut)
    stage = nn.Sequential(first, BasicBlock(channels, channels))
    for module in stage.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        if isinstance(module, BasicBlock):
            nn.init.zeros_(module.bn2.weight)
    return stage


_RESNET = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4")
_REGNET = ("stem", "trunk_output")


def _resnet(make: Callable[..., ResNet], num_channels: int) -> Trunk:
    """Describe a ResNet; a zero last gamma in every block is what a large entropy weight needs."""
    build = partial(make, weights=None, zero_init_residual=True)
    return Trunk(build=build, children=_RESNET, num_channels=num_channels)


def _other(make: Callable[..., nn.Module], children: tuple[str, ...], num_channels: int) -> Trunk:
    return Trunk(build=partial(make, weights=None), children=children, num_channels=num_channels)


def _resnext101_32x4d() -> ResNet:
    """The layout of ``sscd_disc_large``; torchvision's own ResNeXt-101 has other widths."""
    return ResNet(
        models.resnet.Bottleneck,
        [3, 4, 23, 3],
        groups=32,
        width_per_group=4,
        zero_init_residual=True,
    )


TRUNKS: Mapping[str, Trunk] = MappingProxyType(
    {
        "resnet18": _resnet(models.resnet18, 512),
        "resnet50": _resnet(models.resnet50, 2048),
        "resnext101_32x4d": Trunk(build=_resnext101_32x4d, children=_RESNET, num_channels=2048),
        "resnet18_w32": Trunk(
            build=partial(_narrow_resnet18, 32), children=_RESNET, num_channels=256
        ),
        "resnet18_w48": Trunk(
            build=partial(_narrow_resnet18, 48), children=_RESNET, num_channels=384
        ),
        "regnet_x_400mf": _other(models.regnet_x_400mf, _REGNET, 400),
        "regnet_y_400mf": _other(models.regnet_y_400mf, _REGNET, 440),
        "mobilenet_v3_large": _other(models.mobilenet_v3_large, ("features",), 960),
        "convnext_tiny": _other(models.convnext_tiny, ("features",), 768),
        "vit_b_16": Trunk(
            build=_vit_b_16, children=("cells",), num_channels=768, fixed_size_px=224
        ),
    }
)
"""Every trunk by name; ``resnet18_w32`` and ``_w48`` are ResNet-18 of 32 and 48 base channels."""
