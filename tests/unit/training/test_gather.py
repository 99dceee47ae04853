"""What processes tell each other: two with half a batch each are one with the whole of it."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from tests.tiny_training import (
    PLAIN,
    WHOLE_RECIPE,
    BreaksDown,
    assert_same_outcome,
    batches,
    in_processes,
    taken_steps,
    tiny_batch,
    tiny_network,
)
from vcd.core.errors import VcdError
from vcd.training.gather import gather_rows, own_rows, sum_over_processes, summed_gradients

TWO_PROCESSES = {
    "plain": PLAIN,
    "mixed, with a bank": WHOLE_RECIPE,
    "mixed, with a bank, in chunks": replace(WHOLE_RECIPE, chunk_views=3),
}


def _work_of(rank):
    """What each of two processes does, one after the other, so that they are started only once."""
    shares = {
        name: taken_steps(tiny_network(), settings, batches(settings, part=rank, parts=2))
        for name, settings in TWO_PROCESSES.items()
    }
    complaints = [
        _complaint(BreaksDown(what) if rank == 1 else tiny_network(), tiny_batch(1))
        for what in ("loss", "gradient")
    ]
    uneven = tiny_batch(1, part=0, parts=4 if rank else 2)
    return shares, [*complaints, _complaint(tiny_network(), uneven)]


def _complaint(network, batch):
    try:
        taken_steps(network, PLAIN, [batch])
    except VcdError as error:
        return f"{type(error).__name__}: {error}"
    return "none"


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    return in_processes(2, _work_of, tmp_path_factory.mktemp("two"))


def test_a_process_alone_has_all_rows():
    rows = torch.arange(6.0).reshape(3, 2)

    assert gather_rows(rows) is rows
    assert torch.equal(rows[own_rows(3)], rows)
    assert sum_over_processes(rows) is rows


def test_gradients_of_a_process_alone_add_up():
    weight = nn.Parameter(torch.ones(1))
    weight.grad = torch.tensor([3.0])

    with summed_gradients([weight]):
        torch.autograd.backward(weight * 2.0)

    assert weight.grad.tolist() == [5.0]


@pytest.mark.slow
@pytest.mark.parametrize("name", TWO_PROCESSES)
def test_two_processes_with_half_the_batch_each_are_one_with_the_whole(both, name):
    settings = TWO_PROCESSES[name]
    alone = taken_steps(tiny_network(), settings, batches(settings))

    for shares, _ in both:
        assert_same_outcome(alone, shares[name])


@pytest.mark.slow
@pytest.mark.parametrize(("place", "what"), [(0, "loss"), (1, "gradient")])
def test_what_is_no_number_in_one_process_stops_both(both, place, what):
    complaints = [complaint[place] for _, complaint in both]

    assert all(f"InputError: the {what} of step 0 is no number" in each for each in complaints)


@pytest.mark.slow
def test_a_batch_that_does_not_divide_stops_both(both):
    complaints = [complaint[2] for _, complaint in both]

    assert all("SetupError: the processes have [8, 4] views" in each for each in complaints)
