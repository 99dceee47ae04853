"""What the judged matches of an index say of its threshold: how often it is right, which is better.

Only matches scored under the terms of today count, of references and stretches that can still
match. docs/design/evidence.md says what reviewers' decisions cannot show.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipelines import console
from pipelines.matching import open_matcher
from pipelines.results import provenance
from vcd.core import Calibration, DescriptorSpace, InputError
from vcd.core.finding_documents import json_number
from vcd.evaluation.calibration import PrecisionCurve, choose_threshold, num_needed
from vcd.evaluation.judged import JudgedMatches, judged_curve, judged_from
from vcd.evidence import JUDGED_NAME, Decision, DecisionTerms
from vcd.search import IndexInfo, read_info

__all__ = ["Judgement", "judge", "threshold_of"]

_MAX_POINTS = 200
_WISHED = 0.99
"""What `vcd eval calibrate` asks for as well, where nobody wishes."""

_DATA = "reviewers' decisions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The judged matches that count today.

    Attributes:
        file: where all decisions are kept.
        info: what the index holds.
        terms: of today; ``min_score`` is the threshold.
        matches: that were judged to be a copy or not, under these terms.
        num_other_terms: judged matches whose scores are not comparable.
        num_gone: judged matches of a reference or a stretch that cannot match any more.
    """

    file: Path
    info: IndexInfo
    terms: DecisionTerms
    matches: JudgedMatches
    num_other_terms: int
    num_gone: int

    @property
    def at_threshold(self) -> PrecisionCurve:
        """What is measured from the threshold of today on: one row, or none."""
        return judged_from(self.matches, self.terms.min_score)

    def sentences(self, wished: float | None) -> list[str]:
        """Say how often matches were right, and what it would take to show more."""
        curve, sentences = self.at_threshold, []
        from_here = f"at {self.terms.min_score:.4g} or above"
        if len(curve) == 0:
            sentences.append(
                f"no match {from_here} is judged: how often they are right is not known"
            )
        else:
            num, share = int(curve.num_matches[0]), float(curve.precision[0])
            sentences.append(
                f"of {console.counted(num, 'judged match')} {from_here} {round(share * num)} were "
                f"right: precision {share:.3f} ({curve.low[0]:.3f}-{curve.high[0]:.3f})"
            )
            sentences += _missing(wished or _WISHED, shown=float(curve.low[0]))
        left_out = {
            "under other weights or settings": self.num_other_terms,
            "of what was replaced, removed or excluded since": self.num_gone,
        }
        told = [f"{number} {which}" for which, number in left_out.items() if number]
        if told:
            sentences.append(f"judged matches that do not count: {', '.join(told)}")
        return sentences

    def document(self) -> dict[str, Any]:
        """Say the same in JSON."""
        curve = self.at_threshold
        measured = [curve.precision, curve.low, curve.high]
        return {
            "min_score": json_number(self.terms.min_score),
            "num_judged": int(curve.num_matches[0]) if len(curve) else 0,
            "num_right": curve.num_true,
            "precision": [float(column[0]) for column in measured] if len(curve) else None,
            "num_other_terms": self.num_other_terms,
            "num_gone": self.num_gone,
        }


