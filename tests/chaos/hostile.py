"""Mix hostile files into a stream of good ones, and measure what they cost their neighbours.

    python -m tests.chaos.hostile --bad 300 --log sqlite --videos FOLDER

One worker, whose decoders do what a file's name says, goes through four laps:

    before   good uploads alone                    how fast, how much memory at rest
    mixed    the same, with one bad upload after every ten
    after    good uploads alone                    whether the machine itself kept its pace
    alone    the bad uploads, nothing else         a second look at what they cost

Good uploads a second are counted from the first message to the report of the last good one.
What the bad ones used of the processors is what a mixed lap uses above the mean of the two
good laps, in the worker, its children and its dead children. On C cores that would make a lap
longer by 1/C of itself and no more:

    fall beyond = 1 - (seconds of a good lap + processor seconds of the bad / C) / mixed seconds

This holds on a machine that does nothing else. One that does has its share told for each lap,
and speeds are then not judged.
"""

import argparse
import contextlib
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.chaos.fleet import Fleet
from tests.chaos.hostile_account import HostileAccount, Sent, read_hostile_account
from tests.chaos.laps import Lap, Track
from tests.chaos.mutations import BadFile, make_bad_files
from tests.chaos.plan import make_clips
from tests.chaos.storm import run_vcd
from tests.clips import sampled
from tests.kafka.broker import Broker
from vcd.config import load_settings
from vcd.media import write_video
from vcd.stream.address import open_log

__all__ = ["LAPS", "Trial", "run_trial"]

LAPS = ("before", "mixed", "after", "alone")

_MAX_FALL = 0.10
_MAX_GROWTH = 0.05
_MAX_OTHERS_CPU = 0.2
_NUM_WARM = 24
_MAX_MEMORY_BYTES = 768 * 2**20
"""Of a child: 2 GiB, the default, take a slow machine longer to fill than the hang limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What is done.

    Attributes:
        folder: empty; everything lies below it.
        address: of the log.
        num_bad: hostile files.
        good_per_bad: good uploads for each of them.
        hang_limit_s: without progress for so long, a decoder is ended.
        num_children: decoding children; None takes the default.
        videos: folder of real videos to cut good clips from; None draws all of them.
        seed: of every choice.
        laps: which of `LAPS`, in that order.
    """

    folder: Path
    address: str
    num_bad: int
    good_per_bad: int = 10
    hang_limit_s: float = 5.0
    num_children: int | None = None
    videos: Path | None = None
    seed: int = 1
    laps: Sequence[str] = LAPS


def run_trial(trial: Trial) -> dict[str, Any]:
    """Run it to the end.

    Returns:
        All that was measured; ``faults`` names uploads that did not end as they had to, and
        ``broken`` promises of speed and memory that were not kept.
    """
    clips = trial.folder / "clips"
    good = make_clips(clips, num_drawn=24, videos=trial.videos)
    sources = [*good[:8], *_other_containers(good[:4], trial.folder)]
    bad = make_bad_files(clips / "bad", sources, num_files=trial.num_bad, seed=trial.seed)
    with _on_track(trial, good[:12]) as track:
        idle_cpu = track.idle_cpu()
        laps = {
            name: track.lap(_uploads(name, good, bad, trial), idle_cpu=idle_cpu)
            for name in trial.laps
        }
        exit_codes = track.fleet.stop(timeout_s=60)
        account = read_hostile_account(track.log, track.sent)
    account.faults += [f"the worker ended with {code}" for code in exit_codes.values() if code]
    return {
        "log": trial.address.partition(":")[0],
        "seed": trial.seed,
        "cores": _num_cores(),
        "hang_limit_s": trial.hang_limit_s,
        "num_good_a_lap": trial.num_bad * trial.good_per_bad,
        "num_good_found": account.num_found,
        "num_bad": trial.num_bad,
        "num_dead_letters": account.num_letters,
        "num_examined_in_part": account.num_partial,
        "num_repeated_reports": account.num_repeated,
        "ends": {kind: dict(ends) for kind, ends in sorted(account.ends.items())},
        "idle_cpu": round(idle_cpu, 4),
        "laps": {name: _told(lap, _good_s(name, lap, account)) for name, lap in laps.items()},
        **_compared(laps, account),
        "faults": account.faults,
    }


def _compared(laps: Mapping[str, Lap], account: HostileAccount) -> dict[str, Any]:
    """Work out what the bad ones cost, as far as the laps that were run tell."""
    plain = [name for name in ("before", "after") if name in laps]
    if not plain or "mixed" not in laps:
        return {"broken": []}
    plain_s = statistics.fmean(_good_s(name, laps[name], account) for name in plain)
    mixed_s = _good_s("mixed", laps["mixed"], account)
    cost_s = laps["mixed"].cpu_s - statistics.fmean(laps[name].cpu_s for name in plain)
    fall = 1.0 - (plain_s + cost_s / _num_cores()) / mixed_s
    before, after = laps[plain[0]].at_rest, laps["mixed"].at_rest
    growth = after.total_bytes / before.total_bytes - 1.0
    growth_main = after.main_bytes / before.main_bytes - 1.0
    broken = []
    others_cpu = max(laps[name].others_cpu for name in (*plain, "mixed"))
    if others_cpu > _MAX_OTHERS_CPU:
        broken.append(f"no speed was measured: others kept {others_cpu:.1f} cores busy meanwhile")
    elif fall >= _MAX_FALL:
        broken.append(f"good uploads a second fell by {fall:.1%} beyond what the bad ones used")
    if max(growth, growth_main) > _MAX_GROWTH:
        broken.append(f"memory at rest grew by {growth:.1%}, without children {growth_main:.1%}")
    return {
        "bad_cpu_s": round(cost_s, 1),
        "fall": round(1.0 - plain_s / mixed_s, 3),
        "fall_beyond_cpu": round(fall, 3),
        "growth_at_rest": round(growth, 3),
        "growth_at_rest_main": round(growth_main, 3),
        "broken": broken,
    }


