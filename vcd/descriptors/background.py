"""Rows of footage that holds no copy, and which of them are of one video.

What a fit is fitted on. B rows, D dimensions.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vcd.core import Descriptors, DescriptorSpace, InputError, SetupError
from vcd.descriptors.store_format import DescriptorRows

__all__ = ["BackgroundRows"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BackgroundRows:
    """Background rows that carry evidence, at least one; those of a video stand together.

    Attributes:
        features: ``(B, D)`` floats of any length above 0; may be memory-mapped.
        own_run: ``(B, 2)`` int64, the rows ``[first, stop)`` of the same video.
        space: theirs.
    """

    features: NDArray[np.floating]
    own_run: NDArray[np.int64]
    space: DescriptorSpace

    @classmethod
    def of(cls, background: Iterable[Descriptors] | DescriptorRows) -> "BackgroundRows":
        """Take the rows of some videos, or of a descriptor file as it is; those of 0 stay out.

        Raises:
            InputError: no row carries evidence.
            SetupError: the videos are of several spaces.
        """
        if isinstance(background, DescriptorRows):
            lengths = [stop - first for first, stop in background.runs]
            name = str(background.path)
            return cls._with_evidence(name, background.features, lengths, background.space)
        videos = list(background)
        if not videos:
            raise InputError("background: wanted videos, got none")
        spaces = {video.space for video in videos}
        if len(spaces) > 1:
            names = sorted(f"{space.name} ({space.fingerprint[:12]})" for space in spaces)
            raise SetupError(f"background: wanted videos of one space, got {', '.join(names)}")
        features = np.concatenate([video.features for video in videos])
        lengths = [len(video) for video in videos]
        return cls._with_evidence("background", features, lengths, videos[0].space)

    def spread(self, max_rows: int) -> NDArray[np.int64]:
        """Choose at most so many rows, evenly spread: ``(M,)``, rising."""
        num_rows = len(self.features)
        spread = np.linspace(0, num_rows - 1, min(num_rows, max_rows))
        return np.round(spread).astype(np.int64)

    @classmethod
    def _with_evidence(
        cls,
        name: str,
        features: NDArray[np.floating],
        lengths: list[int],
        space: DescriptorSpace,
    ) -> "BackgroundRows":
        speaks = np.any(features, axis=1)
        if not speaks.any():
            raise InputError(f"{name}: wanted rows that carry evidence, got none of {len(speaks)}")
        video = np.repeat(np.arange(len(lengths)), lengths)
        if not speaks.all():
            features, video = features[speaks], video[speaks]
        first, stop = (np.searchsorted(video, video, side=side) for side in ("left", "right"))
        own_run = np.stack([first, stop], axis=1).astype(np.int64)
        return cls(features=features, own_run=own_run, space=space)