def judge(index: Path, config: Path | None, judged: Sequence[Decision]) -> Judgement:
    """Choose the judged matches that count today.

    Args:
        index: its directory.
        config: settings file.
        judged: all that are kept with the index, one of each match.

    Raises:
        SetupError: the weights, or what is stored with the index, cannot be used.
    """
    info = read_info(index)
    overrides: dict[str, object] = {
        "describe.weights": info.weights,
        "media.rate_hz": info.rate_hz,
    }
    with open_matcher(config, overrides, index=index, factory=info.factory) as matcher:
        fit = matcher.detector.fit
        space = info.space if matcher.derivation is None else matcher.derivation.space
        terms = DecisionTerms(
            rate_hz=info.rate_hz,
            threshold_digest=matcher.threshold_digest,
            fit_digest=None if fit is None else fit.digest,
            min_score=matcher.detector.align.min_score,
        )
    verdicts = [each for each in judged if each.verdict != "common_material"]
    alive = [each for each in verdicts if _can_match(info, each)]
    counting = [each for each in alive if _is_comparable(each, terms, space)]
    return Judgement(
        file=index / JUDGED_NAME,
        info=info,
        terms=terms,
        matches=JudgedMatches(
            query_ids=np.array([each.query_sha256 for each in counting], dtype=np.str_),
            score=np.array([each.score for each in counting], dtype=np.float64),
            is_right=np.array([each.verdict == "copy" for each in counting], dtype=np.bool_),
            shown_from=np.array([each.terms.min_score for each in counting], dtype=np.float64),
        ),
        num_other_terms=len(alive) - len(counting),
        num_gone=len(verdicts) - len(alive),
    )


def threshold_of(judgement: Judgement, *, precision: float) -> Calibration:
    """Choose the lowest threshold of a wished precision among the judged scores.

    Raises:
        InputError: there is too little to choose by; says what is missing.
    """
    matches, terms = judgement.matches, judgement.terms
    if not matches.is_right.any():
        raise InputError(
            f"{_DATA}: none of the {len(matches)} judged matches that count is a copy: nothing "
            "to choose a threshold by"
        )
    curve = judged_curve(matches)
    try:
        chosen = choose_threshold(curve, precision=precision)
    except InputError as error:
        raise InputError(f"{_DATA}: {error}") from error
    at = chosen.row
    if not chosen.is_shown:
        console.say(
            f"what was judged cannot show a precision of {precision:g}: the threshold is the "
            f"lowest at which it was measured; what is shown is {curve.low[at]:.3f}"
        )
    console.say("its recall is not known: nobody judged what was not reported")
    return Calibration(
        space=judgement.info.space,
        rate_hz=terms.rate_hz,
        settings_digest=terms.threshold_digest,
        fit_digest=terms.fit_digest,
        precision=precision,
        min_score=float(curve.min_score[at]),
        expected_precision=(
            float(curve.precision[at]),
            float(curve.low[at]),
            float(curve.high[at]),
        ),
        num_queries=len(np.unique(matches.query_ids)),
        num_true=curve.num_true,
        curve=curve.points(_MAX_POINTS),
        made={
            "data": _DATA,
            "is_shown": chosen.is_shown,
            "num_judged": len(matches),
            "recall": "of the judged copies alone",
            **provenance(
                inputs={"decisions": judgement.file},
                settings={
                    "weights": judgement.info.weights,
                    "rate_hz": terms.rate_hz,
                    "index_version": judgement.info.version,
                    "fit": terms.fit_digest,
                },
                spaces={"index": judgement.info.space},
            ),
        },
    )


def _missing(wished: float, *, shown: float) -> list[str]:
    needed = num_needed(wished)
    if shown >= wished:
        return [f"a precision of {wished:g} is shown"]
    takes = "no number of them can" if needed is None else f"that takes {needed} or more"
    return [f"not enough to show a precision of {wished:g}: {takes} uploads, all matches right"]


def _is_comparable(decision: Decision, terms: DecisionTerms, space: DescriptorSpace) -> bool:
    made = decision.terms
    return (decision.space, made.rate_hz, made.threshold_digest, made.fit_digest) == (
        space,
        terms.rate_hz,
        terms.threshold_digest,
        terms.fit_digest,
    )


def _can_match(info: IndexInfo, decision: Decision) -> bool:
    """Tell whether the match could be found again with the score that it had.

    Bounds may reach into an excluded stretch by half a step.
    """
    ref = info.by_id.get(decision.ref_id)
    if ref is None or ref.digest != decision.ref_digest:
        return False
    step_s = 1.0 / info.rate_hz
    return all(decision.ref.overlap_s(each) <= step_s / 2 for each in ref.excluded)
