"""Turn similar frames of a pair into the stretches that were copied."""

from vcd.align.aligners import make_aligner
from vcd.align.dynamic_programming import DynamicProgramming
from vcd.align.hough import HoughVoting
from vcd.align.published_network import PublishedNetwork
from vcd.align.segments import PairAlignment, align_pair
from vcd.align.settings import AlignerName, AlignSettings, PublishedNetworkSettings
from vcd.align.temporal_network import TemporalNetwork
from vcd.align.trace import MatchTrace

__all__ = [
    "AlignSettings",
    "AlignerName",
    "DynamicProgramming",
    "HoughVoting",
    "MatchTrace",
    "PairAlignment",
    "PublishedNetwork",
    "PublishedNetworkSettings",
    "TemporalNetwork",
    "align_pair",
    "make_aligner",
]
