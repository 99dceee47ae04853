"""Say how the matches of an upload differ from the same matches found again."""

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import TypeAlias

import numpy as np

from vcd.core import FramePair, Hint, Interval, Match, MatchEvidence, TimeLine
from vcd.evidence.difference_words import TIME_S, apart, is_near, stretch, told, unequal
from vcd.evidence.record import HeatMap

__all__ = ["Mapped", "match_differences"]

Mapped: TypeAlias = tuple[Match, HeatMap]
"""A match and its map."""

_SCORE = 1e-3
_SIMILARITY = 5e-3
_MAP_LEVELS = 2
"""One machine gives the same numbers again, but for the last digit that is kept, which depends on
the videos that were described together. Other processors round otherwise
(docs/design/evidence.md)."""


def match_differences(wanted: Sequence[Mapped], found: Sequence[Mapped]) -> Iterator[str]:
    """Say how the matches of an upload differ from those that were found again, in any order.

    Args:
        wanted: as recorded, each with its map.
        found: as found again, each with its map.
    """
    for ref_id in sorted({match.ref_id for match, _ in (*wanted, *found)}):
        before = _in_time([each for each in wanted if each[0].ref_id == ref_id])
        after = _in_time([each for each in found if each[0].ref_id == ref_id])
        if len(before) != len(after):
            yield told(f"{ref_id}: matches", len(before), len(after))
        for each, other in zip_longest(before, after):
            if each is None or other is None:
                which, match = ("found", other[0]) if each is None else ("recorded", each[0])
                yield f"{ref_id}: only {which}: {stretch(match.query)} of the upload"
                continue
            where = f"{ref_id}, {stretch(each[0].query)} of the upload"
            for sentence in (*_match(each[0], other[0]), *_map(each[1], other[1])):
                yield f"{where}: {sentence}"


def _match(recorded: Match, found: Match) -> Iterator[str]:
    yield from unequal("of the upload", recorded.query_id, found.query_id)
    for side in ("query", "ref"):
        wanted, got = getattr(recorded, side), getattr(found, side)
        name = "stretch of the upload" if side == "query" else "stretch of the reference"
        if not is_near(wanted, got):
            yield told(name, stretch(wanted), stretch(got))
    yield from apart("score", recorded.score, found.score, _SCORE)
    if recorded.evidence is None or found.evidence is None:
        if recorded.evidence is not found.evidence:
            yield "evidence: only one of the two has any"
        return
    yield from _why(recorded.evidence, found.evidence, recorded.query)


def _why(recorded: MatchEvidence, found: MatchEvidence, within: Interval) -> Iterator[str]:
    yield from unequal("view of the upload", recorded.query_view, found.query_view)
    yield from unequal("view of the reference", recorded.ref_view, found.ref_view)
    yield from apart("strength", recorded.strength, found.strength, _SIMILARITY)
    yield from apart(
        "frames that say something of their own",
        recorded.num_independent,
        found.num_independent,
        _SIMILARITY * max(1.0, recorded.num_independent),
    )
    yield from _line(recorded.line, found.line, within)
    yield from _pairs("similarity second by second", recorded.per_second, found.per_second)
    yield from _best(recorded.best, found.best)
    yield from _hints(recorded.hints, found.hints)


def _line(recorded: TimeLine | None, found: TimeLine | None, within: Interval) -> Iterator[str]:
    if recorded is None or found is None:
        if recorded is not found:
            yield told("line", recorded, found)
        return
    off = max(
        abs(recorded.ref_at(time_s) - found.ref_at(time_s))
        for time_s in (within.start_s, within.end_s)
    )
    if not (off <= TIME_S and abs(recorded.residual_s - found.residual_s) <= TIME_S):
        yield told("line", recorded, found)


def _pairs(name: str, recorded: Sequence[FramePair], found: Sequence[FramePair]) -> Iterator[str]:
    if len(recorded) != len(found):
        yield told(f"{name}: entries", len(recorded), len(found))
        return
    for wanted, got in zip(recorded, found, strict=True):
        if not _is_same_pair(wanted, got):
            yield told(f"{name}: at {wanted.query_s:.3f} s", _shown(wanted), _shown(got))
            return


def _best(recorded: Sequence[FramePair], found: Sequence[FramePair]) -> Iterator[str]:
    """The order of pairs that are as good as equal, and which is the last, are chance."""
    if len(recorded) != len(found):
        yield told("best pairs", len(recorded), len(found))
        return
    for place, (wanted, got) in enumerate(zip(recorded, found, strict=True), start=1):
        is_there = any(_is_same_pair(wanted, each) for each in found)
        is_tied = abs((wanted.similarity or 0.0) - (got.similarity or 0.0)) <= _SCORE
        if not is_tied or not (is_there or place == len(recorded)):
            yield told(f"best pair {place}", _shown(wanted), _shown(got))


def _hints(recorded: Sequence[Hint], found: Sequence[Hint]) -> Iterator[str]:
    wanted, got = ({hint.kind: hint.value for hint in hints} for hints in (recorded, found))
    for kind in sorted(wanted.keys() | got.keys()):
        if kind not in wanted or kind not in got:
            yield told(f"hint {kind}", "there" if kind in wanted else "none", _there(kind, got))
        elif (wanted[kind] is None) != (got[kind] is None):
            yield told(f"hint {kind}", wanted[kind], got[kind])
        else:
            yield from apart(f"hint {kind}", wanted[kind] or 0.0, got[kind] or 0.0, _SIMILARITY)


def _there(kind: str, hints: dict[str, float | None]) -> str:
    return "there" if kind in hints else "none"


def _map(recorded: HeatMap, found: HeatMap) -> Iterator[str]:
    if not (is_near(recorded.query, found.query) and is_near(recorded.ref, found.ref)):
        yield told("map: of", stretch(recorded.query), stretch(found.query))
        return
    wanted, got = recorded.similarity_QR, found.similarity_QR
    if wanted.shape != got.shape:
        yield told("map: cells", wanted.shape, got.shape)
        return
    off = np.abs(wanted.astype(np.int16) - got.astype(np.int16))
    if off.size and off.max() > _MAP_LEVELS:
        cell = np.unravel_index(int(off.argmax()), off.shape)
        yield told(f"map: cell {tuple(map(int, cell))}", int(wanted[cell]), int(got[cell]))


def _is_same_pair(wanted: FramePair, got: FramePair) -> bool:
    if (wanted.similarity is None) != (got.similarity is None):
        return False
    off_s = max(abs(wanted.query_s - got.query_s), abs(wanted.ref_s - got.ref_s))
    off = abs((wanted.similarity or 0.0) - (got.similarity or 0.0))
    return off_s <= TIME_S and off <= _SIMILARITY


def _shown(pair: FramePair) -> str:
    known = "unknown" if pair.similarity is None else f"{pair.similarity:.4f}"
    return f"{pair.query_s:.3f} s beside {pair.ref_s:.3f} s, similarity {known}"


def _in_time(matches: list[Mapped]) -> list[Mapped]:
    """Order by where they start, a millisecond more or less being the same."""
    return sorted(
        matches, key=lambda each: (round(each[0].query.start_s, 2), round(each[0].ref.start_s, 2))
    )
