import numpy as np
import pytest
from numpy.typing import NDArray

from vcd.descriptors import Preprocessing
from vcd.descriptors.batches import FrameQueue

Row = NDArray[np.float32]

SQUARE, WIDE = (8, 8, 3), (8, 16, 3)


class CountingRuntime:
    """Describes a frame by its first byte, and remembers the batches."""

    def __init__(self, *, pads_batches=False):
        self.pads_batches = pads_batches
        self.batches = []

    def describe(self, pixels_BHWC):
        self.batches.append(pixels_BHWC.shape)
        return pixels_BHWC[:, 0, 0, :1].astype(np.float32)


def queue_of(runtime, batch_size=4):
    return FrameQueue(runtime, Preprocessing.from_name("small_10"), batch_size=batch_size)


def add(queue, shape, value, into):
    queue.add(np.full(shape, value, dtype=np.uint8), into.append)


def test_a_full_batch_is_described_at_once():
    runtime = CountingRuntime()
    delivered: list[Row] = []
    queue = queue_of(runtime, batch_size=2)

    for value in (3, 7, 9):
        add(queue, (10, 10, 3), value, delivered)

    assert [float(row[0]) for row in delivered] == [3.0, 7.0]
    assert len(queue) == 1


def test_of_longer_frames_fewer_fill_a_batch():
    runtime = CountingRuntime()
    delivered: list[Row] = []
    queue = queue_of(runtime)

    for value in range(2):
        add(queue, (10, 20, 3), value, delivered)

    assert runtime.batches == [(2, 10, 20, 3)]


def test_a_frame_waits_for_a_bounded_number_of_others():
    runtime = CountingRuntime()
    rare: list[Row] = []
    frequent: list[Row] = []
    queue = queue_of(runtime)

    add(queue, (10, 20, 3), 1, rare)
    for value in range(16):
        assert rare == []
        add(queue, (10, 10, 3), value, frequent)

    assert len(rare) == 1


def test_videos_that_end_without_frames_let_time_pass_too():
    runtime = CountingRuntime()
    delivered: list[Row] = []
    queue = queue_of(runtime)
    add(queue, (10, 10, 3), 1, delivered)

    for _ in range(16):
        queue.tick()

    assert len(delivered) == 1


def test_at_the_end_everything_is_described():
    runtime = CountingRuntime()
    delivered: list[Row] = []
    queue = queue_of(runtime)
    add(queue, SQUARE, 1, delivered)
    add(queue, WIDE, 2, delivered)

    queue.describe_all()

    assert len(delivered) == 2
    assert len(queue) == 0


@pytest.mark.parametrize("pads", [True, False])
def test_only_a_runtime_that_asks_for_it_gets_batches_of_one_length(pads):
    runtime = CountingRuntime(pads_batches=pads)
    delivered: list[Row] = []
    queue = queue_of(runtime)
    add(queue, (10, 10, 3), 5, delivered)

    queue.describe_all()

    assert runtime.batches == [(4 if pads else 1, 10, 10, 3)]
    assert [float(row[0]) for row in delivered] == [5.0]
