"""What every log promises to one member of a group."""

from collections import Counter

from tests.fault.log_member import (
    MANY,
    Member,
    make_group,
    make_topic,
    partitions_of,
    poll_until,
    send_all,
    until,
)
from vcd.stream.log import Commit, Log, Partition


class ReaderContract:
    """One member of a group: what it is given, what it commits, where the next goes on."""

    def test_a_new_group_starts_at_the_beginning(self, log: Log):
        topic = make_topic(log)
        places = send_all(log, topic, MANY)
        member = Member(log, make_group(), [topic])

        poll_until(lambda: len(member.records) >= len(MANY), member)

        assert sorted(record.place for record in member.records) == sorted(places)
        assert member.owned == partitions_of(topic, 4)
        member.close()

    def test_a_member_reads_all_its_topics(self, log: Log):
        topics = [make_topic(log, 2), make_topic(log, 2)]
        for topic in topics:
            send_all(log, topic, MANY[:10])
        member = Member(log, make_group(), topics)

        poll_until(lambda: len(member.records) >= 20, member)

        assert Counter(r.place.partition.topic for r in member.records) == dict.fromkeys(topics, 10)
        member.close()

    def test_records_of_a_partition_come_in_order_however_small_the_portions(self, log: Log):
        topic = make_topic(log, 2)
        send_all(log, topic, MANY)
        member = Member(log, make_group(), [topic])

        while len(member.records) < len(MANY):
            until(lambda: member.poll(limit=3))

        assert sorted(member.values(), key=repr) == sorted((v for _, v in MANY), key=repr)
        for partition in partitions_of(topic, 2):
            offsets = [r.place.offset for r in member.records if r.place.partition == partition]
            assert sorted(offsets) == offsets
        member.close()

    def test_a_member_without_room_keeps_its_place_and_misses_nothing(self, log: Log):
        topic = make_topic(log, 1)
        send_all(log, topic, MANY[:5])
        member = Member(log, make_group(), [topic])

        until(lambda: member.poll(limit=0) == [] and member.owned)
        assert all(member.poll(limit=0) == [] for _ in range(5))

        poll_until(lambda: len(member.records) >= 5, member)
        assert member.values() == [value for _, value in MANY[:5]]
        member.close()

    def test_a_paused_partition_gives_its_records_later_and_stops_no_other(self, log: Log):
        topic = make_topic(log, 2)
        places = send_all(log, topic, MANY)
        paused = Partition(topic, 0)
        others = [place for place in places if place.partition != paused]
        member = Member(log, make_group(), [topic])
        until(lambda: member.poll(limit=0) == [] and len(member.owned) == 2)

        while len(member.records) < len(others):
            until(lambda: member.poll(limit=3, paused=frozenset({paused})))
        assert [record.place for record in member.records] == others
        assert member.poll(paused=frozenset({paused})) == []

        poll_until(lambda: len(member.records) >= len(MANY), member)
        assert sorted(record.place for record in member.records) == sorted(places)
        member.close()

    def test_the_next_member_goes_on_behind_the_commit(self, log: Log, other_log: Log):
        topic, group = make_topic(log, 1), make_group()
        places = send_all(log, topic, MANY[:10])
        partition = Partition(topic, 0)
        note = "done above: \u00e9" + "x" * 4000
        first = Member(log, group, [topic])
        poll_until(lambda: len(first.records) >= 10, first)
        commit = Commit(offset=places[4].offset, note=note)

        poll_until(lambda: first.reader.commit({partition: commit}), first)
        assert first.reader.committed(partition) == commit
        first.close()

        second = Member(other_log, group, [topic])
        poll_until(lambda: len(second.records) >= 6, second)
        assert [record.place for record in second.records] == places[4:]
        assert second.reader.committed(partition) == commit
        second.close()

    def test_what_was_not_committed_comes_again(self, log: Log):
        topic, group = make_topic(log), make_group()
        send_all(log, topic, MANY)
        first = Member(log, group, [topic])
        poll_until(lambda: len(first.records) >= len(MANY), first)
        first.close()

        second = Member(log, group, [topic])

        poll_until(lambda: len(second.records) >= len(MANY), second)
        assert Counter(second.values()) == Counter(first.values())
        second.close()

    def test_groups_do_not_disturb_each_other(self, log: Log):
        topic = make_topic(log, 1)
        places = send_all(log, topic, MANY[:10])
        one, two = Member(log, make_group(), [topic]), Member(log, make_group(), [topic])
        partition = Partition(topic, 0)

        poll_until(lambda: len(one.records) >= 10 and len(two.records) >= 10, one, two)
        done = Commit(offset=places[-1].offset + 1)
        poll_until(lambda: one.reader.commit({partition: done}), one, two)

        assert one.reader.committed(partition) == done
        assert two.reader.committed(partition) is None
        one.close()
        two.close()

    def test_the_lag_counts_what_is_behind_the_commit(self, log: Log):
        topic, group = make_topic(log, 1), make_group()
        places = send_all(log, topic, MANY[:10])
        member = Member(log, group, [topic])
        partition = Partition(topic, 0)
        poll_until(lambda: len(member.records) >= 10, member)

        poll_until(lambda: dict(member.reader.lag()) == {partition: 10}, member)
        commit = Commit(offset=places[7].offset)
        poll_until(lambda: member.reader.commit({partition: commit}), member)

        poll_until(lambda: dict(member.reader.lag()) == {partition: 3}, member)
        assert dict(member.reader.blocked()) == {}
        member.close()

    def test_where_a_group_stands_is_known_without_joining(self, log: Log, other_log: Log):
        topic, group = make_topic(log, 2), make_group()
        send_all(log, topic, MANY)
        member = Member(log, group, [topic])
        poll_until(lambda: len(member.records) >= len(MANY), member)
        before = other_log.offsets(group, topic)

        done = Commit(offset=before.ends[1])
        poll_until(lambda: member.reader.commit({Partition(topic, 1): done}), member)

        assert dict(before.committed) == {}
        assert sum(before.ends.values()) == len(MANY)
        after = other_log.offsets(group, topic)
        assert (dict(after.committed), after.ends) == ({1: done.offset}, before.ends)
        member.close()
