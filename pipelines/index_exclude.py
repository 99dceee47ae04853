"""`vcd index exclude`: say which stretches of a reference never match.

The descriptors stay where they are; what is excluded is in the index version, so reports made
before and after have different identities.
"""

import argparse
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from pipelines import console
from pipelines.cli import EXIT_DONE, EXIT_PARTLY_DONE, verb_parser
from vcd.core import InputError, Interval, merge_intervals
from vcd.search import IndexInfo, IndexWriter, RefInfo, read_info

__all__ = [
    "clear_stretches",
    "exclude_stretches",
    "excluded_sentence",
    "main",
    "merged_stretches",
]

_ABOUT = """\
Say that a stretch of a reference never matches: an intro that many videos have, black, a logo.

  vcd index exclude harbour 0 12.5 --index refs.index
  vcd index exclude harbour --clear --index refs.index

Nothing is described again. Stretches that overlap become one; --clear takes all of them back."""

_Excluded = dict[str, tuple[Interval, ...]]


def main(argv: Sequence[str]) -> int:
    """Run the verb; see ``vcd index exclude --help``."""
    arguments = _parse(argv)
    ref_id: str = arguments.id
    try:
        if arguments.clear:
            clear_stretches(arguments.index, [ref_id])
        else:
            stretch = Interval(arguments.start_s, arguments.end_s)
            exclude_stretches(arguments.index, {ref_id: [stretch]})
    except InputError as error:
        console.Outcome().refuse(ref_id, str(error))
        return EXIT_PARTLY_DONE
    info = read_info(arguments.index)
    sentence = excluded_sentence(info.by_id[ref_id], info.rate_hz)
    console.say(f"{ref_id}: {sentence or 'nothing is excluded'}")
    return EXIT_DONE


def exclude_stretches(index: Path, stretches: Mapping[str, Iterable[Interval]]) -> _Excluded:
    """Exclude stretches of references beside those that are excluded already, all or none.

    Args:
        index: its directory.
        stretches: by the id of the reference; those of one reference may overlap.

    Returns:
        What is excluded now of each of these references, merged and in order.

    Raises:
        InputError: an unknown id, or a stretch that is not in its reference; nothing is changed.
        SetupError: the index follows a log, is being written, or the disk says no.
    """

    def change(info: IndexInfo) -> _Excluded:
        return {ref_id: merged_stretches(info, ref_id, more) for ref_id, more in stretches.items()}

    return _changed(index, change)


def clear_stretches(index: Path, ref_ids: Iterable[str]) -> None:
    """Exclude nothing of these references any more.

    Raises:
        InputError: an unknown id; nothing is changed.
        SetupError: the index follows a log, is being written, or the disk says no.
    """

    def change(info: IndexInfo) -> _Excluded:
        return {_known(info, ref_id).video.id: () for ref_id in ref_ids}

    _changed(index, change)


def merged_stretches(
    info: IndexInfo, ref_id: str, more: Iterable[Interval]
) -> tuple[Interval, ...]:
    """Add stretches to what is excluded of a reference; an end beyond its own becomes that.

    Raises:
        InputError: there is no such reference, or a stretch does not begin in it.
    """
    ref = _known(info, ref_id)
    length_s = _length_s(ref, info.rate_hz)
    stretches = list(ref.excluded)
    for stretch in more:
        if not 0.0 <= stretch.start_s < length_s:
            raise InputError(
                f"{ref_id}: wanted a stretch of its {length_s:.2f} s, "
                f"got {stretch.start_s:.2f}-{stretch.end_s:.2f} s"
            )
        stretches.append(Interval(stretch.start_s, min(stretch.end_s, length_s)))
    return merge_intervals(stretches)


def excluded_sentence(ref: RefInfo, rate_hz: float) -> str:
    """Say which stretches of a reference never match; empty where all of it may.

    Args:
        ref: the reference.
        rate_hz: sampled frames a second.
    """
    stretches = merge_intervals(ref.excluded)
    if not stretches:
        return ""
    first, step_s = stretches[0], 1.0 / rate_hz
    # The first frame is on screen for a step, the last for half of one at the least.
    if first.start_s < step_s and first.end_s >= _length_s(ref, rate_hz) - step_s / 2:
        return "all of it is excluded: it never matches"
    return "excluded " + ", ".join(f"{each.start_s:.2f}-{each.end_s:.2f} s" for each in stretches)


def _changed(index: Path, change: Callable[[IndexInfo], _Excluded]) -> _Excluded:
    before = read_info(index)
    with IndexWriter.open(
        index,
        space=before.space,
        rate_hz=before.rate_hz,
        weights=before.weights,
        factory=before.factory,
    ) as writer:
        info = writer.info
        excluded = change(info)
        for ref_id, stretches in excluded.items():
            if stretches != info.by_id[ref_id].excluded:
                writer.exclude(ref_id, stretches)
    return excluded


def _known(info: IndexInfo, ref_id: str) -> RefInfo:
    ref = info.by_id.get(ref_id)
    if ref is None:
        raise InputError(f"{ref_id}: the index has no reference of this id")
    return ref


def _length_s(ref: RefInfo, rate_hz: float) -> float:
    """An image has no length, but its one frame is on screen for a step."""
    return ref.video.duration_s or 1.0 / rate_hz


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = verb_parser("index exclude", _ABOUT)
    parser.add_argument("id", metavar="ID", help="of the reference")
    parser.add_argument("start_s", nargs="?", type=float, metavar="START", help="seconds")
    parser.add_argument("end_s", nargs="?", type=float, metavar="END", help="seconds")
    parser.add_argument("--index", required=True, type=Path, metavar="DIR")
    parser.add_argument("--clear", action="store_true", help="exclude nothing of it any more")
    arguments = parser.parse_args(argv)
    if arguments.clear:
        if arguments.start_s is not None:
            parser.error("--clear takes back all stretches: give it without START and END")
        return arguments
    if arguments.end_s is None:
        parser.error("give START and END, in seconds, or --clear")
    if not 0.0 <= arguments.start_s < arguments.end_s < math.inf:
        parser.error(
            f"wanted 0 <= START < END in seconds, got {arguments.start_s} and {arguments.end_s}"
        )
    return arguments
