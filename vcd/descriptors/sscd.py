"""The SSCD network: a trunk, the pooling that suits it, one linear layer, unit length.

A photograph goes in as standardized pixels and one unit vector comes out; copies of one picture
lie close together whatever was done to them. Which trunks there are, `trunks` says.

Parameter names follow the published ``.torchvision.pt`` files: the trunk under ``backbone.`` and
the projection as ``backbone.fc.{weight,bias}``; GeM and the L2 step have no parameters. This
module knows nothing of weight files, preprocessing, devices or batches.

Shape letters: B images, C channels, H and W pixels, D dimensions.

Reference: Pizzi et al., A Self-Supervised Descriptor for Image Copy Detection, CVPR 2022.
"""

from collections import OrderedDict

from torch import Tensor, nn
from torch.nn import functional

from vcd.core.errors import SetupError
from vcd.descriptors.trunks import TRUNKS, Trunk

__all__ = ["Sscd", "build_network"]


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
        steps += [("pool", trunk.pool()), ("fc", _projection(trunk.num_channels, dim))]
        self.backbone = nn.Sequential(OrderedDict(steps))
        self._multiple_px = trunk.multiple_px

    def forward(self, pixels_BCHW: Tensor) -> Tensor:
        raw_BD: Tensor = self.backbone(_padded(pixels_BCHW, self._multiple_px))
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


def _padded(pixels_BCHW: Tensor, multiple_px: int) -> Tensor:
    """Pad at the right and below with the mean colour, so that no strip of the picture is lost."""
    if multiple_px == 1:
        return pixels_BCHW
    height_px, width_px = pixels_BCHW.shape[2:]
    return functional.pad(pixels_BCHW, (0, -width_px % multiple_px, 0, -height_px % multiple_px))


def _projection(num_channels: int, dim: int) -> nn.Linear:
    linear = nn.Linear(num_channels, dim)
    nn.init.xavier_uniform_(linear.weight)
    nn.init.zeros_(linear.bias)
    return linear
