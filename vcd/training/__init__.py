"""Train the image descriptor: photographs, edits, loss, loop. Nothing here is needed to detect."""

from vcd.training.settings import (
    AugmentSettings,
    LossSettings,
    OptimizerSettings,
    TrainingSettings,
)

__all__ = ["AugmentSettings", "LossSettings", "OptimizerSettings", "TrainingSettings"]
