"""What is kept of earlier descriptors."""

import torch

from vcd.training.bank import Bank


def rows(*values):
    return torch.tensor([[float(value), 0.0] for value in values])


def photos(*values):
    return torch.tensor([[value, value] for value in values])


def test_a_bank_begins_with_no_rows():
    bank = Bank.empty(3)

    assert bank.features_BD.shape == (0, 3)
    assert bank.photo_B2.shape == (0, 2)


def test_the_oldest_rows_leave_first_with_their_photographs():
    bank = Bank.empty(2)

    bank.add(rows(1, 2), photos(1, 2), max_rows=3)
    bank.add(rows(3, 4), photos(3, 4), max_rows=3)

    assert bank.features_BD[:, 0].tolist() == [2.0, 3.0, 4.0]
    assert bank.photo_B2.tolist() == [[2, 2], [3, 3], [4, 4]]


def test_kept_rows_hold_no_graph_and_do_not_change_with_the_batch():
    bank, batch = Bank.empty(2), rows(1, 2).requires_grad_()

    bank.add(batch * 1.0, photos(1, 2), max_rows=3)
    with torch.no_grad():
        batch.zero_()

    assert not bank.features_BD.requires_grad
    assert bank.features_BD[:, 0].tolist() == [1.0, 2.0]
