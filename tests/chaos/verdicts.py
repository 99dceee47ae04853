"""Read what a storm left on the bus, and say what is wrong with it."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.chaos.plan import Planned
from vcd.core.codec import decode_report, encode_report
from vcd.stream.log import Log, Place, Record
from vcd.stream.messages.dead_letters import list_dead_letters
from vcd.stream.messages.readback import ends_of, records_until
from vcd.stream.topics import LANES, REPORTS

__all__ = ["Account", "read_account"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What became of every message.

    Attributes:
        num_reports: report records, repeated ones included.
        num_repeated: of them, those said before under the same identity.
        dead_letters: reason -> how many, each message once.
        faults: sentences; empty when all is as promised.
    """

    num_reports: int
    num_repeated: int
    dead_letters: Mapping[str, int] = field(default_factory=dict)
    faults: tuple[str, ...] = ()


def read_account(log: Log, group: str, planned: Sequence[Planned]) -> Account:
    """Compare what was sent with what came of it.

    Each message must have ended as exactly one verdict (all reports under its key equal but for
    the time they took) or exactly one dead letter identity, never both and never neither.
    """
    reports = _reports(read_all(log, REPORTS))
    letters = {letter.source: letter.reason for letter in list_dead_letters(log)}
    sent = _sent(log, planned)
    faults = _not_committed(log, group)
    faults += [f"{each.key!r} is not on the bus" for each in planned if each not in sent.values()]
    for place, each in sent.items():
        verdicts = reports.get(each.key or b"", ())
        faults += _wrong(place, each, verdicts, letters.get(place))
    faults += [f"{place}: a dead letter of what was never sent" for place in letters.keys() - sent]
    num_reports = sum(map(len, reports.values()))
    return Account(
        num_reports=num_reports,
        num_repeated=num_reports - len(reports),
        dead_letters=dict(Counter(letters.values())),
        faults=tuple(faults),
    )


def read_all(log: Log, topic: str) -> list[Record]:
    """Read a topic from its beginning to its present end."""
    return list(records_until(log, topic, ends_of(log, topic)))


def _sent(log: Log, planned: Sequence[Planned]) -> dict[Place, Planned]:
    """Find each message where it came to lie; one that was sent twice lies in two places."""
    known = {(each.topic, each.key, each.value): each for each in planned}
    return {
        record.place: known[topic, record.key, record.value]
        for topic in LANES.values()
        for record in read_all(log, topic)
        if record.value is not None
    }


def _reports(records: Sequence[Record]) -> dict[bytes, list[str]]:
    found: dict[bytes, list[str]] = defaultdict(list)
    for record in records:
        if record.value is not None:
            report = decode_report(record.value, origin=str(record.place))
            found[record.key or b""].append(encode_report(report, with_elapsed=False))
    return dict(found)


def _wrong(
    place: Place, planned: Planned, verdicts: Sequence[str], letter: str | None
) -> list[str]:
    said = f"{planned.key!r} ({planned.kind}, {place})"
    ends = ["report"] * len(set(verdicts)) + ["dead_letter"] * (letter is not None)
    if len(ends) != 1:
        return [f"{said}: wanted one end, got {ends or 'none'} {letter or ''}"]
    if planned.ends_as not in ("either", ends[0]):
        return [f"{said}: wanted {planned.ends_as}, got {ends[0]} {letter or ''}"]
    return []


def _not_committed(log: Log, group: str) -> list[str]:
    faults = []
    for topic in LANES.values():
        offsets = log.offsets(group, topic)
        for index, end in offsets.ends.items():
            committed = offsets.committed.get(index, 0)
            if committed != end:
                faults.append(f"{topic}/{index}: committed {committed}, but it ends at {end}")
    return faults
