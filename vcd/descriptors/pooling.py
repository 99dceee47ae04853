"""From what a trunk gives to one vector a picture, as the trunk's features ask for.

A generalized mean with power 3 is near a maximum, which a copy that fills a corner of the picture
survives; but it needs features that say "how much" and are never negative, as after a rectifier.
Cutting the negative half off signed features loses half of what they say and gives it no gradient;
there the plain mean, or the token that the trunk itself gathers into, is right.

Shape letters: B images, C channels, H and W cells, N tokens.
"""

from torch import Tensor, nn

__all__ = ["ClassToken", "GeM", "MeanOfCells", "MeanOfPatches"]

GEM_POWER = 3.0
"""The fixed power of GeM pooling; the published weights were trained with it."""

GEM_FLOOR = 1e-6
"""Cells are clamped to at least this before the power, as published."""


class GeM(nn.Module):
    """Generalized mean over the cells of a feature map: ``mean(x^3)^(1/3)``, a soft maximum.

    Works in float32 whatever the autocast, for a cube overflows float16 and blurs bfloat16.
    """

    def __init__(self) -> None:
        super().__init__()
        self._power, self._floor = GEM_POWER, GEM_FLOOR  # TorchScript knows no globals

    def forward(self, cells_BCHW: Tensor) -> Tensor:
        powered_BCHW = cells_BCHW.float().clamp(min=self._floor).pow(self._power)
        return powered_BCHW.mean(dim=(2, 3)).pow(1.0 / self._power)


class MeanOfCells(nn.Module):
    """Mean over the cells of a signed feature map, then a normalization where the trunk has one.

    Args:
        norm: of ``(B, C)`` rows; None where the trunk has normalized its cells already.
    """

    def __init__(self, norm: nn.Module | None = None) -> None:
        super().__init__()
        self.norm = nn.Identity() if norm is None else norm

    def forward(self, cells_BCHW: Tensor) -> Tensor:
        pooled_BC: Tensor = self.norm(cells_BCHW.mean(dim=(2, 3)))
        return pooled_BC


class ClassToken(nn.Module):
    """The first token, into which a vision transformer gathers what it sees."""

    def forward(self, tokens_BNC: Tensor) -> Tensor:
        return tokens_BNC[:, 0]


class MeanOfPatches(nn.Module):
    """Mean over the tokens that stand for patches: all but the first."""

    def forward(self, tokens_BNC: Tensor) -> Tensor:
        return tokens_BNC[:, 1:].mean(dim=1)
