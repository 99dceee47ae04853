"""Only deaths without a word make a record suspect, and only a death alone convicts it."""

import pytest

from vcd.stream.worker.notes import Note
from vcd.stream.worker.quarantine import Quarantine


def _after(note: Note, *, head: int = 5) -> Quarantine:
    return Quarantine(note, head=head, max_crashes=3)


def test_a_death_without_a_word_counts():
    assert _after(Note(is_running=True)).num_crashes == 1
    assert _after(Note(is_running=True, num_crashes=1, highest=5)).num_crashes == 2


def test_leaving_in_good_order_counts_nothing_and_forgets_nothing():
    assert _after(Note(is_running=False, num_crashes=1)).num_crashes == 1


def test_the_count_starts_again_when_the_head_moves():
    quarantine = _after(Note(is_running=True, num_crashes=1, highest=7))

    quarantine.head_moved(6)

    assert quarantine.num_crashes == 0


def test_from_the_last_death_on_all_that_the_dead_may_have_begun_is_suspect():
    quarantine = _after(Note(is_running=True, num_crashes=2, highest=9))

    assert quarantine.is_careful
    assert [offset for offset in range(5, 12) if quarantine.is_suspect(offset)] == [5, 6, 7, 8, 9]


@pytest.mark.parametrize("highest", [None, 4], ids=["nobody knows", "all before the head"])
def test_without_suspects_nobody_is_tried_alone(highest):
    quarantine = _after(Note(is_running=True, num_crashes=7, highest=highest))

    assert not quarantine.is_careful
    assert not quarantine.is_suspect(5)


def test_careful_times_end_behind_the_last_suspect_and_not_before():
    quarantine = _after(Note(is_running=True, num_crashes=2, highest=6))

    quarantine.head_moved(6)
    before = (quarantine.is_careful, quarantine.num_crashes)
    quarantine.head_moved(7)

    assert before == (True, 3)
    assert (quarantine.is_careful, quarantine.num_crashes) == (False, 0)


def test_who_killed_a_worker_alone_is_convicted():
    quarantine = _after(Note(is_running=True, num_crashes=3, highest=9, alone=7))

    assert quarantine.is_convicted(7)
    assert not quarantine.is_convicted(6)


def test_who_was_alone_when_a_worker_left_in_good_order_is_not():
    assert not _after(Note(is_running=False, num_crashes=3, highest=9, alone=7)).is_convicted(7)


def test_the_last_suspect_is_handed_on_as_long_as_there_is_suspicion():
    assert _after(Note(is_running=True, highest=9)).highest(6) == 9
    assert _after(Note(is_running=True, highest=9)).highest(12) == 12
    assert _after(Note(is_running=True, num_crashes=2, highest=9)).highest(12) == 9
    assert _after(Note()).highest(None) is None
