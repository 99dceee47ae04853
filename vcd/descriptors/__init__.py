"""Describe frames as unit vectors: network, weights, batches, files."""

from vcd.descriptors.embed import Describer
from vcd.descriptors.postprocess import is_uninformative, l2_normalize
from vcd.descriptors.preprocess import Preprocessing
from vcd.descriptors.settings import DescribeSettings, PullSettings, SpaceProfile

__all__ = [
    "DescribeSettings",
    "Describer",
    "Preprocessing",
    "PullSettings",
    "SpaceProfile",
    "is_uninformative",
    "l2_normalize",
]
