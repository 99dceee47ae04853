"""What the evaluations of descriptor files share."""

from contextlib import contextmanager

import numpy as np
import pytest

from pipelines import console, track_files
from tests.plain_tracks import write_rows
from vcd.descriptors import read_descriptor_rows
from vcd.evaluation import Candidates


@pytest.mark.parametrize("shares", [[0.25, 0.5, 1.0], [1.0], [i / 1000 for i in range(1, 1001)]])
def test_the_bar_of_a_search_ends_full_whatever_the_steps(monkeypatch, shares):
    steps: list[int] = []

    class Bar:
        def advance(self, note: str = "") -> None:
            steps.append(1)

    @contextmanager
    def shown(title, *, total):
        yield Bar()
        assert len(steps) == total

    monkeypatch.setattr(console, "progress", shown)

    with track_files.searching("search") as tell:
        for share in shares:
            tell(share)

    assert len(steps) == 100


@pytest.mark.parametrize(
    ("query_id", "ref_id", "note"),
    [
        pytest.param("Q100001", "R100001", "", id="VSC2022 with its letter"),
        pytest.param("100001", "100001", "", id="VSC2022 without its letter"),
        pytest.param("Q9", "R9", "no id of gt.csv is in", id="another data set"),
        pytest.param("100002", "100001", "1 of the 1 queries", id="another query"),
    ],
)
def test_integer_ids_in_files_are_those_with_their_letter(tmp_path, capsys, query_id, ref_id, note):
    write_rows(tmp_path / "q.npz", {"100001": [[1.0, 0.0]]})
    write_rows(tmp_path / "r.npz", {"100001": [[1.0, 0.0]]})
    query, ref = (read_descriptor_rows(tmp_path / name) for name in ("q.npz", "r.npz"))
    truth = Candidates(query_ids=np.array([query_id]), ref_ids=np.array([ref_id]), score=np.ones(1))

    track_files.say_how_ids_fit(query, ref, truth, "gt.csv")

    told = capsys.readouterr().err
    assert told.startswith(note) if note else told == ""
