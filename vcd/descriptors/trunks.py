"""The architectures that a descriptor can be made with: one small record each, by name.

A new architecture is one entry of `TRUNKS` here and nothing elsewhere. None is built with dropout
or stochastic depth: a step whose gradients are cached runs the network twice and must see it do
the same both times, and a resumed run has no memory of random layers.

Residual branches begin at zero, where they end in a batch normalization: its gamma is 0, as
published, without which the entropy term of a large weight does not learn. ConvNeXt has its layer
scale for that; the transformers normalize before each branch and are left as published.

Reference: torchvision.models; docs/design/descriptors.md says why which pooling.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision import models
from torchvision.models.convnext import CNBlockConfig, ConvNeXt
from torchvision.models.efficientnet import MBConv
from torchvision.models.mobilenetv3 import InvertedResidual
from torchvision.models.regnet import ResBottleneckBlock
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet
from torchvision.models.swin_transformer import SwinTransformer

from vcd.descriptors.pooling import ClassToken, GeM, MeanOfCells, MeanOfPatches

__all__ = ["TRUNKS", "Trunk"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trunk:
    """How one architecture becomes the trunk of the network.

    Attributes:
        build: makes the architecture with random parameters.
        children: its children that run in order and give what ``pool`` takes.
        num_channels: length of a pooled vector, the input width of the projection.
        pool: makes the pooling that its features ask for.
        multiple_px: its first steps drop what is left of a side after so many pixels, so pictures
            are padded at the right and below to a multiple of it. 1 where nothing is dropped.
        size_is_free: whether one exported graph can hold every input size. Where not, an export
            is of one size; the network itself takes any.
    """

    build: Callable[[], nn.Module]
    children: tuple[str, ...]
    num_channels: int
    pool: Callable[[], nn.Module] = GeM
    multiple_px: int = 1
    size_is_free: bool = True


class _Tokens(nn.Module):
    """A vision transformer up to its tokens, the class token first: ``(B, 1 + N, C)``.

    The learned positions are stretched to the picture's grid of patches, so that any size goes;
    on the grid that they were learned on, stretching changes nothing.
    """

    def __init__(self, transformer: models.VisionTransformer) -> None:
        super().__init__()
        self.conv_proj = transformer.conv_proj
        self.class_token = transformer.class_token
        self.encoder = transformer.encoder
        self._side = transformer.image_size // transformer.patch_size

    def forward(self, pixels_BCHW: Tensor) -> Tensor:
        patches_BCHW: Tensor = self.conv_proj(pixels_BCHW)
        height, width = patches_BCHW.shape[2:]
        tokens_BNC = patches_BCHW.flatten(2).transpose(1, 2)
        first_BNC = self.class_token.expand(tokens_BNC.shape[0], -1, -1)
        placed_BNC = torch.cat([first_BNC, tokens_BNC], dim=1) + self._positions(height, width)
        encoded_BNC: Tensor = self.encoder.ln(self.encoder.layers(placed_BNC))
        return encoded_BNC

    def _positions(self, height: int, width: int) -> Tensor:
        learned_BNC = self.encoder.pos_embedding
        grid_BCHW = learned_BNC[:, 1:].transpose(1, 2).unflatten(2, (self._side, self._side))
        stretched_BCHW = functional.interpolate(grid_BCHW, (height, width), mode="bilinear")
        return torch.cat([learned_BNC[:, :1], stretched_BCHW.flatten(2).transpose(1, 2)], dim=1)


def _vit(make: Callable[[], models.VisionTransformer]) -> nn.Module:
    return nn.ModuleDict({"tokens": _Tokens(make())})


def _vit_tiny_16() -> models.VisionTransformer:
    """DeiT's tiny width; 160 px is the size of the bundled weights."""
    return models.VisionTransformer(
        image_size=160, patch_size=16, num_layers=12, num_heads=3, hidden_dim=192, mlp_dim=768
    )


def _swin_t() -> SwinTransformer:
    return SwinTransformer(
        patch_size=[4, 4],
        embed_dim=96,
        depths=[2, 2, 6, 2],
        num_heads=[3, 6, 12, 24],
        window_size=[7, 7],
        stochastic_depth_prob=0.0,
    )


