"""Send uploads through workers that are killed, frozen, joined and cut off, and hold the account.

    python -m tests.chaos --log sqlite --uploads 1000 --kills 20 --freeze-s 120 --videos FOLDER

The moments of the kills, their kinds and victims come from the seed; what the
machine makes of them does not, so a storm can be repeated but not replayed.
"""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.chaos.fleet import Fleet, wait_for
from tests.chaos.plan import Planned, make_clips, plan_uploads
from tests.chaos.verdicts import read_account
from vcd.config import load_settings
from vcd.core import TransientError
from vcd.stream.address import open_log
from vcd.stream.log import Log, Writer
from vcd.stream.topics import LANES

__all__ = ["Storm", "is_done", "run_storm", "run_vcd", "write_config"]

_SETTLE_S = 600.0
_DRAIN_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Storm:
    """What happens, and when.

    Attributes:
        folder: empty; everything lies below it.
        address: of the log.
        num_uploads: messages in all, broken ones included.
        uploads_hz: messages sent a second.
        num_kills: signals at random moments while uploads are sent.
        freeze_s: how long one worker is stopped in mid-work; 0 stops none.
        adds_late: whether a fourth worker joins half-way.
        restart_broker: called once, half-way; None when there is no broker.
        videos: folder of real videos to cut clips from; None draws all of them.
        num_drawn: drawn clips.
        seed: of the plan.
    """

    folder: Path
    address: str
    num_uploads: int
    uploads_hz: float
    num_kills: int
    freeze_s: float = 0.0
    adds_late: bool = False
    restart_broker: Callable[[], None] | None = None
    videos: Path | None = None
    num_drawn: int = 24
    seed: int = 1
    num_workers: int = 3
    num_partitions: int = 8


@dataclass(kw_only=True)
class _Sender:
    """Sends the plan at its pace; what the log did not take is sent again, as a producer would."""

    log: Log
    planned: Sequence[Planned]
    uploads_hz: float
    num_sent_again: int = 0

    def run(self) -> None:
        writer = self.log.writer()
        began_s = time.monotonic()
        for ordinal, planned in enumerate(self.planned):
            time.sleep(max(0.0, began_s + ordinal / self.uploads_hz - time.monotonic()))
            while not self._is_sent(writer, planned):
                self.num_sent_again += 1
                time.sleep(1.0)
        writer.close(10.0)

    def _is_sent(self, writer: Writer, planned: Planned) -> bool:
        try:
            writer.send(planned.topic, key=planned.key, value=planned.value).result(timeout=180)
        except TransientError:
            return False
        return True


def run_storm(storm: Storm) -> dict[str, Any]:
    """Run it to the end; the result's ``faults`` are empty when every promise was kept."""
    clips = make_clips(storm.folder / "clips", num_drawn=storm.num_drawn, videos=storm.videos)
    planned = plan_uploads(
        storm.folder / "clips" / "broken", clips, num_uploads=storm.num_uploads, seed=storm.seed
    )
    config = write_config(storm.folder)
    run_vcd("log", "create", "--log", storm.address, "--partitions", str(storm.num_partitions))
    run_vcd("references", "add", *map(str, clips[:12]), "--log", storm.address, config=config)
    settings = load_settings(config, {})
    log = open_log(storm.address, stream=settings.stream, kafka=settings.kafka)
    began_s = time.monotonic()
    fleet = Fleet(folder=storm.folder, log=storm.address, config=config, env={})
    with fleet:
        for name in range(storm.num_workers):
            fleet.start(name)
        sender = _Sender(log=log, planned=planned, uploads_hz=storm.uploads_hz)
        warm = _warm_up(fleet, sender, settings.stream.group)
        with ThreadPoolExecutor(1) as thread:
            sending = thread.submit(sender.run)
            exits = _rage(storm, fleet, began_s=time.monotonic())
            sending.result()
        fleet.revive()
        wait_for(lambda: is_done(log, settings.stream.group), timeout_s=_SETTLE_S, what="done")
        time.sleep(2.0)
        cool = fleet.resident_bytes()
        final = fleet.stop(timeout_s=_DRAIN_S)
        wait_for(lambda: not fleet.orphans(), timeout_s=10, what="no orphan left")
    account = read_account(log, settings.stream.group, planned)
    log.close()
    faults = list(account.faults)
    faults += [
        f"worker {name} drained with exit code {code}" for name, code in final.items() if code
    ]
    faults += [words for words in fleet.revived if " exit 1:" not in words]
    return {
        "log": storm.address.partition(":")[0],
        "seed": storm.seed,
        "num_uploads": len(planned),
        "num_sent_again": sender.num_sent_again,
        "num_reports": account.num_reports,
        "num_repeated": account.num_repeated,
        "dead_letters": account.dead_letters,
        "kills": exits,
        "revived": fleet.revived,
        "elapsed_s": round(time.monotonic() - began_s, 1),
        "resident_mb": {"warm": _mb(warm), "cool": _mb(cool)},
        "faults": faults,
    }


