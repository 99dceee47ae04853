"""Find the stretches of uploaded videos that were copied from a reference collection.

The way of a video: sample, describe, search, pair, align, refine, report. Each
verb is a room of this package; `vcd.detector` is the whole way in two sentences.
"""

__all__ = ["__version__"]

__version__ = "0.1.0"
