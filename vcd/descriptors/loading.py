"""Open weights: from a name in the settings to a network that runs and the space it makes.

              processor                          GPU
    bundled   the shipped ONNX                   the shipped parameters, in torch
    state     ONNX, exported once (exports.py)   torch
    script    as a state dict if its keys are    TorchScript
              a layout we know, else TorchScript
    .onnx     as it is                           as it is, on the processor
"""

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from vcd.core import DescriptorSpace, SetupError
from vcd.descriptors.preprocess import PREPROCESSING_REVISION, Preprocessing
from vcd.descriptors.runtimes import OnnxNetwork, Runtime, TorchNetwork, has_gpu, usable_cores
from vcd.descriptors.settings import DescribeSettings, SpaceProfile
from vcd.descriptors.weights import (
    BUNDLED_NAME,
    WeightsCache,
    WeightsFile,
    bundled_dir,
    digest_weights,
    locate_weights,
)

if TYPE_CHECKING:
    from torch import nn

__all__ = ["LoadedWeights", "open_weights"]

_PUBLISHED_PREPROCESSING = "small_288"

_log = logging.getLogger(__name__)
