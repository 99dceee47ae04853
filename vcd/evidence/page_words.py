"""Say in plain words what the page shows: verdicts, reasons, hints, what stopped a candidate.

A sentence is a list of parts: text of ours as strings, names from outside as lists of one, so
that the page can set a name apart from the words around it:

    ["12.4 s to 31.0 s of the upload match 80.1 s to 99.0 s of ", ["harbour"]]
"""

import math
import unicodedata
from collections.abc import Callable, Sequence

from vcd.core import Hint, Interval, Match, MatchEvidence, MatchReport, Rejection, total_length_s

__all__ = [
    "Sentence",
    "hint_name",
    "hint_words",
    "match_reasons",
    "match_sentence",
    "rejection_sentence",
    "skip_name",
    "skip_words",
    "verdict_sentence",
]

Sentence = list[str | list[str]]

_SKIPPED = {
    "undecodable": "could not be decoded",
    "uninformative": "nearly uniform pictures, which could match anything",
    "over_limit": "beyond the limit of length",
    "excluded": "excluded by somebody",
}
_SKIP_NAMES = {"uninformative": "nearly uniform", "over_limit": "too long"}

_VIEWS = (
    "the whole picture",
    "the mirrored picture",
    "the picture inside its borders",
    "the left part of the picture",
    "the right part of the picture",
    "the top part of the picture",
    "the bottom part of the picture",
    "the inset picture",
    "what is beside the inset picture",
)
"""Names of the views by number, as in the glossary."""

