"""`vcd synth`: from a user's own videos an edited data set with exact ground truth."""

import argparse
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import vcd
from pipelines import console
from pipelines.cli import verb_parser
from pipelines.items import Items, find_items
from pipelines.results import checkout_commit
from pipelines.synth_files import DataSet, copy_refs, open_folder, write_tables
from pipelines.synth_footage import Look, find_usable, footage_of, open_pool
from pipelines.synth_preview import draw_preview
from vcd.config import Settings, load_settings
from vcd.core import InputError
from vcd.evaluation.synthesis.footage_roles import Role, assign_roles
from vcd.evaluation.synthesis.query_frames import Footage, query_frames
from vcd.evaluation.synthesis.query_plan import QueryPlan
from vcd.evaluation.synthesis.query_planning import min_source_s, plan_queries
from vcd.media import DecodePool, write_video

__all__ = ["main"]

_ABOUT = """\
Make an edited data set in the form of VSC2022 from your own videos, with exact ground truth.

Some videos become references (copied as they are), some of these are never copied from, and the
rest are strangers: queries that copy nothing are made from them, and what lies around, behind
and beside the copies in the others. The same videos and seed give the same data set; the same
command again makes only what is missing. Six videos of 5 s are the least; 30 are a start.

  vcd synth videos/ --out my.set        then: vcd eval vsc2022 my.set, vcd eval calibrate my.set"""


def main(argv: Sequence[str]) -> int:
    """Run the verb; see ``vcd synth --help``."""
    arguments = _parse(argv)
    settings = load_settings(arguments.config, _overrides(arguments))
    started_s = time.monotonic()
    run = _Run(settings)
    with open_pool(settings.media) as pool:
        data_set = run.plan(arguments.videos, arguments.out, pool)
        copy_refs(data_set)
        made = run.make(data_set, pool)
        write_tables(data_set, made)
        draw_preview(data_set, made, pool)
    summary = run.summary(data_set, made) | {"elapsed_s": time.monotonic() - started_s}
    if arguments.json:
        console.print_json(summary)
    note = (
        f"{summary['num_segments']} copied stretches in {summary['num_positives']} of them, "
        f"{summary['num_refs']} references; see {arguments.out / 'preview.png'}"
    )
    console.say(run.outcome.closing_line(done="queries made", note=note))
    return run.outcome.exit_code


@dataclass
class _Run:
    """One data set on its way.

    Attributes:
        settings: the whole tree.
        outcome: what became of the videos and of the queries.
        left_out: reasons of the sound videos that are not used, by path.
    """

    settings: Settings
    outcome: console.Outcome = field(default_factory=console.Outcome)
    left_out: dict[str, str] = field(default_factory=dict)

    def plan(self, videos: Sequence[Path], folder: Path, pool: DecodePool) -> DataSet:
        """Look at the videos and decide everything."""
        synth = self.settings.synth
        look = Look(
            short_edge_px=synth.short_edge_px, max_pixels=self.settings.media.slot_bytes // 3
        )
        items = _outside(folder, find_items(videos))
        usable = find_usable(items, pool, look, outcome=self.outcome, leave_out=self._leave_out)
        sources = [video.source for video in usable]
        roles = assign_roles(sources, synth, min_source_s=min_source_s(synth))
        plans = plan_queries(sources, roles, synth)
        data_set = DataSet(folder=folder, videos=usable, roles=roles, plans=plans, settings=synth)
        record = {
            "vcd_version": vcd.__version__,
            "commit": checkout_commit(Path(vcd.__file__).parents[1]),
            "refused": self.outcome.refused,
            "left_out": self.left_out,
        }
        open_folder(data_set, record)
        return data_set

    def make(self, data_set: DataSet, pool: DecodePool) -> list[QueryPlan]:
        """Make the queries that are not there; those that cannot be made exactly are refused."""
        synth = self.settings.synth
        footage = footage_of(data_set.videos, pool, short_edge_px=synth.short_edge_px)
        made = []
        with console.progress("making", total=len(data_set.plans)) as progress:
            for plan in data_set.plans:
                try:
                    if data_set.query_path(plan).exists():
                        self.outcome.num_unchanged += 1
                    else:
                        _write(data_set.query_path(plan), plan, footage)
                        self.outcome.num_done += 1
                    made.append(plan)
                except InputError as error:
                    self.outcome.refuse(plan.id, str(error))
                progress.advance(plan.id)
        return made

    def summary(self, data_set: DataSet, made: Sequence[QueryPlan]) -> dict[str, Any]:
        copies = [len(plan.true_copies(data_set.ref_ids)) for plan in made]
        roles = [data_set.roles[video.source.id] for video in data_set.videos]
        return {
            "folder": str(data_set.folder),
            "digest": data_set.digest,
            "num_queries": len(made),
            "num_positives": sum(number > 0 for number in copies),
            "num_segments": sum(copies),
            "num_refs": len(data_set.refs),
            "num_distractors": roles.count(Role.DISTRACTOR),
            "num_strangers": roles.count(Role.STRANGER),
            "num_refused": len(self.outcome.refused),
            "left_out": self.left_out,
        }

    def _leave_out(self, path: str, reason: str) -> None:
        self.left_out[path] = reason
        console.say(f"left out {path}: {reason}")


def _outside(folder: Path, items: Items) -> Items:
    """Pass over what an earlier run made, where the folder lies among the videos."""
    made = Path(os.path.normpath(folder.absolute()))
    return replace(items, found=tuple(i for i in items if not i.path.is_relative_to(made)))


def _write(path: Path, plan: QueryPlan, footage: Footage) -> None:
    """Encode a query; it is there whole or not at all."""
    part = path.with_name(f".{path.name}")
    try:
        write_video(
            part,
            query_frames(plan, footage),
            rate_hz=plan.rate_hz,
            options={"crf": str(plan.crf), "preset": "superfast"},
        )
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _overrides(arguments: argparse.Namespace) -> dict[str, object]:
    return {
        "synth.seed": arguments.seed,
        "synth.num_queries": arguments.queries,
        "synth.negative_share": arguments.negatives,
        "synth.strength": arguments.strength,
    }


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = verb_parser("synth", _ABOUT)
    parser.add_argument("videos", nargs="+", type=Path, metavar="VIDEOS", help="files or folders")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="a new folder")
    parser.add_argument(
        "--seed", type=int, metavar="N", help="another seed, another set (default 1)"
    )
    parser.add_argument("--queries", type=int, metavar="N", help="how many to make (default 100)")
    parser.add_argument(
        "--negatives",
        type=float,
        metavar="SHARE",
        help="part of the queries that copies nothing,\n0 to 1 (default 0.5; VSC2022 has 0.77)",
    )
    parser.add_argument(
        "--strength", type=float, metavar="S", help="of the edits, 0 to 1 (default 0.5)"
    )
    parser.add_argument("--json", action="store_true", help="print what was made as JSON")
    return parser.parse_args(argv)
