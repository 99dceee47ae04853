"""What every log promises to who reads a topic for oneself."""

from tests.fault.log_member import (
    MANY,
    gather,
    make_topic,
    send_all,
    until,
)
from vcd.stream.log import Log


class TailContract:
    """Reading everything for oneself."""

    def test_a_tail_sees_what_was_there_and_what_comes(self, log: Log):
        topic = make_topic(log, 1)
        send_all(log, topic, MANY[:3])
        tail = log.tail(topic)

        seen = gather(tail, 3, limit=2)
        send_all(log, topic, MANY[3:5])
        seen += gather(tail, 2, limit=2)

        assert [record.value for record in seen] == [value for _, value in MANY[:5]]
        tail.close()

    def test_a_tail_takes_no_more_than_its_limit(self, log: Log):
        topic = make_topic(log, 2)
        send_all(log, topic, MANY)
        tail = log.tail(topic)

        first = until(lambda: tail.poll(0.2, limit=7))

        assert len(first) <= 7
        assert tail.poll(0.0, limit=0) == []
        tail.close()

    def test_a_tail_goes_on_where_another_was(self, log: Log):
        topic = make_topic(log, 2)
        places = send_all(log, topic, MANY)
        first = log.tail(topic)
        seen = until(lambda: first.poll(0.2, limit=20))
        positions = dict(first.positions())
        first.close()
        second = log.tail(topic, start=positions)

        seen = [*seen, *gather(second, len(MANY) - len(seen))]

        assert sorted(record.place for record in seen) == sorted(places)
        second.close()

    def test_a_tail_that_has_read_all_stands_at_the_ends(self, log: Log):
        topic = make_topic(log, 2)
        places = send_all(log, topic, MANY)
        tail = log.tail(topic)
        ends = dict(tail.ends())

        gather(tail, len(MANY))

        behind_last = {
            index: max(p.offset for p in places if p.partition.index == index) + 1
            for index in (0, 1)
        }
        assert ends == behind_last
        assert dict(tail.positions()) == ends
        tail.close()

    def test_a_tail_of_an_empty_topic_waits_and_gives_nothing(self, log: Log):
        tail = log.tail(make_topic(log, 2))

        assert tail.poll(0.05, limit=10) == []
        assert dict(tail.positions()) == dict(tail.ends()) == {0: 0, 1: 0}
        tail.close()

    def test_a_compacted_topic_tells_the_last_word_on_every_key(self, log: Log):
        topic = make_topic(log, 1, is_compacted=True)
        changes = [(f"ref-{n % 5}".encode(), f"{n}".encode()) for n in range(50)]
        send_all(log, topic, [*changes, (b"ref-0", None), (b"end", b"end")])
        tail = log.tail(topic)
        last: dict[bytes | None, bytes | None] = {}

        while b"end" not in last:
            last.update((record.key, record.value) for record in gather(tail, 1, limit=9))

        assert {key: value for key, value in last.items() if value is not None} == {
            b"ref-1": b"46",
            b"ref-2": b"47",
            b"ref-3": b"48",
            b"ref-4": b"49",
            b"end": b"end",
        }
        tail.close()
