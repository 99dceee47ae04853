"""What `vcd check --evidence` adds to a check: the detector explains, a folder is written."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from pipelines.detection import open_dense_pool
from pipelines.evidence_bundle import EvidenceFolder
from pipelines.matching import Matcher
from vcd.config import counting_settings
from vcd.core import Descriptors, Index, MatchReport, SetupError
from vcd.evidence import Terms, explain_match
from vcd.search import IndexInfo, read_info

__all__ = ["explaining", "open_evidence", "prepared", "terms_of", "unexplained"]


def explaining(matcher: Matcher) -> Matcher:
    """Have each match of a report carry its evidence."""
    return replace(matcher, detector=replace(matcher.detector, explain=explain_match))


def unexplained(report: MatchReport) -> MatchReport:
    """Leave the evidence of matches out: reports are the same with ``--evidence`` and without."""
    return replace(report, matches=tuple(replace(match, evidence=None) for match in report.matches))


@contextmanager
def open_evidence(
    arguments: argparse.Namespace, *, matcher: Matcher, index: Index
) -> Iterator[EvidenceFolder | None]:
    """Start the child that decodes pictures; stop it on the way out.

    Args:
        arguments: ``evidence``, the folder, which exists, or None where nobody wants any;
            ``index`` and ``config``.
        matcher: makes the reports.
        index: the references.

    Raises:
        SetupError: the index was changed since it was opened.
    """
    if arguments.evidence is None:
        yield None
        return
    info = read_info(arguments.index)
    if info.version != index.version:
        raise SetupError(f"{arguments.index}: it was changed while it was opened; try again")
    with open_dense_pool(arguments.config) as pool:
        yield EvidenceFolder(
            path=arguments.evidence,
            settings=matcher.settings.evidence,
            terms=terms_of(matcher, info),
            refs=info.by_id,
            index=index,
            prepare=lambda descriptors: prepared(matcher, descriptors),
            pool=pool,
        )


def prepared(matcher: Matcher, descriptors: Descriptors) -> Descriptors:
    """Make of an upload's raw descriptors what is compared."""
    fit = matcher.detector.fit
    return descriptors if fit is None else fit.prepare_query(descriptors)


def terms_of(matcher: Matcher, info: IndexInfo) -> Terms:
    """Say under which terms scores are made."""
    fit = matcher.detector.fit
    fit_digest = None if fit is None else fit.digest
    return Terms(
        rate_hz=info.rate_hz,
        threshold_digest=matcher.threshold_digest,
        fit_digest=fit_digest,
        factory=info.factory,
        weights=info.weights,
        settings=counting_settings(matcher.settings, factory=info.factory, fit_digest=fit_digest),
    )
