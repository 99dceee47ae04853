"""Hold what became of good and hostile uploads against what had to become of them."""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.mutations import BadFile, is_partial
from tests.chaos.verdicts import read_all
from vcd.core import MatchReport
from vcd.core.codec import decode_report, encode_report
from vcd.stream.log import Log, Place
from vcd.stream.messages.dead_letters import list_dead_letters
from vcd.stream.topics import REPORTS

__all__ = ["HostileAccount", "Sent", "read_hostile_account"]

_GLOSSARY = Path(__file__).parents[2] / "docs" / "glossary.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One upload that was sent.

    Attributes:
        lap: of the trial that it belongs to.
        video_id: never used again.
        path: the file.
        bad: what is wrong with it; None for a good one.
    """

    lap: str
    video_id: str
    path: Path
    bad: BadFile | None = None


@dataclass(kw_only=True)
class HostileAccount:
    """What became of every upload.

    Attributes:
        last_report_s: lap -> when the report of its last good upload was written.
        ends: kind of hostile file -> end -> how many.
        num_repeated: reports that were said before under the same identity.
        num_found: good uploads in which a reference was found.
        num_letters: hostile uploads with one dead letter.
        num_partial: hostile uploads with one report that names what could not be examined.
        faults: sentences; empty when all is as promised.
    """

    last_report_s: dict[str, float] = field(default_factory=dict)
    ends: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    num_repeated: int = 0
    num_found: int = 0
    num_letters: int = 0
    num_partial: int = 0
    faults: list[str] = field(default_factory=list)


def read_hostile_account(log: Log, sent: Mapping[Place, Sent]) -> HostileAccount:
    """Read reports and dead letters to their ends.

    A good upload must have one verdict, with nothing skipped, that finds the same references as
    its file has always found. A hostile one must have one dead letter of its class, or, where a
    part of it can be examined, one report that names the rest.
    """
    account = HostileAccount()
    reports: dict[str, dict[str, tuple[MatchReport, float]]] = defaultdict(dict)
    for record in read_all(log, REPORTS):
        if record.value is not None:
            report = decode_report(record.value, origin=str(record.place))
            verdict = encode_report(report, with_elapsed=False)
            account.num_repeated += verdict in reports[report.query_id]
            reports[report.query_id].setdefault(verdict, (report, record.time_s))
    letters = {letter.source: letter.reason for letter in list_dead_letters(log)}
    found_before: dict[Path, frozenset[str]] = {}
    for place, upload in sent.items():
        verdicts = list(reports[upload.video_id].values())
        if upload.bad is None:
            account.faults += _wrong_good(upload, verdicts, letters.get(place), found_before)
            _note_good(account, upload, verdicts)
        else:
            _note_bad(account, upload, upload.bad, [each for each, _ in verdicts], letters, place)
    account.faults += [f"{place}: a dead letter of nothing" for place in letters.keys() - sent]
    return account


def _wrong_good(
    upload: Sent,
    verdicts: Sequence[tuple[MatchReport, float]],
    letter: str | None,
    found_before: dict[Path, frozenset[str]],
) -> list[str]:
    if len(verdicts) != 1 or letter is not None:
        return [f"{upload.video_id}: wanted one report, got {len(verdicts)} and letter {letter}"]
    report = verdicts[0][0]
    found = frozenset(match.ref_id for match in report.matches)
    expected = found_before.setdefault(upload.path, found)
    if is_partial(report):
        return [f"{upload.video_id}: nothing is wrong with it, but {report.skipped} was skipped"]
    if found != expected:
        return [f"{upload.video_id}: found {sorted(found)}, its file {sorted(expected)} before"]
    return []


def _note_good(
    account: HostileAccount, upload: Sent, verdicts: Sequence[tuple[MatchReport, float]]
) -> None:
    for report, time_s in verdicts:
        account.num_found += bool(report.matches)
        account.last_report_s[upload.lap] = max(account.last_report_s.get(upload.lap, 0.0), time_s)


_ENDS_OF_A_PART = ["report in part", "dead letter uninformative"]
"""The frames that a decoder conceals may be plain grey: then nothing could be looked at."""


def _note_bad(
    account: HostileAccount,
    upload: Sent,
    bad: BadFile,
    verdicts: Sequence[MatchReport],
    letters: Mapping[Place, str],
    place: Place,
) -> None:
    letter = letters.get(place)
    ends = [f"report {'in part' if is_partial(each) else 'in full'}" for each in verdicts]
    ends += [] if letter is None else [f"dead letter {letter or 'without a class'}"]
    account.ends[bad.kind][" and ".join(ends) or "nothing"] += 1
    wanted = [f"dead letter {reason}" for reason in bad.reasons] or _ENDS_OF_A_PART
    if len(ends) != 1 or ends[0] not in wanted:
        account.faults.append(f"{upload.video_id} ({bad.kind}): wanted {wanted}, got {ends}")
    elif letter is None:
        account.num_partial += 1
    elif letter in _known_words():
        account.num_letters += 1
    else:
        account.faults.append(f"{upload.video_id}: {letter} is no word of docs/glossary.md")


def _known_words() -> frozenset[str]:
    return frozenset(re.findall(r"^\| `(\w+)` \|", _GLOSSARY.read_text(), re.MULTILINE))
