"""An independent SSCD in the ClassyVision layout: the keys of `.classy.pt` files, and their use.

Written from the published description with plain functions, so that our network and its renaming
of keys have something to be wrong against. Every tensor is drawn here; none was downloaded.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Layout:
    """Blocks of each stage, groups of the 3x3 convolutions, and their channels in stage one."""

    blocks: tuple[int, ...]
    groups: int
    first_middle: int
    dim: int


RESNET50 = Layout(blocks=(3, 4, 6, 3), groups=1, first_middle=64, dim=512)
RESNEXT101_32X4D = Layout(blocks=(3, 4, 23, 3), groups=32, first_middle=128, dim=1024)


def classy_state(layout: Layout, seed: int) -> dict[str, Tensor]:
    """Draw parameters under the names of a published ``.classy.pt`` file."""
    generator = torch.Generator().manual_seed(seed)
    state: dict[str, Tensor] = {}

    def convolution(name: str, outer: int, inner: int, side: int) -> None:
        scale = (2.0 / (inner * side * side)) ** 0.5
        weight = torch.randn(outer, inner, side, side, generator=generator) * scale
        state[f"{name}.weight"] = weight

    def norm(name: str, channels: int) -> None:
        state[f"{name}.weight"] = 0.5 + torch.rand(channels, generator=generator)
        state[f"{name}.bias"] = 0.1 * torch.randn(channels, generator=generator)
        state[f"{name}.running_mean"] = 0.1 * torch.randn(channels, generator=generator)
        state[f"{name}.running_var"] = 0.5 + torch.rand(channels, generator=generator)
        state[f"{name}.num_batches_tracked"] = torch.tensor(7)

    convolution("backbone.initial_block._module.0", 64, 3, 7)
    norm("backbone.initial_block._module.1", 64)
    inner = 64
    for stage, num_blocks in enumerate(layout.blocks):
        middle, outer = layout.first_middle * 2**stage, 256 * 2**stage
        for block in range(num_blocks):
            name = f"backbone.blocks.{stage}.block{stage}-{block}"
            convolution(f"{name}.convolutional_block.0", middle, inner, 1)
            norm(f"{name}.convolutional_block.1", middle)
            convolution(f"{name}.convolutional_block.3", middle, middle // layout.groups, 3)
            norm(f"{name}.convolutional_block.4", middle)
            convolution(f"{name}.convolutional_block.6", outer, middle, 1)
            norm(f"{name}.bn", outer)
            if block == 0:
                convolution(f"{name}.downsample.0", outer, inner, 1)
                norm(f"{name}.downsample.1", outer)
            inner = outer
    state["embeddings.1.weight"] = torch.randn(layout.dim, inner, generator=generator) * 0.02
    state["embeddings.1.bias"] = 0.02 * torch.randn(layout.dim, generator=generator)
    return state


def classy_forward(state: dict[str, Tensor], layout: Layout, pixels_BCHW: Tensor) -> Tensor:
    """Describe standardized pixels by the published formula, step by step."""

    def convolved(x: Tensor, name: str, *, stride: int = 1, groups: int = 1) -> Tensor:
        weight = state[f"{name}.weight"]
        return functional.conv2d(
            x, weight, stride=stride, padding=weight.shape[-1] // 2, groups=groups
        )

    def normed(x: Tensor, name: str) -> Tensor:
        scale = state[f"{name}.weight"] / (state[f"{name}.running_var"] + 1e-5).sqrt()
        offset = state[f"{name}.bias"] - state[f"{name}.running_mean"] * scale
        return x * scale[:, None, None] + offset[:, None, None]

    x = convolved(pixels_BCHW, "backbone.initial_block._module.0", stride=2)
    x = normed(x, "backbone.initial_block._module.1").relu()
    x = functional.max_pool2d(x, 3, stride=2, padding=1)
    for stage, num_blocks in enumerate(layout.blocks):
        for block in range(num_blocks):
            name = f"backbone.blocks.{stage}.block{stage}-{block}"
            stride = 2 if block == 0 and stage > 0 else 1
            y = convolved(x, f"{name}.convolutional_block.0")
            y = normed(y, f"{name}.convolutional_block.1").relu()
            y = convolved(y, f"{name}.convolutional_block.3", stride=stride, groups=layout.groups)
            y = normed(y, f"{name}.convolutional_block.4").relu()
            y = normed(convolved(y, f"{name}.convolutional_block.6"), f"{name}.bn")
            if block == 0:
                x = convolved(x, f"{name}.downsample.0", stride=stride)
                x = normed(x, f"{name}.downsample.1")
            x = (x + y).relu()
    pooled_BC = x.clamp(min=1e-6).pow(3).mean(dim=(2, 3)).pow(1 / 3)
    raw_BD = pooled_BC @ state["embeddings.1.weight"].T + state["embeddings.1.bias"]
    unit_BD: Tensor = raw_BD / raw_BD.norm(dim=1, keepdim=True)
    return unit_BD
