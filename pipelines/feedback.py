"""`vcd feedback`: let what reviewers decided change what an index matches and reports."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipelines import console
from pipelines.cli import verb_parser
from pipelines.feedback_precision import judge, threshold_of
from pipelines.index_calibrate import store_threshold
from pipelines.index_exclude import exclude_stretches, excluded_sentence, merged_stretches
from vcd.core import InputError, Interval, calibration_to_document
from vcd.core.finding_documents import interval_to_document
from vcd.evidence import Decision, Kept, decode_decisions, keep_decisions, last_of_each
from vcd.search import IndexInfo, read_info

__all__ = ["main"]

_ABOUT = """\
Take in what reviewers decided about matches: the files that the page of `vcd review` exports.

  vcd feedback decisions.json --index refs.index
  vcd feedback --index refs.index --precision 0.95

"Common material" becomes an excluded stretch of its reference, which never matches again. "Copy"
and "not a copy" are kept with the index and say how often its matches are right. With --precision
they choose the score from which matches are reported. The same file again changes nothing."""

_WORDS = {"copy": "a copy", "not_a_copy": "not a copy", "common_material": "common material"}


def main(argv: Sequence[str]) -> int:
    """Run the verb; see ``vcd feedback --help``."""
    arguments = _parse(argv)
    index: Path = arguments.index
    info = read_info(index)
    taking = _Taking(info)
    decisions, overruled = last_of_each(taking.read(arguments.files))
    kept = keep_decisions(index, taking.usable(decisions))
    excluded = exclude_stretches(index, taking.common_stretches(kept))
    taking.tell(overruled, kept, read_info(index), excluded)
    judgement = judge(index, arguments.config, kept.judged)
    for sentence in judgement.sentences(arguments.precision):
        console.say(sentence)
    calibration = None
    if arguments.precision is not None:
        calibration = threshold_of(judgement, precision=arguments.precision)
        store_threshold(index, calibration, origin="reviewers' decisions")
    if arguments.json:
        console.print_json(
            {
                **taking.document(kept, excluded),
                **judgement.document(),
                "calibration": calibration and calibration_to_document(calibration),
            }
        )
    taking.outcome.num_done = kept.num_new + len(kept.changed)
    taking.outcome.num_unchanged = kept.num_unchanged
    console.say(taking.outcome.closing_line(done="taken in"))
    return taking.outcome.exit_code


@dataclass
class _Taking:
    """One pass over files of decisions.

    Attributes:
        info: what the index held before.
        outcome: counts for the closing line.
        usable_decisions: those that the index can take in.
    """

    info: IndexInfo
    outcome: console.Outcome = field(default_factory=console.Outcome)
    usable_decisions: tuple[Decision, ...] = ()

    def read(self, files: Sequence[Path]) -> list[Decision]:
        """Read all files; one that is none is refused, the others go on."""
        decisions: list[Decision] = []
        for file in files:
            try:
                decisions += decode_decisions(file.read_bytes(), origin=str(file)).decisions
            except OSError as error:
                self.outcome.refuse(str(file), f"{file}: cannot be read: {error.strerror}")
            except InputError as error:
                self.outcome.refuse(str(file), _printable(str(error)))
        return decisions

    def usable(self, decisions: Sequence[Decision]) -> tuple[Decision, ...]:
        """Refuse what is about a reference that the index does not have, or not like this."""
        usable = []
        for decision in decisions:
            try:
                _check_ref(self.info, decision)
                usable.append(decision)
            except InputError as error:
                reason = str(error).removeprefix(f"{decision.ref_id}: ")
                self.outcome.refuse(_name(decision), _printable(reason))
        self.usable_decisions = tuple(usable)
        return self.usable_decisions

    def common_stretches(self, kept: Kept) -> dict[str, list[Interval]]:
        """Collect what is to be excluded: of these files, unless a later decision says else."""
        stands = set(kept.judged)
        stretches: dict[str, list[Interval]] = {}
        for decision in self.usable_decisions:
            if decision.verdict == "common_material" and decision in stands:
                stretches.setdefault(decision.ref_id, []).append(decision.ref)
        return stretches

    def tell(
        self,
        overruled: Sequence[tuple[Decision, Decision]],
        kept: Kept,
        info: IndexInfo,
        excluded: dict[str, tuple[Interval, ...]],
    ) -> None:
        """Say what is excluded now, and where decisions do not agree."""
        for ref_id in excluded:
            sentence = excluded_sentence(info.by_id[ref_id], info.rate_hz)
            console.say(f"{_printable(ref_id)}: {sentence}")
        for earlier, later in (*overruled, *kept.changed):
            console.say(
                f"{_name(later)}: decided to be {_WORDS[earlier.verdict]} and to be "
                f"{_WORDS[later.verdict]}, which was said last and counts"
            )
        for earlier, later in kept.changed:
            ref = info.by_id[later.ref_id]
            still = any(later.ref.overlap_s(each) > 0.0 for each in ref.excluded)
            if earlier.verdict == "common_material" and still:
                ref_id = _printable(later.ref_id)
                console.say(
                    f"{ref_id}: stays {excluded_sentence(ref, info.rate_hz)}; `vcd index exclude "
                    f"{ref_id} --clear` takes that back"
                )

    def document(self, kept: Kept, excluded: dict[str, tuple[Interval, ...]]) -> dict[str, Any]:
        """Say in JSON what became of the decisions."""
        return {
            "num_taken_in": kept.num_new + len(kept.changed),
            "num_unchanged": kept.num_unchanged,
            "excluded": {
                _printable(ref_id): [interval_to_document(each) for each in stretches]
                for ref_id, stretches in excluded.items()
            },
            "refused": self.outcome.refused,
        }


def _check_ref(info: IndexInfo, decision: Decision) -> None:
    """Refuse a decision that is not about a stretch of a reference as it is in the index.

    Raises:
        InputError: says what differs.
    """
    merged_stretches(info, decision.ref_id, [decision.ref])
    digest = info.by_id[decision.ref_id].digest
    if digest != decision.ref_digest:
        raise InputError(
            f"{decision.ref_id}: was replaced in the index since: wanted a decision about its "
            f"descriptors {digest[:12]}, got one about {decision.ref_digest[:12]}"
        )


def _name(decision: Decision) -> str:
    query, ref = decision.query, decision.ref
    return _printable(
        f"{decision.query_id} {query.start_s:.1f}-{query.end_s:.1f} s, "
        f"{decision.ref_id} {ref.start_s:.1f}-{ref.end_s:.1f} s"
    )


def _printable(text: str) -> str:
    """Show what a terminal would obey, or cannot show, as its escape."""
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = verb_parser("feedback", _ABOUT)
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="decisions")
    parser.add_argument("--index", required=True, type=Path, metavar="DIR")
    parser.add_argument(
        "--precision",
        type=float,
        metavar="P",
        help="choose the threshold by this share of right ones among judged matches",
    )
    parser.add_argument("--json", action="store_true", help="print the outcome as JSON")
    arguments = parser.parse_args(argv)
    if arguments.precision is not None and not 0.0 < arguments.precision <= 1.0:
        parser.error(f"--precision wants a share above 0 and at most 1, got {arguments.precision}")
    if not arguments.files and arguments.precision is None:
        parser.error("give FILE..., or --precision to choose by what was taken in before")
    return arguments
