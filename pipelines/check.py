"""`vcd check`: say which stretches of which references each upload copies."""

import argparse
import contextlib
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipelines import console
from pipelines.check_evidence import explaining, open_evidence, unexplained
from pipelines.cli import verb_parser
from pipelines.detection import (
    denser_for,
    open_dense_pool,
    refuse_other_space,
    requests_for,
)
from pipelines.evidence_bundle import EvidenceFolder, make_evidence_folder
from pipelines.items import Item, Items, find_items
from pipelines.matching import Matcher, open_matcher
from pipelines.report_files import MATCH_WRITERS, ReportLog, reports_document, write_matches
from pipelines.report_lines import report_sentences
from vcd.core import Descriptors, Examination, Index, MatchReport
from vcd.core.codec import encode_matches, json_number
from vcd.detector import Detector
from vcd.media import DecodePool
from vcd.search import open_index, read_info

__all__ = ["main"]

_ABOUT = """\
Say which stretches of which references each upload copies.

  vcd check uploads/ --index refs.index --out matches.csv

PATH is a video, an image, or a folder. With --out, each upload's report is kept in
FILE.reports.jsonl as soon as it is done; the same command again does only what is left.
With --evidence, DIR gets a folder an upload that shows why: the line of each match, its similarity
second by second, pictures and clips of both sides, what was not looked at. See it with `vcd review`
and make it again with `vcd verify`."""


def main(argv: Sequence[str]) -> int:
    """Run the verb; see ``vcd check --help``."""
    arguments = _parse(argv)
    info = read_info(arguments.index)
    overrides: dict[str, object] = {
        "describe.weights": info.weights,
        "media.rate_hz": info.rate_hz,
    }
    if arguments.min_score is not None:
        overrides["align.min_score"] = arguments.min_score
    if arguments.views is not None:
        overrides["views.mode"] = arguments.views
    items = find_items(arguments.paths)
    if arguments.evidence is not None:
        make_evidence_folder(arguments.evidence)
    with contextlib.ExitStack() as stack:
        matcher = stack.enter_context(
            open_matcher(arguments.config, overrides, index=arguments.index, factory=info.factory)
        )
        if arguments.evidence is not None:
            matcher = explaining(matcher)
        refuse_other_space(arguments.index, info, matcher.detector)
        index = open_index(arguments.index, matcher.detector.search, matcher.derivation)
        run = _Run(
            matcher=matcher,
            dense_pool=stack.enter_context(open_dense_pool(arguments.config)),
            index=index,
            log=stack.enter_context(_open_log(arguments.out)),
            evidence=stack.enter_context(open_evidence(arguments, matcher=matcher, index=index)),
        )
        with console.progress("checking", total=len(items)) as progress:
            for report in run.check(items, rate_hz=info.rate_hz):
                progress.advance(report.query_id)
    reports = [run.reports[item.id] for item in items]
    _publish(arguments, reports, run.summary())
    note = f"{_found(reports)}; {run.threshold}"
    console.say(run.outcome.closing_line(done="checked", note=note))
    return run.outcome.exit_code


