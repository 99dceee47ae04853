"""The records that flow between the stages up to the descriptors.

    Video -> FrameBatch ... Examination -> Descriptors -> (findings.py)

Every record is frozen, keyword-only and valid from birth; its arrays are
read-only. T sampled frames, N vectors, D dimensions.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vcd.core.timeline import Interval, Timeline

__all__ = [
    "DescriptorSpace",
    "Descriptors",
    "Examination",
    "FrameBatch",
    "Skipped",
    "Video",
    "read_only",
]

_UNIT_TOLERANCE = 1e-3
"""How far the length of a descriptor may be from 1: float16 storage rounds to 5e-4."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Video:
    """A file that can be decoded; an image is a video of one frame.

    Attributes:
        id: what the user calls it.
        uri: where it was read from.
        sha256: digest of its bytes, 64 hexadecimal digits.
        duration_s: as found by decoding or, before that, as the container claims.
        width_px: of the picture as shown, rotation applied.
        height_px: of the picture as shown, rotation applied.
    """

    id: str
    uri: str
    sha256: str
    duration_s: float
    width_px: int
    height_px: int

    def __post_init__(self) -> None:
        if not self.id:
            raise ValueError("a video needs an id")
        if not (np.isfinite(self.duration_s) and self.duration_s >= 0):
            raise ValueError(f"{self.id}: duration_s must be finite and >= 0: {self.duration_s}")
        if self.width_px <= 0 or self.height_px <= 0:
            raise ValueError(f"{self.id}: not a picture size: {self.width_px}x{self.height_px}")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FrameBatch:
    """Consecutive sampled frames of one video.

    Attributes:
        video_id: whose frames they are.
        first_frame: position of the first of them among the video's sampled frames.
        timeline: when each is on screen.
        pixels_THWC: ``(T, H, W, 3)`` uint8 RGB, read-only.
    """

    video_id: str
    first_frame: int
    timeline: Timeline
    pixels_THWC: NDArray[np.uint8]

    def __post_init__(self) -> None:
        shape = self.pixels_THWC.shape
        if self.pixels_THWC.dtype != np.uint8 or len(shape) != 4 or shape[3] != 3:
            raise ValueError(
                f"{self.video_id}: frames must be (T, H, W, 3) uint8, "
                f"got {shape} {self.pixels_THWC.dtype}"
            )
        if shape[0] != len(self.timeline):
            raise ValueError(f"{self.video_id}: {shape[0]} frames, {len(self.timeline)} times")
        if self.first_frame < 0:
            raise ValueError(f"{self.video_id}: first_frame is {self.first_frame}")
        object.__setattr__(self, "pixels_THWC", read_only(self.pixels_THWC))

    def __len__(self) -> int:
        return len(self.timeline)


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A stretch of a video that was not searched, and the rule that says so.

    Attributes:
        interval: the stretch.
        reason: one word of ``docs/glossary.md``: ``undecodable``, ``uninformative``,
            ``over_limit`` or ``excluded``.
    """

    interval: Interval
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What became of one video: the last word of the decoder about it.

    Attributes:
        video_id: whose.
        video: what was found in the file; None when it was refused before that was known.
        decoder: ``decord``, ``pyav``, ``decord+pyav`` when the second took over, or ``pillow``;
            None when no decoder got to a frame.
        examined: stretches whose frames were handed on.
        skipped: stretches that were not, with reasons.
        refused: why the whole video cannot be used, as a sentence; None when it can.
        reason: one word of ``docs/glossary.md`` for the class of the refusal, to count by; None
            when it is not refused.
    """

    video_id: str
    video: Video | None
    decoder: str | None = None
    examined: tuple[Interval, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    refused: str | None = None
    reason: str | None = None

    def __post_init__(self) -> None:
        if self.refused is None and self.video is None:
            raise ValueError(f"{self.video_id}: a video that is not refused must be known")
        if (self.refused is None) != (self.reason is None):
            raise ValueError(
                f"{self.video_id}: wanted a reason with a refusal and only then, "
                f"got {self.reason!r} and {self.refused!r}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class DescriptorSpace:
    """What may be compared with what.

    Attributes:
        name: of the weights.
        dim: length of a descriptor.
        fingerprint: digest of weights, preprocessing and quantization.
    """

    name: str
    dim: int
    fingerprint: str

    def __post_init__(self) -> None:
        if self.dim <= 0:
            raise ValueError(f"space {self.name}: dim must be positive, got {self.dim}")


def _no_bias() -> NDArray[np.float32]:
    return np.empty(0, dtype=np.float32)


def _no_area() -> NDArray[np.float32]:
    return np.empty((0, 4), dtype=np.float32)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Descriptors:
    """The descriptors of one video, in time order.

    A frame without evidence (black, flat colour) keeps its time; its row is zero,
    so that it is similar to nothing.

    Attributes:
        video_id: whose.
        timeline: T sampled frames.
        features: ``(N, D)`` float32, rows of length 1 or 0, read-only.
        frame: ``(N,)`` int32, the frame of each row, never decreasing.
        view: ``(N,)`` int16, 0 = the whole frame.
        space: what they may be compared with.
        score_bias: ``(N,)`` float32, added to the score of every hit of a row when it is searched
            for (score normalization); left out, all zero. Never stored: a query is prepared
            anew for each search, a reference has none.
        area: ``(N, 4)`` float32, the rectangle of the frame that each row describes as left, top,
            right and bottom, in shares of its width and height; ``(0, 4)`` where nobody knows.
            Never stored: it is there to describe the same rectangle again.
    """

    video_id: str
    timeline: Timeline
    features: NDArray[np.float32]
    frame: NDArray[np.int32]
    view: NDArray[np.int16]
    space: DescriptorSpace
    score_bias: NDArray[np.float32] = field(default_factory=_no_bias)
    area: NDArray[np.float32] = field(default_factory=_no_area)

    def __post_init__(self) -> None:
        num_vectors = len(self.frame)
        if self.features.shape != (num_vectors, self.space.dim):
            raise ValueError(
                f"{self.video_id}: wanted ({num_vectors}, {self.space.dim}) features, "
                f"got {self.features.shape}"
            )
        if self.features.dtype != np.float32:
            raise ValueError(f"{self.video_id}: features are {self.features.dtype}, not float32")
        if self.frame.shape != self.view.shape or self.frame.ndim != 1:
            raise ValueError(f"{self.video_id}: {self.frame.shape=} {self.view.shape=}")
        if len(self.score_bias) == 0:
            object.__setattr__(self, "score_bias", np.zeros(num_vectors, dtype=np.float32))
        if num_vectors:
            self._check_rows()
        if self.area.shape not in ((num_vectors, 4), (0, 4)):
            raise ValueError(f"{self.video_id}: {self.area.shape} area for {num_vectors} rows")
        object.__setattr__(self, "area", read_only(self.area))
        object.__setattr__(self, "score_bias", read_only(self.score_bias))
        object.__setattr__(self, "features", read_only(self.features))
        object.__setattr__(self, "frame", read_only(self.frame.astype(np.int32, copy=False)))
        object.__setattr__(self, "view", read_only(self.view.astype(np.int16, copy=False)))

    def _check_rows(self) -> None:
        if self.frame[0] < 0 or self.frame[-1] >= len(self.timeline):
            raise ValueError(f"{self.video_id}: a row names a frame outside the timeline")
        if (np.diff(self.frame) < 0).any():
            raise ValueError(f"{self.video_id}: rows are not in time order")
        squared = np.einsum("nd,nd->n", self.features, self.features)
        is_unit = np.abs(squared - 1.0) <= 2 * _UNIT_TOLERANCE
        if not (is_unit | (squared == 0.0)).all():
            raise ValueError(f"{self.video_id}: a descriptor is neither of length 1 nor zero")
        bias = self.score_bias
        if bias.shape != self.frame.shape or bias.dtype != np.float32:
            raise ValueError(f"{self.video_id}: {bias.shape} {bias.dtype} score_bias")
        if not np.isfinite(bias).all():
            raise ValueError(f"{self.video_id}: a score_bias is not finite")

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def is_informative(self) -> NDArray[np.bool_]:
        """``(N,)`` whether each row carries evidence."""
        informative: NDArray[np.bool_] = np.any(self.features, axis=1)
        return informative

    @classmethod
    def empty(cls, video_id: str, space: DescriptorSpace) -> "Descriptors":
        """Build the descriptors of a video of which no frame could be had."""
        nothing = np.empty((0, space.dim), dtype=np.float32)
        return cls.from_frames(video_id, Timeline.empty(), nothing, space)

    @classmethod
    def from_frames(
        cls,
        video_id: str,
        timeline: Timeline,
        features: NDArray[np.float32],
        space: DescriptorSpace,
    ) -> "Descriptors":
        """Build the ordinary case: one whole-frame view for each sampled frame."""
        return cls(
            video_id=video_id,
            timeline=timeline,
            features=features,
            frame=np.arange(len(timeline), dtype=np.int32),
            view=np.zeros(len(timeline), dtype=np.int16),
            space=space,
        )


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """Return the array as a view that cannot be written through."""
    if not array.flags.writeable:
        return array
    view = array.view()
    view.flags.writeable = False
    return view