def _good_s(name: str, lap: Lap, account: HostileAccount) -> float:
    return account.last_report_s.get(name, lap.began_s) - lap.began_s


def _told(lap: Lap, good_s: float) -> dict[str, Any]:
    return {
        "good_hz": round(lap.num_good / good_s, 2) if good_s > 0 else None,
        "good_s": round(good_s, 2),
        "settled_s": round(lap.settled_s, 2),
        "cpu_s": round(lap.cpu_s, 2),
        "others_cpu": round(lap.others_cpu, 2),
        "peak_mb": lap.peak_bytes // 2**20,
        "at_rest_mb": lap.at_rest.in_mb(),
    }


def _uploads(lap: str, good: Sequence[Path], bad: Sequence[BadFile], trial: Trial) -> list[Sent]:
    """List what a lap sends; the hostile ones lie evenly among the good."""
    uploads = []
    for ordinal, each in enumerate(bad):
        for step in range(trial.good_per_bad if lap != "alone" else 0):
            number = ordinal * trial.good_per_bad + step
            video_id = f"{lap}-good-{number:05d}"
            uploads.append(Sent(lap=lap, video_id=video_id, path=good[number % len(good)]))
        if lap in ("mixed", "alone"):
            uploads.append(
                Sent(lap=lap, video_id=f"{lap}-{each.path.name}", path=each.path, bad=each)
            )
    return uploads


def _other_containers(good: Sequence[Path], folder: Path) -> list[Path]:
    """Write good clips again, as Matroska and as an AVI of JPEG pictures."""
    others = []
    for path in good:
        _, sink = sampled(path, rate_hz=8.0)
        others += [folder / f"{path.stem}.mkv", folder / f"{path.stem}.avi"]
        write_video(others[-2], sink.pictures, rate_hz=8.0)
        write_video(others[-1], sink.pictures, rate_hz=8.0, codec="mjpeg", pixel_format="yuvj420p")
    return others


@contextlib.contextmanager
def _on_track(trial: Trial, references: Sequence[Path]) -> Iterator[Track]:
    """Start a log's one worker, and have it work on a few uploads before anything is measured."""
    config = _write_config(trial)
    run_vcd("log", "create", "--log", trial.address, "--partitions", "8")
    run_vcd("references", "add", *map(str, references), "--log", trial.address, config=config)
    settings = load_settings(config, {})
    log = open_log(trial.address, stream=settings.stream, kafka=settings.kafka)
    fleet = Fleet(
        folder=trial.folder,
        log=trial.address,
        config=config,
        env={},
        program=("tests.chaos.hostile_worker",),
    )
    try:
        with fleet:
            fleet.start(0)
            track = Track(log=log, group=settings.stream.group, fleet=fleet)
            track.lap(
                [
                    Sent(lap="warm", video_id=f"warm-{number}", path=references[number % 12])
                    for number in range(_NUM_WARM)
                ],
                idle_cpu=0.0,
            )
            yield track
    finally:
        log.close()


def _write_config(trial: Trial) -> Path:
    """Write the settings of a worker that differ from the defaults."""
    config = trial.folder / "hostile.toml"
    children = "" if trial.num_children is None else f"num_children = {trial.num_children}"
    config.write_text(
        f"""\
[fetch]
allowed_prefixes = ["{(trial.folder / "clips").as_uri()}/"]

[stream]
descriptor_store = "{trial.folder / "store"}"

[media]
max_stall_s = {trial.hang_limit_s}
max_memory_bytes = {_MAX_MEMORY_BYTES}
{children}
"""
    )
    return config


def _num_cores() -> int:
    return len(os.sched_getaffinity(0))


def main() -> int:
    arguments = _parse()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vcd-hostile-")))
        address = f"sqlite:{folder / 'bus.db'}"
        if arguments.log == "kafka":
            address = stack.enter_context(Broker(folder / "broker")).address
        result = run_trial(
            Trial(
                folder=folder,
                address=address,
                num_bad=arguments.bad,
                good_per_bad=arguments.good_per_bad,
                num_children=arguments.children,
                videos=arguments.videos,
                seed=arguments.seed,
            )
        )
    sys.stdout.write(json.dumps(result, indent=2) + "\n")
    return int(bool(result["faults"] or result["broken"]))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bad", type=int, default=300, help="hostile files")
    parser.add_argument("--good-per-bad", type=int, default=10)
    parser.add_argument("--children", type=int, help="decoding children; default: one a core")
    parser.add_argument("--videos", type=Path, help="real videos to cut good clips from")
    parser.add_argument("--log", choices=("sqlite", "kafka"), default="sqlite")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
