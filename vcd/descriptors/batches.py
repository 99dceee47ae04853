"""Let frames of one size wait for each other, but not for ever.

    size 160 x 160   [a0 a1 b0 b1 | b2 c0 ...]     full: describe
    size 288 x 512   [d0 d1 ...]                   its oldest frame has waited long enough: describe

A batch is described when it is full, when its oldest frame has seen a given number of others
arrive, or when nothing more will come. So the number of waiting frames is bounded whatever the
mixture of sizes, and what a frame becomes never depends on who shares its batch: one that fails is
tried again in halves, so that a frame that cannot be described is alone in the end.

Shape letters: B frames, H and W pixels, C channels, D dimensions.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vcd.core import TransientError
from vcd.descriptors.preprocess import Preprocessing
from vcd.descriptors.runtimes import Runtime

__all__ = ["FrameQueue"]

_MAX_WAIT_BATCHES = 4
"""How many batches' worth of other frames may arrive while one waits."""

Deliver = Callable[[NDArray[np.float32]], None]
"""Takes the descriptor of one frame, ``(D,)`` float32."""

GiveUp = Callable[[TransientError], None]
"""Hears why there is no descriptor of one frame."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Waiting:
    pixels_HWC: NDArray[np.uint8]
    deliver: Deliver
    give_up: GiveUp
    arrival: int


class FrameQueue:
    """Frames on their way to the network, by size.

    Args:
        runtime: describes a batch.
        preprocessing: whose square frame ``batch_size`` counts in; of longer frames fewer fit.
        batch_size: square frames in a batch.
    """

    def __init__(self, runtime: Runtime, preprocessing: Preprocessing, *, batch_size: int) -> None:
        self._runtime = runtime
        self._square_px = preprocessing.short_edge_px**2
        self._batch_size = batch_size
        self._arrivals = 0
        self._waiting: dict[tuple[int, ...], list[_Waiting]] = {}

    def add(self, pixels_HWC: NDArray[np.uint8], deliver: Deliver, give_up: GiveUp) -> None:
        """Put a frame in; its descriptor is delivered, or given up, in this call or a later one.

        Raises:
            SetupError: the device is lost.
        """
        queue = self._waiting.setdefault(pixels_HWC.shape, [])
        queue.append(
            _Waiting(
                pixels_HWC=pixels_HWC, deliver=deliver, give_up=give_up, arrival=self._arrivals
            )
        )
        if len(queue) >= self._capacity(pixels_HWC.shape):
            self._describe(pixels_HWC.shape)
        self.tick()

    def tick(self) -> None:
        """Let one arrival pass, and describe what has now waited long enough."""
        self._arrivals += 1
        too_old = self._arrivals - _MAX_WAIT_BATCHES * self._batch_size
        for shape in [
            shape for shape, queue in self._waiting.items() if queue[0].arrival < too_old
        ]:
            self._describe(shape)

    def describe_all(self) -> None:
        """Describe everything that waits; nothing more will come."""
        for shape in list(self._waiting):
            self._describe(shape)

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def _capacity(self, shape: tuple[int, ...]) -> int:
        """Count the frames of this size that take the memory of a batch of square ones."""
        return max(1, self._batch_size * self._square_px // (shape[0] * shape[1]))

    def _describe(self, shape: tuple[int, ...]) -> None:
        queue = self._waiting.pop(shape)
        self._describe_in_parts(queue, part=max(len(queue), self._capacity(shape)))

    def _describe_in_parts(self, queue: Sequence[_Waiting], *, part: int) -> None:
        """Describe so many frames at a time; those that fail, half as many at a time."""
        for first in range(0, len(queue), part):
            frames = queue[first : first + part]
            num_rows = part if self._runtime.pads_batches else len(frames)
            try:
                features_BD = self._features(frames, num_rows)
            except (TransientError, MemoryError) as error:
                _logger.warning("%s frames in one batch of %s failed: %s", len(frames), part, error)
                if num_rows == 1:
                    frames[0].give_up(TransientError(str(error)))
                else:
                    self._describe_in_parts(frames, part=(num_rows + 1) // 2)
            else:
                for waiting, feature_D in zip(frames, features_BD, strict=False):
                    waiting.deliver(feature_D)

    def _features(self, frames: Sequence[_Waiting], num_rows: int) -> NDArray[np.float32]:
        pixels_BHWC = np.zeros((num_rows, *frames[0].pixels_HWC.shape), dtype=np.uint8)
        for row, waiting in enumerate(frames):
            pixels_BHWC[row] = waiting.pixels_HWC
        return self._runtime.describe(pixels_BHWC)