_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode categories of what moves or hides the text around it."""

_LONG_S = 600.0
"""Moments from here on are told as players do: nobody finds second 4,512 by hand."""

_ONE_PICTURE = "its pictures are so alike that they count as one"

_LEVELS = (0.9, 0.8, 0.7, 0.6, 0.5)
"""Round similarities: a match is told by the highest that at least half of its seconds reach."""


def verdict_sentence(report: MatchReport, duration_s: float | None) -> Sentence:
    """Say what was found, never "no match" of what could not be looked at."""
    if report.refused is not None:
        return ["Nothing of it could be looked at: ", [report.refused]]
    looked = f"the {_length(total_length_s(report.examined))} that were looked at"
    if duration_s is not None and not _is_partial(report):
        looked = f"its {_length(duration_s)}" if duration_s else "the picture"
    if not report.matches and report.skipped and not report.examined:
        return ["Nothing of it could be looked at: nobody knows whether it is a copy."]
    if not report.matches:
        return [f"No match in {looked}, among {_counted(report.num_refs, 'reference')}."]
    copied_s = total_length_s([match.query for match in report.matches])
    share = f" ({_percent(copied_s / duration_s)})" if duration_s else ""
    refs = len({match.ref_id for match in report.matches})
    if duration_s == 0:
        found = _counted(refs, "reference")
        return [f"The picture matches {found}; the best score is {report.matches[0].score:.2f}."]
    stretches = _counted(len(report.matches), "stretch", "stretches")
    matched = "matches" if len(report.matches) == 1 else "match"
    return [
        f"{stretches} of {looked} {matched} {_counted(refs, 'reference')}: "
        f"{_length(copied_s)}{share} in all; the best score is {report.matches[0].score:.2f}."
    ]


def match_sentence(match: Match, *, is_picture: bool = False) -> Sentence:
    """``12.4 s to 31.0 s of the upload match 80.1 s to 99.0 s of harbour``; hints may follow it."""
    upload = "The picture matches" if is_picture else f"{_stretch(match.query)} of the upload match"
    return [f"{upload} {_stretch(match.ref)} of ", [match.ref_id]]


def match_reasons(match: Match, evidence: MatchEvidence, min_score: float | None) -> list[str]:
    """Say what the match rests on, a clause each."""
    asked = "" if min_score is None else f", where {min_score:.2f} is the threshold"
    reasons = [f"a score of {match.score:.2f}{asked}"]
    similar = [pair.similarity for pair in evidence.per_second if pair.similarity is not None]
    if similar:
        level, reached = _level(similar)
        reasons.append(
            f"{reached} of {_counted(len(evidence.per_second), 'second')} "
            f"at a similarity of {level:g} or more"
        )
    own = round(evidence.num_independent)
    reasons.append(
        f"about {_counted(own, 'picture')} unlike each other" if own > 1 else _ONE_PICTURE
    )
    if evidence.line is not None:
        reasons.append(
            f"both run in step: half of the frames to within {evidence.line.residual_s:.2f} s"
        )
    for number, whose in ((evidence.query_view, "upload"), (evidence.ref_view, "reference")):
        if number != 0:
            reasons.append(f"found in {_view(number)} of the {whose}")
    return reasons


def hint_name(hint: Hint) -> str:
    """Name what was done in a word or two, without how much: for lists of many uploads."""
    return _HINT_NAMES.get(hint.kind, _word(hint.kind.replace("_", " ")))


def hint_words(hint: Hint) -> str:
    """Say one thing that seems to have been done to the copy; an unknown kind by its name."""
    if hint.kind == "mirrored":
        return "mirrored"
    form = _HINTS.get(hint.kind)
    if form is None or hint.value is None:
        known = _word(hint.kind.replace("_", " "))
        return known if hint.value is None else f"{known} ({hint.value:g})"
    return form(hint.value)


def skip_name(reason: str) -> str:
    """Name why a stretch was not looked at in a word or two: for lists of many uploads."""
    return _SKIP_NAMES.get(reason, _word(reason))


def skip_words(reason: str) -> str:
    """Say why a stretch was not looked at; an unknown reason by its name."""
    return _SKIPPED.get(reason, _word(reason))


def rejection_sentence(rejection: Rejection) -> str:
    """``score 0.31 is below 0.45``: what was found and what the rule asks for."""
    form = _RULES.get(rejection.rule)
    if form is None:
        return (
            f"rule {_word(rejection.rule)}: {rejection.value:g}, the limit is {rejection.limit:g}"
        )
    return form(rejection.value, rejection.limit)


def _word(text: str) -> str:
    """Say a word that is not ours, and spell what would turn the line around that it stands in."""
    signs = [
        f"\u27e8U+{ord(sign):04X}\u27e9" if unicodedata.category(sign) in _UNSEEN else sign
        for sign in text
    ]
    return "".join(signs)


def _speed(slope: float) -> str:
    return f"sped up to {slope:.3g}x" if slope > 1 else f"slowed down to {slope:.3g}x"


_HINTS: dict[str, Callable[[float], str]] = {
    "speed": _speed,
    "cropped": lambda left: f"cropped, about {_percent(left)} of the picture is left",
    "padded": lambda share: f"borders around it, about {_percent(share)} of the picture",
    "inset": lambda share: f"a picture in the picture, about {_percent(share)} of it",
    "stacked": lambda share: f"beside another picture, on about {_percent(share)} of the whole",
    "overlaid": lambda share: f"something lies over about {_percent(share)} of it",
    "colour": lambda change: f"colours changed, by about {_percent(change)}",
}

_HINT_NAMES = {
    "inset": "picture in picture",
    "padded": "borders",
    "stacked": "beside another",
    "colour": "colours changed",
}

_RULES: dict[str, Callable[[float, float], str]] = {
    "min_pair_hits": lambda value, limit: (
        f"{value:.0f} similar {'pair' if value == 1 else 'pairs'} of frames; {limit:.0f} are needed"
    ),
    "min_pair_score": lambda value, limit: (
        f"the best pair of frames has {value:.2f}; {limit:.2f} is needed"
    ),
    "min_frames": lambda value, limit: (
        f"{value:.0f} {'frame' if value == 1 else 'frames'} on a common path; "
        f"{limit:.0f} are needed"
    ),
    "min_length": lambda value, limit: f"{value:.1f} s long; {limit:.1f} s are needed",
    "min_score": lambda value, limit: "score {} is below {}".format(*_apart(value, limit)),
    "max_overlap": lambda value, limit: (
        f"a better match covers {_percent(value)} of it already; up to {_percent(limit)} may be"
    ),
}


def _is_partial(report: MatchReport) -> bool:
    return bool(report.skipped or report.num_stretches_left_out)


def _apart(value: float, limit: float) -> tuple[str, str]:
    """Write two numbers with as few digits, two or more, as show that they differ."""
    for digits in (2, 3):
        told = f"{value:.{digits}f}", f"{limit:.{digits}f}"
        if told[0] != told[1]:
            return told
    return f"{value:.5f}", f"{limit:.5f}"


def _level(similar: Sequence[float]) -> tuple[float, int]:
    counts = [(level, sum(value >= level for value in similar)) for level in _LEVELS]
    fitting = [(level, count) for level, count in counts if 2 * count >= len(similar)]
    return fitting[0] if fitting else counts[-1]


def _view(number: int) -> str:
    return _VIEWS[number] if 0 <= number < len(_VIEWS) else f"view {number}"


def _stretch(interval: Interval) -> str:
    return f"{_clock(interval.start_s)} to {_clock(interval.end_s)}"


def _clock(moment_s: float) -> str:
    """``75.2 s``; from ten minutes on ``12:05.2``, ``1:02:03.4``."""
    if moment_s < _LONG_S:
        return f"{moment_s:.1f} s"
    minutes, tenths = divmod(round(10 * moment_s), 600)
    hours, minutes = divmod(minutes, 60)
    clock = f"{hours}:{minutes:02d}" if hours else str(minutes)
    return f"{clock}:{tenths / 10:04.1f}"


def _length(length_s: float) -> str:
    """``31.0 s``, ``1 min 31 s``, ``2 h 5 min``."""
    if length_s < 60:
        return f"{length_s:.1f} s"
    minutes, seconds = divmod(round(length_s), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [(hours, "h"), (minutes, "min"), (0 if hours else seconds, "s")]
    return " ".join(f"{number} {unit}" for number, unit in parts if number)


def _percent(share: float) -> str:
    """Round halves up, as the page's own program does: one share is one number everywhere."""
    return f"{math.floor(100 * share + 0.5)} %"


def _counted(number: int, noun: str, plural: str = "") -> str:
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
