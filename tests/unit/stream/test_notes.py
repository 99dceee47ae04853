"""Notes come back as they were written and always fit."""

import logging

import pytest

from vcd.stream.worker.notes import MAX_NOTE_BYTES, Note, decode_note, encode_note


@pytest.mark.parametrize(
    "note",
    [
        Note(),
        Note(is_running=True, num_crashes=2, highest=900, alone=805),
        Note(highest=0, alone=0, done=frozenset({800, 801, 815, 899})),
    ],
    ids=["nothing", "a worker that died", "what is done above the head"],
)
def test_a_note_comes_back_as_it_was_written(note):
    assert decode_note(encode_note(note, 800), 800) == note


def test_the_largest_note_fits_beside_a_commit():
    head = 2**40
    note = Note(
        is_running=True,
        num_crashes=1000,
        highest=head + 20_000,
        alone=head,
        done=frozenset(range(head + 1, head + 20_000)),
    )

    text = encode_note(note, head)

    assert len(text.encode()) <= MAX_NOTE_BYTES
    assert decode_note(text, head).done == frozenset(range(head + 1, head + 16_384))


@pytest.mark.parametrize(
    "text",
    [
        "reset by hand",
        "[]",
        "{}",
        '{"v":2}',
        '{"v":1,"done":"%%"}',
        '{"v":1,"to":"x"}',
        '{"v":1,"alone":-1}',
    ],
)
def test_a_note_of_somebody_else_says_nothing_and_a_line_says_so(text, caplog):
    with caplog.at_level(logging.WARNING):
        note = decode_note(text, 7)

    assert note == Note()
    assert "beside offset 7 is ignored" in caplog.text


def test_no_note_is_nothing_to_talk_about(caplog):
    assert decode_note("", 7) == Note()
    assert caplog.text == ""
