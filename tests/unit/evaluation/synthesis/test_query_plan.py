import dataclasses
from typing import Any

import pytest

from vcd.core import Interval
from vcd.evaluation.synthesis.edits import Edit
from vcd.evaluation.synthesis.query_plan import Part, QueryPlan, Stretch

CLIP = Stretch(source_id="a", first_cell=30, num_cells=50, cell_rate_hz=10.0)
AROUND = Stretch(source_id="s", first_cell=0, num_cells=20, cell_rate_hz=10.0)


def planned(*parts, **changes):
    values: dict[str, Any] = {
        "id": "Q100001",
        "structure": "insertion",
        "parts": parts,
        "size": (64, 36),
        "rate_hz": 10.0,
        "crf": 23,
        "blurred_bars": False,
    }
    return QueryPlan(**(values | changes))


def test_a_stretch_is_shown_from_its_first_cell_to_the_end_of_its_last():
    assert CLIP.interval == Interval(3.0, 8.0)


@pytest.mark.parametrize(
    "change",
    [{"first_cell": -1}, {"num_cells": 0}, {"cell_rate_hz": 0.0}, {"cell_rate_hz": 1001.0}],
    ids=str,
)
def test_a_stretch_that_cannot_be_is_refused(change):
    with pytest.raises(ValueError, match="a: no such stretch"):
        dataclasses.replace(CLIP, **change)


def test_the_truth_is_where_the_copy_lies_in_both_videos():
    plan = planned(Part(shown=AROUND, surrounds=True), Part(shown=CLIP), Part(shown=AROUND))

    ((part, true),) = plan.true_copies({"a": "R100001"})

    assert part.shown == CLIP
    assert (true.query_id, true.ref_id) == ("Q100001", "R100001")
    assert (true.query, true.ref) == (Interval(2.0, 7.0), Interval(3.0, 8.0))
    assert (plan.num_frames, plan.duration_s) == (90, 9.0)


def test_a_faster_copy_shows_more_of_the_reference():
    faster = dataclasses.replace(CLIP, cell_rate_hz=8.0)

    plan = planned(Part(shown=faster))

    ((part, true),) = plan.true_copies({"a": "R100001"})
    assert (true.query, true.ref) == (Interval(0.0, 5.0), Interval(3.75, 10.0))
    assert plan.speed(part) == 1.25


def test_what_is_no_reference_is_no_copy():
    assert planned(Part(shown=CLIP)).true_copies({"b": "R100001"}) == ()


@pytest.mark.parametrize(
    ("edits", "cell_rate_hz", "crf", "names"),
    [
        pytest.param((), 10.0, 23, ("none",), id="untouched"),
        pytest.param(("grey", "text"), 10.0, 30, ("grey", "text"), id="in order"),
        pytest.param(("flip",), 8.0, 23, ("flip", "speed"), id="speed comes after the picture"),
        pytest.param((), 10.0, 38, ("low_bitrate",), id="badly compressed"),
    ],
)
def test_edits_are_named_in_the_order_of_doing(edits, cell_rate_hz, crf, names):
    shown = dataclasses.replace(CLIP, cell_rate_hz=cell_rate_hz)
    part = Part(shown=shown, edits=tuple(Edit(name=name, seed=0) for name in edits))

    assert planned(part, crf=crf).edit_names(part) == names


@pytest.mark.parametrize(
    ("edits", "behind", "sentence"),
    [
        pytest.param(("inset",), None, "other footage is for insets", id="inset in nothing"),
        pytest.param(("grey",), CLIP, "other footage is for insets", id="nothing to lie behind"),
        pytest.param(("stack",), AROUND, "behind has another length", id="too short"),
    ],
)
def test_a_part_has_other_footage_exactly_when_its_edits_need_it(edits, behind, sentence):
    with pytest.raises(ValueError, match=sentence):
        Part(shown=CLIP, edits=tuple(Edit(name=name, seed=0) for name in edits), behind=behind)


@pytest.mark.parametrize("size", [(63, 36), (64, 35), (0, 36)])
def test_a_query_has_an_even_size(size):
    with pytest.raises(ValueError, match="even size"):
        planned(Part(shown=CLIP), size=size)


def test_a_query_of_nothing_is_refused():
    with pytest.raises(ValueError, match="Q100001: wanted parts"):
        planned()
