"""Choose the algorithm that turns similarity matrices into paths."""

from vcd.align.dynamic_programming import DynamicProgramming
from vcd.align.hough import HoughVoting
from vcd.align.published_network import PublishedNetwork
from vcd.align.settings import AlignSettings
from vcd.align.temporal_network import TemporalNetwork
from vcd.core.protocols import Aligner

__all__ = ["make_aligner"]


def make_aligner(settings: AlignSettings) -> Aligner:
    """Build the aligner that the settings name.

    Raises:
        ValueError: there is none of that name.
    """
    if settings.aligner == "temporal_network":
        return TemporalNetwork(settings)
    if settings.aligner == "hough":
        return HoughVoting(settings)
    if settings.aligner == "dynamic_programming":
        return DynamicProgramming(settings)
    if settings.aligner == "vcsl_temporal_network":
        return PublishedNetwork(settings.published_network)
    raise ValueError(f"no aligner is called {settings.aligner!r}")
