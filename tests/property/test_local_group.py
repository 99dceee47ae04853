"""However members come, go, look and take: the shares settle, and nothing is owned twice."""

import sqlite3
from collections import Counter
from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vcd.stream.local_log.group import Membership
from vcd.stream.local_log.records import partitions_of_topic
from vcd.stream.local_log.schema import connect, create
from vcd.stream.log import Partition, TopicSpec

_TOPICS = ("backfill", "other", "uploads")


class _Member:
    """A reader reduced to what it owns."""

    def __init__(self, connection: sqlite3.Connection, topics: frozenset[str]) -> None:
        self.topics = topics
        self.owned: set[Partition] = set()
        self._partitions: dict[int, Partition] = {}
        for topic in sorted(topics):
            self._partitions |= partitions_of_topic(connection, topic)
        self._membership = Membership(connection, "group", self._partitions, 10_000.0)

    def look(self) -> bool:
        """Do what a poll does; False when there was nothing to do."""
        if not self._membership.is_due():
            return False
        settlement = self._membership.settle()
        assert settlement is not None
        self.owned |= {self._partitions[row] for row in settlement.gained}
        if settlement.surplus:
            self.owned -= {self._partitions[row] for row in settlement.surplus}
            self._membership.free(dict.fromkeys(settlement.surplus))
        return True

    def leave(self) -> None:
        self._membership.leave({})
        self.owned = set()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "bus.log"


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_shares_settle_whatever_the_order_and_every_partition_has_one_owner(path, data):
    sizes = {topic: data.draw(st.integers(1, 9)) for topic in _TOPICS}
    path.unlink(missing_ok=True)
    create(path, tuple(TopicSpec(name=t, num_partitions=size) for t, size in sizes.items()))
    with closing(connect(path)) as connection:
        connection.execute("pragma synchronous = off")
        topics = st.sampled_from([frozenset(_TOPICS), frozenset(_TOPICS[:2]), frozenset({"other"})])
        members = [
            _Member(connection, data.draw(topics)) for _ in range(data.draw(st.integers(1, 5)))
        ]
        for ordinal in data.draw(st.lists(st.integers(0, len(members) - 1), max_size=20)):
            members[ordinal].look()
            assert max(Counter(p for m in members for p in m.owned).values(), default=0) <= 1
        if len(members) > 1 and data.draw(st.booleans()):
            members.pop(0).leave()

        for _ in range(50):
            order = data.draw(st.permutations(members))
            looked = [member.look() for member in order]
            if not any(looked):
                break

        assert not any(member.look() for member in members), "it never settles"
        wanted = {
            Partition(topic, number)
            for topic, size in sizes.items()
            if any(topic in member.topics for member in members)
            for number in range(size)
        }
        assert sorted(p for member in members for p in member.owned) == sorted(wanted)
        for topic in _TOPICS:
            of_topic = [
                sum(p.topic == topic for p in m.owned) for m in members if topic in m.topics
            ]
            assert max(of_topic, default=0) - min(of_topic, default=0) <= 1
