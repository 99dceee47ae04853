from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from vcd.stream.local_log.group import shares

_TOPICS = ("backfill", "uploads")


@st.composite
def _groups(draw):
    sizes = {topic: draw(st.integers(1, 12)) for topic in _TOPICS}
    members = [f"member-{number}" for number in range(draw(st.integers(1, 6)))]
    held: dict[str, Counter[str]] = {member: Counter() for member in members}
    for topic, size in sizes.items():
        for _ in range(size):
            owner = draw(st.sampled_from([None, *members]))
            if owner is not None:
                held[owner][topic] += 1
    return dict.fromkeys(members, frozenset(_TOPICS)), sizes, held


@given(_groups())
def test_every_partition_has_one_owner_and_nobody_has_two_more_than_another(group):
    subscriptions, sizes, held = group

    result = shares(subscriptions, sizes, held)

    for topic, size in sizes.items():
        of_topic = [result[member, topic] for member in subscriptions]
        assert sum(of_topic) == size
        assert max(of_topic) - min(of_topic) <= 1
    totals = [sum(result[member, topic] for topic in sizes) for member in subscriptions]
    assert max(totals) - min(totals) <= 1


@given(_groups())
def test_who_owns_its_share_keeps_it(group):
    subscriptions, sizes, held = group
    once = shares(subscriptions, sizes, held)

    again = shares(subscriptions, sizes, {m: {t: once[m, t] for t in sizes} for m in subscriptions})

    assert again == once


def test_a_member_of_one_topic_leaves_the_other_to_the_rest():
    subscriptions = {"both": frozenset(_TOPICS), "live": frozenset({"uploads"})}

    result = shares(subscriptions, {"backfill": 4, "uploads": 4}, {})

    assert result == {("both", "backfill"): 4, ("both", "uploads"): 2, ("live", "uploads"): 2}


def test_what_cannot_be_divided_stays_where_it_is():
    subscriptions = dict.fromkeys("abc", frozenset({"uploads"}))

    result = shares(subscriptions, {"uploads": 4}, {"b": {"uploads": 2}, "c": {"uploads": 1}})

    assert result == {("a", "uploads"): 1, ("b", "uploads"): 2, ("c", "uploads"): 1}
