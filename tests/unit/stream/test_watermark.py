"""The watermark goes by order of delivery and knows every record that is done."""

import pytest

from vcd.stream.worker.watermark import Watermark


def _delivered(*offsets: int, head: int = 0, known: tuple[int, ...] = ()) -> Watermark:
    watermark = Watermark(head, known)
    for offset in offsets:
        watermark.deliver(offset)
    return watermark


def test_the_head_stays_at_the_first_record_that_is_not_done():
    watermark = _delivered(0, 1, 2, 3)

    watermark.finish(1)
    watermark.finish(3)

    assert watermark.head == 0
    assert watermark.done_above() == {1, 3}


def test_the_head_jumps_over_what_finished_before_it():
    watermark = _delivered(0, 1, 2, 3)
    for offset in (1, 2, 0):
        watermark.finish(offset)

    assert watermark.head == 3
    assert watermark.done_above() == frozenset()


def test_offsets_that_do_not_exist_hold_nothing_up():
    watermark = _delivered(4, 9, 17, head=2)

    watermark.finish(4)
    watermark.finish(9)
    assert watermark.head == 10
    watermark.finish(17)

    assert watermark.head == 18
    assert watermark.is_idle


def test_what_an_earlier_owner_did_counts_as_done_when_it_is_delivered():
    watermark = Watermark(5, known=(6, 7, 3))

    watermark.deliver(5)
    watermark.deliver(6)
    watermark.finish(5)

    assert watermark.head == 7
    assert watermark.done_above() == {7}, "known, and not delivered yet"
    assert watermark.is_done(3)


def test_the_span_counts_from_the_head_to_the_last_delivery():
    watermark = _delivered(10, 11, 15, head=10)
    assert watermark.span == 6

    for offset in (10, 11, 15):
        watermark.finish(offset)

    assert watermark.span == 0


def test_nothing_is_remembered_of_what_is_behind_the_head():
    watermark = _delivered(*range(1000))

    for offset in reversed(range(1000)):
        watermark.finish(offset)

    assert watermark.head == 1000
    assert not watermark._done
    assert not watermark._pending


def test_a_delivery_out_of_order_is_a_broken_log():
    watermark = _delivered(3)

    with pytest.raises(ValueError, match="offset 3 after 3: a log delivers in order"):
        watermark.deliver(3)
