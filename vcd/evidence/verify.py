"""Hold evidence against the same evidence made again, and say every difference in a sentence.

Made again are the report of the upload against the references that its matches name, the evidence
of each match and its map. Pictures, and what they say of the copy, are held by their digests. What
was rejected, and how many references were searched, depends on the other references of the index:
it is not compared.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from vcd.core import Interval, MatchReport, Skipped, Video
from vcd.evidence.difference_words import TIME_S, apart, are_near, listed, told, unequal
from vcd.evidence.match_differences import match_differences
from vcd.evidence.record import EvidenceRecord, HeatMap, RefRecord, Terms

__all__ = ["Rebuilt", "differences", "term_differences"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rebuilt:
    """Evidence that was made again.

    Attributes:
        report: of the upload against the matched references alone; matches have evidence.
        maps: of its matches, in their order.
        refs: what the index says of the matched references, sorted by id; their digest is that
            of the descriptors that were read.
        terms: under which it was made again.
        query: what was found in the upload; None when it was refused before that was known.
    """

    report: MatchReport
    maps: tuple[HeatMap, ...]
    refs: tuple[RefRecord, ...]
    terms: Terms
    query: Video | None


def differences(recorded: EvidenceRecord, rebuilt: Rebuilt) -> tuple[str, ...]:
    """Say in what evidence differs from the same made again; nothing where it agrees.

    Returns:
        A sentence each: what was recorded, what was found.
    """
    return (
        *term_differences(recorded.terms, rebuilt.terms),
        *_refs(recorded.refs, rebuilt.refs),
        *_upload(recorded.report, rebuilt.report),
        *_video("the upload", recorded.query, rebuilt.query),
        *match_differences(
            [*zip(recorded.report.matches, (each.map for each in recorded.matches), strict=True)],
            [*zip(rebuilt.report.matches, rebuilt.maps, strict=True)],
        ),
    )


def term_differences(recorded: Terms, found: Terms) -> tuple[str, ...]:
    """Say in which terms evidence was made otherwise than it would be made again."""
    return tuple(_terms(recorded, found))


def _terms(recorded: Terms, found: Terms) -> Iterator[str]:
    yield from unequal("frames a second", recorded.rate_hz, found.rate_hz)
    yield from unequal("the fit", recorded.fit_digest, found.fit_digest)
    yield from unequal("the FAISS factory of the index", recorded.factory, found.factory)
    wanted, got = dict(recorded.settings), dict(found.settings)
    for key in sorted(wanted.keys() | got.keys()):
        if key != "fit.digest" and _plain(wanted.get(key)) != _plain(got.get(key)):
            yield from unequal(f"the setting {key}", wanted.get(key), got.get(key))
    yield from unequal("settings of digest", recorded.threshold_digest, found.threshold_digest)


def _refs(recorded: Sequence[RefRecord], found: Sequence[RefRecord]) -> Iterator[str]:
    by_id = {ref.video.id: ref for ref in found}
    for ref in recorded:
        name, other = ref.video.id, by_id.get(ref.video.id)
        if other is None:
            yield f"{name}: a reference of the index was recorded, none was found"
            continue
        yield from unequal(
            f"{name}: descriptors of digest",
            ref.descriptor_digest,
            other.descriptor_digest,
        )
        yield from _video(name, ref.video, other.video)
        if not are_near(ref.excluded, other.excluded):
            yield told(f"{name}: excluded", listed(ref.excluded), listed(other.excluded))


def _video(name: str, recorded: Video | None, found: Video | None) -> Iterator[str]:
    """Where a file lies may be another place by now."""
    if recorded is None or found is None:
        if recorded is not found:
            yield told(name, "known" if recorded else "unknown", "known" if found else "unknown")
        return
    yield from unequal(f"{name}: a file of digest", recorded.sha256, found.sha256)
    yield from apart(f"{name}: seconds", recorded.duration_s, found.duration_s, TIME_S)
    size, other = ((each.width_px, each.height_px) for each in (recorded, found))
    yield from unequal(f"{name}: pixels", size, other)


def _upload(recorded: MatchReport, found: MatchReport) -> Iterator[str]:
    yield from unequal("the id of the upload", recorded.query_id, found.query_id)
    yield from unequal("a report of a file", recorded.query_sha256, found.query_sha256)
    yield from unequal("descriptors of space", str(recorded.space), str(found.space))
    yield from unequal("settings of digest", recorded.settings_digest, found.settings_digest)
    if (recorded.refused is None) != (found.refused is None):
        yield told(
            "the upload",
            f"refused ({recorded.refused})" if recorded.refused else "examined",
            f"refused ({found.refused})" if found.refused else "examined",
        )
    if not are_near(recorded.examined, found.examined):
        yield told("examined", listed(recorded.examined), listed(found.examined))
    wanted, got = _by_reason(recorded.skipped), _by_reason(found.skipped)
    for reason in sorted(wanted.keys() | got.keys()):
        before, after = wanted.get(reason, ()), got.get(reason, ())
        if not are_near(before, after):
            yield told(f"skipped as {reason}", listed(before), listed(after))


def _by_reason(skipped: Iterable[Skipped]) -> dict[str, tuple[Interval, ...]]:
    found: dict[str, tuple[Interval, ...]] = {}
    for each in skipped:
        found[each.reason] = (*found.get(each.reason, ()), each.interval)
    return found


def _plain(value: object) -> str:
    """JSON has neither tuples nor infinity: what it makes of them is the same setting."""
    return str(list(value)) if isinstance(value, tuple) else str(value)