def write_config(folder: Path) -> Path:
    """Write the settings of workers that share a small machine."""
    config = folder / "storm.toml"
    store = folder / "store"
    config.write_text(
        f"""\
[fetch]
allowed_prefixes = ["{(folder / "clips").as_uri()}/"]

[stream]
session_timeout_s = 6.0
grace_s = 20.0
window = 16
descriptor_store = "{store}"

[media]
num_children = 1
max_stall_s = 10.0

[describe]
num_threads = 1
"""
    )
    return config


def run_vcd(*arguments: str, config: Path | None = None) -> None:
    """Run a verb to its end.

    Raises:
        RuntimeError: it failed.
    """
    command = [sys.executable, "-m", "pipelines.cli", *arguments]
    if config is not None:
        command += ["--config", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        raise RuntimeError(f"vcd {' '.join(arguments[:2])}: {done.stderr[-2000:]}")


def _warm_up(fleet: Fleet, sender: _Sender, group: str) -> dict[int, int]:
    """Let every worker do something before its memory is measured."""
    num_first = min(24, len(sender.planned) // 4)
    head = _Sender(log=sender.log, planned=sender.planned[:num_first], uploads_hz=1000.0)
    head.run()
    sender.planned = sender.planned[num_first:]
    wait_for(lambda: is_done(sender.log, group), timeout_s=180, what="the first uploads done")
    return fleet.resident_bytes()


def _rage(storm: Storm, fleet: Fleet, *, began_s: float) -> dict[str, int]:
    """Do all the harm, in the order of its moments; returns how the killed ended."""
    choice = np.random.default_rng(storm.seed + 1)
    length_s = storm.num_uploads / storm.uploads_hz
    moments: list[tuple[float, str]] = [
        (choice.uniform(0.05, 0.9) * length_s, "kill") for _ in range(storm.num_kills)
    ]
    if storm.freeze_s:
        first_s = 0.2 * length_s
        moments += [(first_s, "freeze"), (first_s + storm.freeze_s, "thaw")]
    if storm.adds_late:
        moments.append((0.5 * length_s, "join"))
    if storm.restart_broker is not None:
        moments.append((0.4 * length_s, "broker"))
    ends: dict[str, int] = {}
    for moment_s, deed in sorted(moments):
        while (left_s := began_s + moment_s - time.monotonic()) > 0:
            fleet.revive()
            time.sleep(min(0.5, left_s))
        for end in _do(deed, storm, fleet, choice):
            ends[end] = ends.get(end, 0) + 1
    return ends


def _do(deed: str, storm: Storm, fleet: Fleet, choice: np.random.Generator) -> list[str]:
    if deed == "kill":
        victim = int(choice.choice(fleet.running()))
        number = (signal.SIGKILL, signal.SIGTERM)[choice.integers(2)]
        code = fleet.kill(victim, number, timeout_s=_DRAIN_S)
        fleet.start(victim)
        return [f"{number.name} exit {code}"]
    if deed == "freeze":
        fleet.freeze(0)
    elif deed == "thaw":
        fleet.thaw(0)
    elif deed == "join":
        fleet.start(storm.num_workers)
    elif storm.restart_broker is not None:
        storm.restart_broker()
    return [deed]


def is_done(log: Log, group: str) -> bool:
    """Tell whether everything that was sent is committed."""
    for topic in LANES.values():
        try:
            offsets = log.offsets(group, topic)
        except TransientError:
            return False
        if any(offsets.committed.get(index, 0) < end for index, end in offsets.ends.items()):
            return False
    return True


def _mb(sizes: dict[int, int]) -> dict[int, int]:
    return {name: size // 2**20 for name, size in sizes.items()}
