"""Laws of the watermark and of the notes that carry it to the next owner."""

from hypothesis import given
from hypothesis import strategies as st

from vcd.stream.worker.notes import Note, decode_note, encode_note
from vcd.stream.worker.watermark import Watermark

_OFFSETS = st.lists(st.integers(0, 2000), min_size=1, max_size=60, unique=True).map(sorted)


@given(offsets=_OFFSETS, data=st.data())
def test_the_head_is_behind_the_done_ones_whatever_the_order(offsets, data):
    order = data.draw(st.permutations(offsets))
    watermark = Watermark(offsets[0])
    for offset in offsets:
        watermark.deliver(offset)

    done: set[int] = set()
    for offset in order:
        watermark.finish(offset)
        done.add(offset)

        undone = [one for one in offsets if one not in done]
        assert all(one in done for one in offsets if one < watermark.head)
        assert watermark.done_above() == {one for one in done if one >= watermark.head}
        assert watermark.head == (
            max((one for one in offsets if not undone or one < undone[0]), default=offsets[0] - 1)
            + 1
        )


@given(offsets=_OFFSETS, data=st.data())
def test_the_next_owner_does_exactly_what_is_left(offsets, data):
    num_delivered = data.draw(st.integers(0, len(offsets)))
    done = data.draw(st.sets(st.sampled_from(offsets[:num_delivered] or [offsets[0]])))
    first = Watermark(offsets[0])
    for offset in offsets[:num_delivered]:
        first.deliver(offset)
    for offset in done if num_delivered else ():
        first.finish(offset)

    note = encode_note(Note(done=first.done_above()), first.head)
    second = Watermark(first.head, decode_note(note, first.head).done)
    left = []
    for offset in offsets:
        if offset < first.head:
            continue
        if not second.is_done(offset):
            left.append(offset)
        second.deliver(offset)
    for offset in left:
        second.finish(offset)

    assert left == [one for one in offsets if one not in (done if num_delivered else ())]
    assert second.head == offsets[-1] + 1
    assert second.is_idle
