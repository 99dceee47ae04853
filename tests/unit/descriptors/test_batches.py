import numpy as np
import pytest
from numpy.typing import NDArray

from vcd.core import SetupError, TransientError
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


class PoorRuntime(CountingRuntime):
    """Has memory for a few frames at a time, and chokes on one kind of frame."""

    def __init__(self, *, most=1000, indigestible=None, pads_batches=False):
        super().__init__(pads_batches=pads_batches)
        self.most = most
        self.indigestible = indigestible

    def describe(self, pixels_BHWC):
        features = super().describe(pixels_BHWC)
        if len(pixels_BHWC) > self.most or self.indigestible in features:
            raise TransientError("out of memory")
        return features


class LostRuntime(CountingRuntime):
    def describe(self, pixels_BHWC):
        raise SetupError("the device is lost")


def queue_of(runtime, batch_size=4):
    return FrameQueue(runtime, Preprocessing.from_name("small_10"), batch_size=batch_size)


def add(queue, shape, value, into):
    queue.add(np.full(shape, value, dtype=np.uint8), into.append, pytest.fail)


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


def add_all(queue, values):
    """Add square frames of these values; returns what became of each."""
    outcomes: dict[int, float | str] = {}
    for value in values:
        queue.add(
            np.full((10, 10, 3), value, dtype=np.uint8),
            lambda row, value=value: outcomes.update({value: float(row[0])}),
            lambda error, value=value: outcomes.update({value: str(error)}),
        )
    queue.describe_all()
    return outcomes


@pytest.mark.parametrize("pads", [True, False])
def test_a_batch_that_is_too_large_for_the_memory_is_described_in_halves(pads):
    runtime = PoorRuntime(most=2, pads_batches=pads)

    outcomes = add_all(queue_of(runtime, batch_size=8), range(8))

    assert outcomes == {value: float(value) for value in range(8)}
    assert [shape[0] for shape in runtime.batches] == [8, 4, 2, 2, 4, 2, 2]


@pytest.mark.parametrize("pads", [True, False])
def test_one_frame_that_cannot_be_described_costs_the_others_nothing(pads):
    runtime = PoorRuntime(indigestible=5.0, pads_batches=pads)

    outcomes = add_all(queue_of(runtime, batch_size=8), [1, 2, 3, 4, 5, 6, 7])

    assert outcomes == {1: 1.0, 2: 2.0, 3: 3.0, 4: 4.0, 5: "out of memory", 6: 6.0, 7: 7.0}


def test_without_any_memory_every_frame_is_given_up_and_the_queue_goes_on():
    runtime = PoorRuntime(most=0)
    queue = queue_of(runtime)

    assert add_all(queue, [1, 2, 3]) == dict.fromkeys([1, 2, 3], "out of memory")

    runtime.most = 1000
    assert add_all(queue, [4]) == {4: 4.0}


def test_a_lost_device_is_not_tried_again():
    with pytest.raises(SetupError, match="the device is lost"):
        add_all(queue_of(LostRuntime()), [1])
