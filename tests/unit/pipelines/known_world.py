"""A data set with known copies whose videos are names, and an index and a check that know them."""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.factories import SPACE, make_match, make_report, make_video
from vcd.core import Calibration, Match
from vcd.core.codec import report_to_document
from vcd.search import IndexCalibration, IndexInfo
from vcd.search.info import RefInfo

_HEADER = "query_id,ref_id,query_start,query_end,ref_start,ref_end\n"

THRESHOLD = Calibration(
    space=SPACE,
    rate_hz=2.0,
    settings_digest="0" * 16,
    fit_digest=None,
    precision=0.9,
    min_score=0.5,
    expected_precision=(1.0, 0.9, 1.0),
    num_queries=1,
    num_true=1,
)


@dataclass
class KnownWorld:
    """What the commands would find in a folder.

    Attributes:
        folder: the data set.
        scores: of the right match of each copy, by the number that names query and reference.
        false_scores: of the false match of each negative; None where it has none.
        undecodable: ids of videos that are refused.
        indexed: ids that the index holds.
        stored: what is stored with the index.
        commands: words of each command that was run.
    """

    folder: Path
    scores: Sequence[float] = (0.9, 0.8, 0.7, 0.65, 0.6, 0.55, 0.5)
    false_scores: Sequence[float | None] = (0.3, 0.2)
    undecodable: set[str] = field(default_factory=set)
    indexed: list[str] = field(default_factory=list)
    stored: IndexCalibration = field(default_factory=IndexCalibration)
    commands: list[list[str]] = field(default_factory=list)

    def write(self) -> None:
        """Make the files; copies are Q0, Q1, ... of R0, R1, ..., negatives N0, N1, ..."""
        for name in ("refs", "queries"):
            (self.folder / name).mkdir(parents=True)
        rows = []
        for number in range(len(self.scores)):
            (self.folder / f"refs/R{number}.mp4").touch()
            (self.folder / f"queries/Q{number}.mp4").touch()
            rows.append(f"Q{number},R{number},0.0,10.0,20.0,30.0\n")
        for number in range(len(self.false_scores)):
            (self.folder / f"queries/N{number}.mp4").touch()
        self.say_truth(rows)

    def say_truth(self, rows: Sequence[str]) -> None:
        (self.folder / "ground_truth.csv").write_text(_HEADER + "".join(rows))

    def index(self, argv: Sequence[str]) -> int:
        """Stand in for `vcd index`."""
        self.commands.append(list(argv))
        sys.stdout.write("what a command prints is not the result\n")
        action = argv[0]
        if action == "add":
            there = {path.stem for path in Path(argv[1]).iterdir()} - self.undecodable
            self.indexed = sorted({*self.indexed, *there})
        elif action == "remove":
            self.indexed = [each for each in self.indexed if each not in argv]
        elif "--clear" in argv:
            self.stored = IndexCalibration()
        return 0

    def check(self, argv: Sequence[str]) -> int:
        """Stand in for `vcd check`."""
        self.commands.append(list(argv))
        sys.stdout.write("what a command prints is not the result\n")
        names = sorted(path.stem for path in Path(argv[0]).iterdir())
        looked_at = [name for name in names if name not in self.undecodable]
        reports = [make_report(query_id=name, matches=self._matches(name)) for name in looked_at]
        document = {
            "reports": [report_to_document(report) for report in reports],
            "refused": [
                {"query_id": name, "reason": "no video"} for name in names if name not in looked_at
            ],
            "summary": {"settings_digest": "run", "threshold_digest": "terms", "fit": "f" * 64},
        }
        out = Path(argv[argv.index("--out") + 1])
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(document))
        return 3 if len(looked_at) < len(names) else 0

    def info(self, path: Path) -> IndexInfo:
        """Stand in for `vcd.search.read_info`."""
        return IndexInfo(
            version="5e" * 32,
            space=SPACE,
            weights="vcd_compact",
            rate_hz=2.0,
            factory="Flat",
            references=tuple(
                RefInfo(video=make_video(name), num_vectors=1, num_frames=1, digest="d")
                for name in self.indexed
            ),
            num_bytes=0,
        )

    def calibration(self, path: Path) -> IndexCalibration:
        """Stand in for `vcd.search.read_calibration`."""
        return self.stored

    def stand_in(self, put: Callable[[str, object], None]) -> None:
        """Put this world in place of the commands, where `pipelines.known_copies` finds them."""
        put("index.main", self.index)
        put("check.main", self.check)
        put("read_info", self.info)
        put("read_calibration", self.calibration)

    def _matches(self, name: str) -> tuple[Match, ...]:
        number = int(name[1:])
        if name[0] == "Q":
            score = self.scores[number]
            return (make_match(name, f"R{number}", query=(1, 9), ref=(21, 29), score=score),)
        false_score = self.false_scores[number]
        if false_score is None:
            return ()
        return (make_match(name, "R0", query=(0, 5), ref=(7, 12), score=false_score),)
