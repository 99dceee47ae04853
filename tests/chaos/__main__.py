"""`make chaos`: one storm on each log, its account as JSON; exit code 1 for a broken promise."""

import argparse
import functools
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.chaos.storm import Storm, run_storm
from tests.kafka.broker import Broker


def main() -> int:
    arguments = _parse()
    results = []
    for kind in arguments.log:
        with tempfile.TemporaryDirectory(prefix="vcd-storm-") as folder:
            results.append(_storm(kind, Path(folder), arguments))
        sys.stdout.write(json.dumps(results[-1], indent=2, sort_keys=True) + "\n")
        sys.stdout.flush()
    return int(any(result["faults"] for result in results))


def _storm(kind: str, folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    plan = {
        "folder": folder,
        "num_uploads": arguments.uploads,
        "uploads_hz": arguments.rate_hz,
        "num_kills": arguments.kills,
        "freeze_s": arguments.freeze_s,
        "adds_late": True,
        "videos": arguments.videos,
        "seed": arguments.seed,
    }
    if kind == "sqlite":
        return run_storm(Storm(address=f"sqlite:{folder / 'bus.db'}", **plan))
    with Broker(folder / "broker") as broker:
        restart = functools.partial(_restart, broker, arguments.outage_s)
        return run_storm(Storm(address=broker.address, restart_broker=restart, **plan))


def _restart(broker: Broker, outage_s: float) -> None:
    """Kill the broker as a crash would, and have it back some time later."""
    broker.kill()
    time.sleep(outage_s)
    broker.start()


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--log", nargs="+", choices=("sqlite", "kafka"), default=["sqlite", "kafka"]
    )
    parser.add_argument("--uploads", type=int, default=1000)
    parser.add_argument("--rate-hz", type=float, default=4.0, help="uploads sent a second")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--freeze-s", type=float, default=120.0)
    parser.add_argument(
        "--outage-s", type=float, default=90.0, help="of the broker; deliveries give up after 60"
    )
    parser.add_argument("--videos", type=Path, help="real videos to cut clips from")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