@dataclass(kw_only=True)
class _Run:
    """One pass over the uploads: each is reported before the next is waited for.

    Attributes:
        matcher: describes and matches.
        dense_pool: decodes stretches again while the detector's pool is at the next videos.
        index: the references.
        log: where reports are kept; None keeps none.
        evidence: where it is shown why; None shows nothing.
        reports: what was said so far, by query id.
        outcome: counts for the closing line.
    """

    matcher: Matcher
    dense_pool: DecodePool
    index: Index
    log: ReportLog | None
    evidence: EvidenceFolder | None = None
    reports: dict[str, MatchReport] = field(default_factory=dict)
    outcome: console.Outcome = field(default_factory=console.Outcome)

    @property
    def detector(self) -> Detector:
        return self.matcher.detector

    @property
    def threshold(self) -> str:
        """``at 0.47: precision 0.990 (0.981-0.996) expected, ...``, where that was measured."""
        if self.matcher.threshold is not None:
            return self.matcher.threshold.sentence
        min_score = self.detector.align.min_score
        if min_score == -math.inf:
            return "every match however weak"
        return f"at {min_score:.4g}: expected precision not measured (`vcd eval calibrate`)"

    def check(self, items: Items, *, rate_hz: float) -> Iterator[MatchReport]:
        """Report on each item; what an earlier run reported under the same identity is kept."""
        late: list[Examination] = []
        requests = requests_for(
            items,
            self.detector,
            rate_hz=rate_hz,
            is_wanted=lambda item, sha256: not self._resume(item, sha256),
            on_refused=late.append,
        )
        for examination, descriptors in self.detector.describe(requests):
            yield self._report(examination, descriptors)
        for examination in late:
            yield self._report(examination, self._nothing(examination.video_id))

    def _resume(self, item: Item, sha256: str) -> bool:
        known = self.log.known(item.id) if self.log else None
        identity = (item.id, sha256, self.index.version, self.detector.settings_digest)
        if known is None or known.refused is not None or known.identity != identity:
            return False
        if self.evidence and not self.evidence.holds(known):
            return False
        self.reports[item.id] = known
        self.outcome.num_unchanged += 1
        return True

    def _report(self, examination: Examination, descriptors: Descriptors) -> MatchReport:
        denser = None
        if examination.refused is None:
            denser = denser_for(self.detector, self.dense_pool, examination, descriptors)
        report = self.detector.match(examination, descriptors, self.index, denser=denser)
        if report.refused is None:
            self.outcome.num_done += 1
        else:
            self.outcome.refuse(report.query_id, report.refused)
        if self.evidence:
            for why in self.evidence.write(examination, descriptors, report):
                console.say(f"{report.query_id}: {why}")
            report = unexplained(report)
        if self.log:
            self.log.append(report)
        self.reports[report.query_id] = report
        return report

    def _nothing(self, video_id: str) -> Descriptors:
        return Descriptors.empty(video_id, self.detector.describer.space)

    def summary(self) -> dict[str, Any]:
        """Counts and versions, for ``--json``."""
        fit, threshold = self.detector.fit, self.matcher.threshold
        return {
            "num_queries": len(self.reports),
            "num_checked": self.outcome.num_done,
            "num_resumed": self.outcome.num_unchanged,
            "num_refused": len(self.outcome.refused),
            "num_matches": sum(len(report.matches) for report in self.reports.values()),
            "num_refs": len(self.index.ref_ids),
            "index_version": self.index.version,
            "settings_digest": self.detector.settings_digest,
            "threshold_digest": self.matcher.threshold_digest,
            "fit": None if fit is None else fit.digest,
            "min_score": json_number(self.detector.align.min_score),
            "expected_precision": threshold and list(threshold.expected_precision),
        }


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = verb_parser("check", _ABOUT)
    parser.add_argument(
        "paths", nargs="+", type=Path, metavar="PATH", help="videos, images or folders"
    )
    parser.add_argument("--index", required=True, type=Path, metavar="DIR", help="the references")
    parser.add_argument("--out", type=Path, metavar="FILE", help=".csv, .json or .parquet")
    parser.add_argument("--json", action="store_true", help="print reports as JSON")
    parser.add_argument(
        "--min-score",
        type=float,
        metavar="S",
        help="report matches from this score on (default: the index's own); --min-score=-inf: all",
    )
    parser.add_argument(
        "--views",
        choices=("auto", "off"),
        help="look also at the parts of a frame: insets, stacks, what borders leave (default auto)",
    )
    parser.add_argument(
        "--evidence", type=Path, metavar="DIR", help="write why, a folder an upload"
    )
    arguments = parser.parse_args(argv)
    if arguments.out is not None and arguments.out.suffix not in MATCH_WRITERS:
        parser.error(f"--out wants {', '.join(MATCH_WRITERS)}, got {arguments.out.name}")
    if arguments.evidence is not None:
        place = arguments.evidence.resolve()
        for path in arguments.paths:
            if place == path.resolve() or path.resolve() in place.parents:
                parser.error(
                    f"--evidence wants a folder outside {path}: its pictures and clips "
                    "would be checked as uploads"
                )
    return arguments


@contextlib.contextmanager
def _open_log(out: Path | None) -> Iterator[ReportLog | None]:
    if out is None:
        yield None
        return
    log = ReportLog(out.with_name(out.name + ".reports.jsonl"))
    try:
        yield log
    finally:
        log.close()


def _publish(
    arguments: argparse.Namespace, reports: Sequence[MatchReport], summary: dict[str, Any]
) -> None:
    if arguments.out is not None:
        write_matches(arguments.out, reports, summary)
    if arguments.json:
        console.print_json(reports_document(reports, summary))
    elif arguments.out is None and not sys.stdout.isatty():
        matches = (match for report in reports for match in report.matches)
        sys.stdout.write(encode_matches(matches))
    elif sys.stdout.isatty():
        for report in reports:
            print("\n".join(report_sentences(report)))


def _found(reports: Sequence[MatchReport]) -> str:
    num_matches = sum(len(report.matches) for report in reports)
    num_with = sum(bool(report.matches) for report in reports)
    partly = sum(bool(r.skipped) and r.refused is None for r in reports)
    found = f"{console.counted(num_matches, 'match')} in {console.counted(num_with, 'upload')}"
    return found + (f"; {partly} not examined in full" if partly else "")
