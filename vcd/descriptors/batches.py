"""Let frames of one size wait for each other, but not for ever.

    size 160 x 160   [a0 a1 b0 b1 | b2 c0 ...]     full: describe
    size 288 x 512   [d0 d1 ...]                   its oldest frame has waited long enough: describe

A batch is described when it is full, when its oldest frame has seen a given number of others
arrive, or when nothing more will come. So the number of waiting frames is bounded whatever the
mixture of sizes, and what a frame becomes never depends on who shares its batch.

Shape letters: B frames, H and W pixels, C channels, D dimensions.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vcd.descriptors.preprocess import Preprocessing
from vcd.descriptors.runtimes import Runtime

__all__ = ["FrameQueue"]

_MAX_WAIT_BATCHES = 4
"""How many batches' worth of other frames may arrive while one waits."""

Deliver = Callable[[NDArray[np.float32]], None]
"""Takes the descriptor of one frame, ``(D,)`` float32."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Waiting:
    pixels_HWC: NDArray[np.uint8]
    deliver: Deliver
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

    def add(self, pixels_HWC: NDArray[np.uint8], deliver: Deliver) -> None:
        """Put a frame in; its descriptor is delivered in this call or in a later one."""
        queue = self._waiting.setdefault(pixels_HWC.shape, [])
        queue.append(_Waiting(pixels_HWC=pixels_HWC, deliver=deliver, arrival=self._arrivals))
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
        num_rows = self._capacity(shape) if self._runtime.pads_batches else len(queue)
        pixels_BHWC = np.zeros((num_rows, *shape), dtype=np.uint8)
        for row, waiting in enumerate(queue):
            pixels_BHWC[row] = waiting.pixels_HWC
        features_BD = self._runtime.describe(pixels_BHWC)
        for waiting, feature_D in zip(queue, features_BD, strict=False):
            waiting.deliver(feature_D)
