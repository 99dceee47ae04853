"""How fresh a reader is: what was asked at noon and answered at one was known at noon."""

import time

import pytest

from tests.reference_log import ReferenceLog
from vcd.core import SetupError
from vcd.stream.references.topic_end import TopicEnd


@pytest.fixture
def log() -> ReferenceLog:
    log = ReferenceLog()
    log.end = 5
    return log


def test_a_question_counts_from_when_it_was_asked(log):
    end = TopicEnd(0.0)
    end.ask(log.tail("references"), known=0)
    asked_s = time.monotonic()

    end.note_reflected(4)
    before_s = end.fresh_s
    end.note_reflected(5)

    assert before_s is None
    assert end.fresh_s is not None
    assert end.fresh_s <= asked_s


def test_the_barrier_is_the_end_as_first_heard_of(log):
    end = TopicEnd(0.0)
    end.ask(log.tail("references"), known=0)
    log.end = 9

    end.ask(log.tail("references"), known=0)

    assert end.barrier == 5


def test_a_log_that_does_not_answer_leaves_everything_as_it_was(log):
    log.is_reachable = False
    end = TopicEnd(7.0)

    end.ask(log.tail("references"), known=0)

    assert (end.barrier, end.complete_at_s, end.fresh_s) == (None, 7.0, None)


def test_an_end_before_what_is_known_is_another_topic(log):
    with pytest.raises(SetupError, match="was read up to 6 before"):
        TopicEnd(0.0).ask(log.tail("references"), known=6)
