"""Descriptors of earlier steps, kept as further strangers for small batches."""

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Bank"]


@dataclass(slots=True)
class Bank:
    """The last descriptors and what each of them shows; changes from step to step.

    They lie wherever the last batch was; what is read from a file moves with the next one.

    Attributes:
        features_BD: ``(B, D)`` float32, earlier descriptors, oldest first.
        photo_B2: ``(B, 2)`` int64, from `vcd.training.loss.photos_of_views`.
    """

    features_BD: Tensor
    photo_B2: Tensor

    @classmethod
    def empty(cls, dim: int) -> "Bank":
        """Begin with no rows, of ``dim`` dimensions."""
        return cls(torch.zeros(0, dim), torch.zeros(0, 2, dtype=torch.int64))

    def move_to(self, device: torch.device) -> None:
        """Lie on this device from now on."""
        self.features_BD = self.features_BD.to(device)
        self.photo_B2 = self.photo_B2.to(device)

    def add(self, features_GD: Tensor, photo_G2: Tensor, *, max_rows: int) -> None:
        """Append the descriptors of a batch, without their graph; keep the last ``max_rows``."""
        self.features_BD = torch.cat([self.features_BD, features_GD.detach()])[-max_rows:]
        self.photo_B2 = torch.cat([self.photo_B2, photo_G2])[-max_rows:]
