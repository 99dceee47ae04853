"""Dead letters go back to where they came from, twice rather than never."""

import pytest

from tests.memory_log import MemoryLog, MemoryWriter
from tests.unit.stream.buried import VALUE, buried, log_of_dead, uploaded
from vcd.core import InputError, TransientError
from vcd.stream.messages.dead_letters import decode_dead_letter, list_dead_letters
from vcd.stream.messages.redrive import redrive
from vcd.stream.topics import DEAD_LETTERS, UPLOADS, topic_specs


def _redrive_all(log: MemoryLog, refused: dict[str, str] | None = None) -> int:
    told: dict[str, str] = {} if refused is None else refused
    return redrive(
        log,
        list_dead_letters(log),
        patience_s=1.0,
        on_refused=lambda letter, why: told.update({str(letter.source): why}),
    )


def test_a_redriven_message_is_where_it_came_from_as_it_came():
    log = log_of_dead(uploaded(b"\x00\xff"))

    assert _redrive_all(log) == 1

    (again,) = log.all_of(UPLOADS)
    assert (again.key, again.value) == (b"rabbit", b"\x00\xff")
    assert again.headers == (("producer", b"cms"), ("vcd-redrives", b"1"))


def test_what_was_redriven_is_listed_no_more():
    log = log_of_dead(uploaded(offset=4), uploaded(offset=5))
    first = next(list_dead_letters(log))

    redrive(log, [first], patience_s=1.0, on_refused=lambda letter, why: pytest.fail(why))

    assert [letter.source.offset for letter in list_dead_letters(log)] == [5]
    assert _redrive_all(log) == 1
    assert _redrive_all(log) == 0


def test_a_message_that_dies_again_is_another_dead_letter_and_counts_its_redrives():
    log = log_of_dead(uploaded())
    _redrive_all(log)
    (again,) = log.all_of(UPLOADS)
    dead = buried(again)
    log.writer().send(DEAD_LETTERS, key=dead.key, value=dead.value, headers=dead.headers)

    (letter,) = list_dead_letters(log)
    _redrive_all(log)

    assert letter.num_redrives == 1
    assert log.all_of(UPLOADS)[-1].headers == (("producer", b"cms"), ("vcd-redrives", b"2"))


@pytest.mark.parametrize("count", [b"many", b"-1", b"9" * 5000, b"\xff"])
def test_a_count_of_redrives_that_is_none_counts_from_the_start(count):
    letter = decode_dead_letter(buried(uploaded(headers=(("vcd-redrives", count),))))

    assert letter.num_redrives == 0


def test_a_cut_message_is_not_sent_again_and_the_others_are():
    log = log_of_dead(uploaded(b"x" * 1_000_000, offset=4), uploaded(offset=5))
    refused: dict[str, str] = {}

    assert _redrive_all(log, refused) == 1

    assert list(refused) == ["vcd.uploads/3@4"]
    assert "were not kept: submit the video again" in refused["vcd.uploads/3@4"]
    assert [letter.source.offset for letter in list_dead_letters(log)] == [4]


def test_nothing_is_marked_while_its_source_does_not_take_it():
    log = log_of_dead(uploaded())
    log.refused[UPLOADS] = TransientError("the broker is away")

    with pytest.raises(TransientError, match="the broker is away"):
        _redrive_all(log)

    assert len(list(list_dead_letters(log))) == 1


def test_what_the_source_will_never_take_is_named_and_stays_listed():
    log = log_of_dead(uploaded())
    log.refused[UPLOADS] = InputError("too large for the topic")
    refused: dict[str, str] = {}

    assert _redrive_all(log, refused) == 0

    assert refused == {"vcd.uploads/3@17": "too large for the topic"}
    assert len(list(list_dead_letters(log))) == 1


def test_a_crash_before_the_marker_sends_twice_and_loses_nothing():
    log = log_of_dead(uploaded())
    log.refused[DEAD_LETTERS] = TransientError("killed here")
    with pytest.raises(TransientError, match="killed here"):
        _redrive_all(log)
    log.refused.clear()

    assert _redrive_all(log) == 1

    assert [record.value for record in log.all_of(UPLOADS)] == [VALUE, VALUE]
    assert list(list_dead_letters(log)) == []


class _ChoosyWriter(MemoryWriter):
    def send(self, topic, *, key, value, headers=()):
        self._log.refused = {UPLOADS: TransientError("lost")} if key == b"bad" else {}
        return super().send(topic, key=key, value=value, headers=headers)


class _Choosy(MemoryLog):
    """Takes every upload but those of one key."""

    def writer(self):
        self.num_open += 1
        return _ChoosyWriter(self)


def test_those_that_are_durable_are_marked_although_one_before_them_failed():
    log = _Choosy()
    log.create_topics(topic_specs(4))
    log.records[DEAD_LETTERS] = log_of_dead(
        uploaded(offset=1, key=b"bad"), uploaded(offset=2), uploaded(offset=3)
    ).records[DEAD_LETTERS]

    with pytest.raises(TransientError, match="lost"):
        _redrive_all(log)

    assert [letter.source.offset for letter in list_dead_letters(log)] == [1]
