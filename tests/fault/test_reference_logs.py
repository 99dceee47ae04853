"""A view of the references on the logs themselves: a SQLite file, and Kafka."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import cast
from uuid import uuid4

import pytest

from tests.factories import SPACE
from tests.reference_log import RATE_HZ, DeadLetters, change_of, wait_for
from vcd.search import SearchSettings
from vcd.stream.address import open_log
from vcd.stream.log import Log, Tail, TopicSpec
from vcd.stream.messages.envelope import encode_reference
from vcd.stream.references.descriptor_store import DescriptorStore
from vcd.stream.references.index import IndexTerms
from vcd.stream.references.view import ReferenceView
from vcd.stream.settings import KafkaSettings, StreamSettings
from vcd.stream.topics import REFERENCES

TERMS = IndexTerms(space=SPACE, rate_hz=RATE_HZ, weights="test")


class TopicOfOurOwn:
    """A log whose topic of references bears a name that no other test uses."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self.address = log.address
        self.name = f"references-{uuid4().hex[:8]}"
        log.create_topics([TopicSpec(name=self.name, num_partitions=1, is_compacted=True)])

    def identity(self) -> str:
        return self._log.identity()

    def topics(self) -> Mapping[str, int]:
        return {REFERENCES: self._log.topics()[self.name]}

    def tail(self, topic: str, *, start: Mapping[int, int] | None = None) -> Tail:
        return self._log.tail(self.name, start=start)


@pytest.fixture(params=["sqlite", pytest.param("kafka", marks=pytest.mark.kafka)])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Log]:
    address = f"sqlite:{tmp_path / 'bus.db'}"
    if request.param == "kafka":
        address = request.getfixturevalue("kafka_address")
    log = open_log(address, stream=StreamSettings(), kafka=KafkaSettings())
    yield log
    log.close()


@pytest.mark.slow
def test_changes_take_effect_and_survive_a_restart(log: Log, tmp_path: Path) -> None:
    ours, store = TopicOfOurOwn(log), DescriptorStore(str(tmp_path / "store"))
    writer, dead = log.writer(), DeadLetters()

    def send(changes: Sequence[tuple[str, int | None]]) -> int:
        sent = [
            writer.send(
                ours.name,
                key=ref_id.encode(),
                value=None
                if seed is None
                else encode_reference(change_of(store, ref_id, seed=seed)),
            )
            for ref_id, seed in changes
        ]
        return max(each.result(30.0).offset for each in sent) + 1

    def opened() -> ReferenceView:
        return ReferenceView(
            cast(Log, ours),
            tmp_path / "index",
            TERMS,
            search=SearchSettings(),
            store=store,
            refuse=dead,
        )

    send([("a", 0), ("b", 0)])
    with opened() as view:
        assert view.wait_until_caught_up(60.0)
        end = send([("c", 0), ("a", None), ("b", 1), ("c", None), ("d", 0)])
        wait_for(lambda: view.offset == end, 60.0)
        assert view.current().ref_ids == ("b", "d")
        version = view.current().version
    end = send([("d", None), ("e", 0)])
    with opened() as view:
        assert view.wait_until_caught_up(60.0)
        assert (view.current().ref_ids, view.offset) == (("b", "e"), end)
        send([("e", None), ("d", 0)])
        wait_for(lambda: view.current().version == version, 60.0)
        wait_for(lambda: (view.age_s() or 99.0) < 5.0)
    writer.close(10.0)
    assert dead.reasons == []
