from pathlib import Path

import pytest

from pipelines import synth
from pipelines.items import find_items


@pytest.mark.parametrize("name", ["set", "other/../set", "./set"])
def test_what_an_earlier_run_made_among_the_videos_is_no_footage(tmp_path: Path, name: str) -> None:
    for file in ("a.mp4", "set/refs/R100001.mp4", "set/queries/Q100001.mp4", "settled/b.mp4"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()

    items = synth._outside(tmp_path / name, find_items([tmp_path]))

    assert [item.id for item in items] == ["a", "b"]


def test_flags_are_settings() -> None:
    flags = ["--seed", "3", "--queries", "7", "--negatives", "0.2", "--strength", "1"]

    arguments = synth._parse(["v", "--out", "d", *flags])

    assert synth._overrides(arguments) == {
        "synth.seed": 3,
        "synth.num_queries": 7,
        "synth.negative_share": 0.2,
        "synth.strength": 1.0,
    }
