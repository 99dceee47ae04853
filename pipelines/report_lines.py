"""Say what a report holds in plain words."""

from vcd.core import MatchReport

__all__ = ["report_sentences"]


def report_sentences(report: MatchReport) -> list[str]:
    """Say what was found in one upload, a line a match."""
    if report.refused is not None:
        return [f"{report.query_id}: not examined: {report.refused}"]
    if not report.matches:
        return [f"{report.query_id}: nothing copied in {_length(report)}"]
    sentences = [
        f"{m.query_id} {m.query.start_s:.1f}-{m.query.end_s:.1f} s is {m.ref_id} "
        f"{m.ref.start_s:.1f}-{m.ref.end_s:.1f} s, score {m.score:.2f}"
        for m in report.matches
    ]
    if report.num_matches_left_out:
        sentences.append(f"{report.query_id}: {report.num_matches_left_out} weaker matches more")
    return sentences


def _length(report: MatchReport) -> str:
    examined_s = sum(interval.length_s for interval in report.examined)
    skipped_s = sum(skip.interval.length_s for skip in report.skipped)
    skipped = f" ({skipped_s:.1f} s were not)" if skipped_s else ""
    return f"the {examined_s:.1f} s that were examined{skipped}"
