"""Peak memory of a three-hour video next to a one-minute one.

    python -m benchmarks.bench_memory [--hours 3] [--json]

Each is added to an index of its own in a fresh process; the figures are the peak resident set
of that process and of its largest child, as the operating system counted them.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from vcd.media import write_video

RATE_HZ = 5.0
_CHILD = """
import resource, sys
from pipelines.cli import main
code = main(sys.argv[1:])
for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
    print(resource.getrusage(who).ru_maxrss)
sys.exit(code)
"""


def _footage(length_s: float) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(0)
    field = np.kron(rng.integers(0, 256, (40, 60, 3)), np.ones((12, 12, 1))).astype(np.uint8)
    for step in range(int(length_s * RATE_HZ)):
        top, left = int(120 + 110 * np.sin(step / 40)), int(200 + 190 * np.sin(step / 31))
        yield np.ascontiguousarray(field[top : top + 180, left : left + 320])


def _peaks_mb(path: Path, folder: Path) -> dict[str, float]:
    index = folder / f"{path.stem}.index"
    result = subprocess.run(
        [sys.executable, "-c", _CHILD, "index", "add", str(path), "--index", str(index)],
        capture_output=True,
        text=True,
        check=True,
    )
    parent, child = map(int, result.stdout.split()[-2:])
    return {"parent_mb": parent / 1024, "largest_child_mb": child / 1024}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=3.0)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    peaks = {}
    with tempfile.TemporaryDirectory(prefix="vcd-memory-") as name:
        for label, length_s in (("one minute", 60.0), ("long", arguments.hours * 3600)):
            path = Path(name, f"{label.replace(' ', '_')}.mp4")
            write_video(path, _footage(length_s), rate_hz=RATE_HZ)
            peaks[label] = {"length_s": length_s, **_peaks_mb(path, Path(name))}
    if arguments.json:
        print(json.dumps(peaks, indent=1))
        return 0
    for label, row in peaks.items():
        print(
            f"{label:<11} {row['length_s']:>8.0f} s  parent {row['parent_mb']:6.0f} MB  "
            f"largest child {row['largest_child_mb']:6.0f} MB"
        )
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"(this script, which drew the videos: {used:.0f} MB)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