def _convnext(widths: tuple[int, int, int, int], depths: tuple[int, int, int, int]) -> Trunk:
    stops = (*widths[1:], None)
    stages = [CNBlockConfig(*stage) for stage in zip(widths, stops, depths, strict=True)]

    def pool() -> nn.Module:
        return MeanOfCells(nn.LayerNorm(widths[-1], eps=1e-6))

    return Trunk(
        build=partial(ConvNeXt, stages),
        children=("features",),
        num_channels=widths[-1],
        pool=pool,
        multiple_px=32,
    )


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
    stage = nn.Sequential(
        BasicBlock(in_channels, channels, stride, shortcut), BasicBlock(channels, channels)
    )
    for module in stage.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return stage


def _resnext101_32x4d() -> ResNet:
    """The layout of ``sscd_disc_large``; torchvision's own ResNeXt-101 has other widths."""
    return ResNet(Bottleneck, [3, 4, 23, 3], groups=32, width_per_group=4)


def _calm(build: Callable[[], nn.Module]) -> nn.Module:
    """Build an architecture whose residual branches give nothing yet."""
    architecture = build()
    for module in architecture.modules():
        for last in _last_norms(module):
            nn.init.zeros_(last.weight)
    return architecture


def _last_norms(block: nn.Module) -> list[nn.BatchNorm2d]:
    """Find the normalization that ends the branch of a residual block; none in other modules."""
    last: object = None
    if isinstance(block, BasicBlock):
        last = block.bn2
    elif isinstance(block, Bottleneck):
        last = block.bn3
    elif isinstance(block, ResBottleneckBlock):
        last = block.f[-1][1]
    elif isinstance(block, InvertedResidual | MBConv) and block.use_res_connect:
        last = block.block[-1][1]
    return [last] if isinstance(last, nn.BatchNorm2d) else []


_RESNET = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4")
_REGNET = ("stem", "trunk_output")
_FEATURES = ("features",)


def _convolutional(
    build: Callable[[], nn.Module], children: tuple[str, ...], num_channels: int
) -> Trunk:
    return Trunk(build=partial(_calm, build), children=children, num_channels=num_channels)


TRUNKS: Mapping[str, Trunk] = MappingProxyType(
    {
        "resnet18": _convolutional(models.resnet18, _RESNET, 512),
        "resnet50": _convolutional(models.resnet50, _RESNET, 2048),
        "resnext50_32x4d": _convolutional(models.resnext50_32x4d, _RESNET, 2048),
        "resnext101_32x4d": _convolutional(_resnext101_32x4d, _RESNET, 2048),
        "resnet18_w32": _convolutional(partial(_narrow_resnet18, 32), _RESNET, 256),
        "resnet18_w48": _convolutional(partial(_narrow_resnet18, 48), _RESNET, 384),
        "regnet_x_400mf": _convolutional(models.regnet_x_400mf, _REGNET, 400),
        "regnet_y_400mf": _convolutional(models.regnet_y_400mf, _REGNET, 440),
        "mobilenet_v3_small": _convolutional(models.mobilenet_v3_small, _FEATURES, 576),
        "mobilenet_v3_large": _convolutional(models.mobilenet_v3_large, _FEATURES, 960),
        "efficientnet_b0": _convolutional(
            partial(models.efficientnet_b0, stochastic_depth_prob=0.0), _FEATURES, 1280
        ),
        "convnext_atto": _convnext((40, 80, 160, 320), (2, 2, 6, 2)),
        "convnext_tiny": _convnext((96, 192, 384, 768), (3, 3, 9, 3)),
        "swin_t": Trunk(
            build=_swin_t,
            children=("features", "norm", "permute"),
            num_channels=768,
            pool=MeanOfCells,
            multiple_px=4,
            size_is_free=False,
        ),
        "vit_tiny_16": Trunk(
            build=partial(_vit, _vit_tiny_16),
            children=("tokens",),
            num_channels=192,
            pool=MeanOfPatches,
            multiple_px=16,
        ),
        "vit_b_16": Trunk(
            build=partial(_vit, models.vit_b_16),
            children=("tokens",),
            num_channels=768,
            pool=ClassToken,
            multiple_px=16,
        ),
    }
)
"""Every trunk by name; ``resnet18_w32`` and ``_w48`` are ResNet-18 of 32 and 48 base channels,
``convnext_atto`` and ``vit_tiny_16`` are small ones for a processor."""
