"""Describe frames as unit vectors: network, weights, batches, files."""

from vcd.descriptors.card import BundledCard, bundled_card
from vcd.descriptors.download import Pulled, pull_weights
from vcd.descriptors.embed import Describer
from vcd.descriptors.postprocess import is_uninformative, l2_normalize
from vcd.descriptors.preprocess import Preprocessing
from vcd.descriptors.settings import DescribeSettings, PullSettings, SpaceProfile
from vcd.descriptors.store import (
    DescriptorRows,
    DescriptorWriter,
    read_descriptor_rows,
    read_descriptors,
    write_descriptors,
)
from vcd.descriptors.weights import (
    BUNDLED_NAME,
    PUBLISHED,
    PublishedWeights,
    expected_sha256,
)
from vcd.descriptors.weights_cache import WeightsCache

__all__ = [
    "BUNDLED_NAME",
    "PUBLISHED",
    "BundledCard",
    "DescribeSettings",
    "Describer",
    "DescriptorRows",
    "DescriptorWriter",
    "Preprocessing",
    "PublishedWeights",
    "PullSettings",
    "Pulled",
    "SpaceProfile",
    "WeightsCache",
    "bundled_card",
    "expected_sha256",
    "is_uninformative",
    "l2_normalize",
    "pull_weights",
    "read_descriptor_rows",
    "read_descriptors",
    "write_descriptors",
]
