"""What every log promises to the members of a group among each other."""

from tests.fault.log_member import (
    MANY,
    Member,
    make_group,
    make_topic,
    partitions_of,
    poll_until,
    send_all,
)
from vcd.stream.log import Commit, Log


class GroupContract:
    """Several members: who owns what, and what happens when one comes, goes or falls silent."""

    def test_a_second_member_takes_its_share_and_nobody_owns_the_same(
        self, log: Log, other_log: Log
    ):
        topic, group = make_topic(log, 4), make_group()
        first = Member(log, group, [topic])
        poll_until(lambda: len(first.owned) == 4, first)
        second = Member(other_log, group, [topic])

        poll_until(lambda: len(second.owned) == 2 and len(first.owned) == 2, first, second)

        assert first.owned | second.owned == partitions_of(topic, 4)
        assert first.ears.all_of("released") == second.owned, "only what moved was released"
        assert first.ears.all_of("lost") == frozenset()
        first.close()
        second.close()

    def test_what_the_listener_commits_is_where_the_next_owner_starts(
        self, log: Log, other_log: Log
    ):
        topic, group = make_topic(log, 2), make_group()
        places = send_all(log, topic, MANY)
        first = Member(log, group, [topic])
        poll_until(lambda: len(first.records) >= len(MANY), first)
        for partition in first.owned:
            middle = [place for place in places if place.partition == partition][10]
            first.ears.to_commit[partition] = Commit(offset=middle.offset, note="half")

        second = Member(other_log, group, [topic])
        poll_until(lambda: second.owned and second.records, first, second)

        (moved,) = second.owned
        commit = first.ears.to_commit[moved]
        assert second.records[0].place.offset == commit.offset
        assert second.reader.committed(moved) == commit
        first.close()
        second.close()

    def test_a_member_that_closes_commits_and_hands_over(self, log: Log, other_log: Log):
        topic, group = make_topic(log, 2), make_group()
        places = send_all(log, topic, MANY)
        first, second = Member(log, group, [topic]), Member(other_log, group, [topic])
        poll_until(lambda: len(first.owned) == len(second.owned) == 1, first, second)
        (partition,) = first.owned
        end = max(place.offset for place in places if place.partition == partition) + 1
        first.ears.to_commit[partition] = Commit(offset=end, note="bye")
        second.records.clear()

        first.close()
        poll_until(lambda: second.owned == partitions_of(topic, 2), second)

        assert first.owned == frozenset()
        assert second.reader.committed(partition) == Commit(offset=end, note="bye")
        assert partition not in {r.place.partition for r in second.records}
        second.close()

    def test_a_member_too_many_waits_for_its_turn(self, log: Log, other_log: Log):
        topic, group = make_topic(log, 1), make_group()
        send_all(log, topic, MANY[:3])
        first = Member(log, group, [topic])
        poll_until(lambda: first.owned, first)
        second = Member(other_log, group, [topic])
        for _ in range(10):
            first.poll()
            second.poll()
        assert len(first.owned | second.owned) == 1
        owner, waiting = (first, second) if first.owned else (second, first)

        owner.close()

        poll_until(lambda: len(waiting.records) >= 3, waiting)
        assert waiting.values() == [value for _, value in MANY[:3]]
        waiting.close()

    def test_a_commit_for_somebody_elses_partition_changes_nothing(self, log: Log, other_log: Log):
        topic, group = make_topic(log, 2), make_group()
        send_all(log, topic, MANY)
        first, second = Member(log, group, [topic]), Member(other_log, group, [topic])
        poll_until(lambda: len(first.owned) == len(second.owned) == 1, first, second)
        (theirs,) = second.owned

        for _ in range(5):
            first.reader.commit({theirs: Commit(offset=7, note="stray")})
            first.poll()

        assert second.reader.committed(theirs) is None
        first.close()
        second.close()

    def test_a_silent_member_loses_its_partitions_and_hears_of_it(self, log: Log, other_log: Log):
        topic, group = make_topic(log, 2), make_group()
        places = send_all(log, topic, MANY)
        silent, other = Member(log, group, [topic]), Member(other_log, group, [topic])
        poll_until(lambda: len(silent.owned) == len(other.owned) == 1, silent, other)
        (partition,) = silent.owned
        end = max(place.offset for place in places if place.partition == partition) + 1

        poll_until(lambda: other.owned == partitions_of(topic, 2), other)
        silent.reader.commit({partition: Commit(offset=end, note="too late")})
        assert other.reader.committed(partition) is None
        poll_until(lambda: silent.ears.all_of("lost"), silent, other)

        assert silent.ears.all_of("lost") == {partition}
        assert partition not in silent.ears.all_of("released")
        poll_until(lambda: len(silent.owned) == len(other.owned) == 1, silent, other)
        assert other.reader.committed(partition) is None
        poll_until(
            lambda: (
                {r.place for r in other.records} | {r.place for r in silent.records} == set(places)
            ),
            silent,
            other,
        )
        silent.close()
        other.close()

    def test_a_member_that_never_polled_again_costs_the_others_nothing_but_time(
        self, log: Log, other_log: Log
    ):
        topic, group = make_topic(log, 2), make_group()
        places = send_all(log, topic, MANY)
        dead, other = Member(log, group, [topic]), Member(other_log, group, [topic])
        poll_until(lambda: len(dead.owned) == len(other.owned) == 1, dead, other)

        poll_until(lambda: {r.place for r in other.records} == set(places), other)

        dead.close()
        other.close()
