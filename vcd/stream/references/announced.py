"""Which references a log has announced, as one who asks now would see it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from vcd.core import InputError
from vcd.stream.log import Log
from vcd.stream.messages.envelope import decode_reference
from vcd.stream.messages.readback import ends_of, records_until
from vcd.stream.messages.records import ReferenceChange
from vcd.stream.topics import REFERENCES

__all__ = ["Announced", "announced_references"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """The last word about each reference.

    Attributes:
        changes: those that are references, by id, sorted.
        unusable: those whose last message cannot be used, by key, with the error.
    """

    changes: Mapping[str, ReferenceChange] = field(default_factory=dict)
    unusable: Mapping[str, InputError] = field(default_factory=dict)


def announced_references(log: Log) -> Announced:
    """Read the whole topic of references, up to where it ends now.

    Raises:
        TransientError: the log does not answer.
    """
    changes: dict[str, ReferenceChange] = {}
    unusable: dict[str, InputError] = {}
    for record in records_until(log, REFERENCES, ends_of(log, REFERENCES)):
        key = (record.key or b"").decode(errors="replace")
        changes.pop(key, None)
        unusable.pop(key, None)
        if record.value is None:
            continue
        try:
            changes[key] = decode_reference(record)
        except InputError as error:
            unusable[key] = error
    return Announced(changes=dict(sorted(changes.items())), unusable=unusable)
