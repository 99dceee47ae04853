"""Describe frames as unit vectors: network, weights, batches, files."""

from vcd.descriptors.card import (
    BundledCard,
    bundled_background,
    bundled_card,
    measured_profile,
)
from vcd.descriptors.download import Pulled, pull_weights
from vcd.descriptors.embed import Describer
from vcd.descriptors.fit import Fit, Floors, fit_background
from vcd.descriptors.fit_file import load_fit, read_fit, write_fit
from vcd.descriptors.postprocess import is_uninformative, l2_normalize
from vcd.descriptors.preprocess import Preprocessing
from vcd.descriptors.projection import Projection
from vcd.descriptors.score_norm import ScoreNorm, bias_of_nearest, score_normalize
from vcd.descriptors.settings import (
    DescribeSettings,
    FitSettings,
    PullSettings,
    SpaceProfile,
    ViewSettings,
)
from vcd.descriptors.store import (
    DescriptorRows,
    DescriptorWriter,
    read_descriptor_rows,
    read_descriptors,
    write_descriptors,
)
from vcd.descriptors.store_format import open_arrays
from vcd.descriptors.views import WHOLE_CUT, Area, Cut, View
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
    "WHOLE_CUT",
    "Area",
    "BundledCard",
    "Cut",
    "DescribeSettings",
    "Describer",
    "DescriptorRows",
    "DescriptorWriter",
    "Fit",
    "FitSettings",
    "Floors",
    "Preprocessing",
    "Projection",
    "PublishedWeights",
    "PullSettings",
    "Pulled",
    "ScoreNorm",
    "SpaceProfile",
    "View",
    "ViewSettings",
    "WeightsCache",
    "bias_of_nearest",
    "bundled_background",
    "bundled_card",
    "expected_sha256",
    "fit_background",
    "is_uninformative",
    "l2_normalize",
    "load_fit",
    "measured_profile",
    "open_arrays",
    "pull_weights",
    "read_descriptor_rows",
    "read_descriptors",
    "read_fit",
    "score_normalize",
    "write_descriptors",
    "write_fit",
]
