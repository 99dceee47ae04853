"""The matches of an index that reviewers judged: kept beside its contents, one decision a match.

    DIR/decisions.json       checksum of itself; replaced as a whole

The version of the index stays. What an index excludes, and from which score on it reports, are
other files' matters: `vcd feedback` changes those as well.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vcd.evidence.decision_file import decision_from_document, decision_to_document
from vcd.evidence.decisions import Decision, MatchKey
from vcd.search.checked_file import read_checked, write_checked
from vcd.search.layout import as_setup_error
from vcd.search.owner import refuse_followed_index
from vcd.search.publication import WriterLock

__all__ = ["JUDGED_NAME", "Kept", "keep_decisions", "read_judged"]

JUDGED_NAME = "decisions.json"
_FORMAT = "vcd index decisions"
_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What became of decisions that were to be kept.

    Attributes:
        judged: every decision that is kept now, sorted by match.
        num_new: of matches that were not judged before.
        num_unchanged: that say what was known, or were made before what is known.
        changed: what was known and what is now, where the verdict is another.
    """

    judged: tuple[Decision, ...]
    num_new: int
    num_unchanged: int
    changed: tuple[tuple[Decision, Decision], ...]


def read_judged(index: Path) -> tuple[Decision, ...]:
    """Read the decisions that are kept with an index, one of each match; none where none are.

    Raises:
        SetupError: they are damaged, of a newer version, or cannot be read.
    """
    path = index / JUDGED_NAME
    advice = "remove it and give `vcd feedback` all files of decisions again"
    judged = read_checked(path, _judged_from, kind=_FORMAT, version=_VERSION, advice=advice)
    return judged or ()


def keep_decisions(index: Path, decisions: Iterable[Decision]) -> Kept:
    """Keep decisions with an index: of each match the one that was made last.

    Args:
        index: its directory.
        decisions: at most one of each match, as `last_of_each` gives them.

    Raises:
        SetupError: the index follows a log, is being written, or the disk says no.
    """
    refuse_followed_index(index)
    with as_setup_error(f"{index}: the decisions could not be kept with the index"):
        lock = WriterLock(index)
        try:
            before = {decision.key: decision for decision in read_judged(index)}
            kept = _kept(before, tuple(decisions))
            if kept.judged != tuple(before.values()):
                body = {"decisions": [decision_to_document(each) for each in kept.judged]}
                write_checked(index / JUDGED_NAME, body, kind=_FORMAT, version=_VERSION)
        finally:
            lock.release()
    return kept


def _kept(before: dict[MatchKey, Decision], decisions: tuple[Decision, ...]) -> Kept:
    after, changed, num_new = dict(before), [], 0
    for decision in decisions:
        known = before.get(decision.key)
        if known is not None and known.decided_at > decision.decided_at:
            continue
        after[decision.key] = decision
        if known is None:
            num_new += 1
        elif known.verdict != decision.verdict:
            changed.append((known, decision))
    return Kept(
        judged=tuple(after[key] for key in sorted(after)),
        num_new=num_new,
        num_unchanged=len(decisions) - num_new - len(changed),
        changed=tuple(changed),
    )


def _judged_from(body: dict[str, Any]) -> tuple[Decision, ...]:
    return tuple(map(decision_from_document, body["decisions"]))
