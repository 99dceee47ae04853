import contextlib

import numpy as np
import pytest

from vcd.evaluation.synthesis.edits import Edit
from vcd.evaluation.synthesis.query_frames import edited_size, fit_picture, query_frames
from vcd.evaluation.synthesis.query_plan import Part, QueryPlan, Stretch


def flat(level, *, width=40, height=20):
    return np.full((height, width, 3), level, dtype=np.uint8)


def planned(*parts):
    return QueryPlan(
        id="Q100001",
        structure="clip",
        parts=parts,
        size=(40, 20),
        rate_hz=10.0,
        crf=23,
        blurred_bars=False,
    )


def stretch(source_id, first, num):
    return Stretch(source_id=source_id, first_cell=first, num_cells=num, cell_rate_hz=10.0)


class Levels:
    """Footage whose cell k is of grey level k, plus 100 for the stranger."""

    def __init__(self):
        self.open = []

    @contextlib.contextmanager
    def __call__(self, wanted):
        self.open.append(wanted.source_id)
        base = 100 if wanted.source_id == "stranger" else 0
        yield (
            flat(base + cell)
            for cell in range(wanted.first_cell, wanted.first_cell + wanted.num_cells)
        )
        self.open.remove(wanted.source_id)


def test_the_parts_are_shown_one_after_the_other():
    plan = planned(
        Part(shown=stretch("stranger", 5, 2), surrounds=True), Part(shown=stretch("a", 7, 3))
    )

    levels = [int(frame[0, 0, 0]) for frame in query_frames(plan, Levels())]

    assert levels == [105, 106, 7, 8, 9]


def test_an_inset_lies_in_the_frame_of_the_same_moment():
    part = Part(
        shown=stretch("a", 0, 3),
        edits=(Edit(name="inset", seed=1),),
        behind=stretch("stranger", 20, 3),
    )

    frames = list(query_frames(planned(part), Levels()))

    assert [set(np.unique(frame)) for frame in frames] == [{0, 120}, {1, 121}, {2, 122}]


def test_footage_is_closed_when_its_part_is_over():
    levels = Levels()
    plan = planned(Part(shown=stretch("stranger", 0, 1)), Part(shown=stretch("a", 0, 1)))

    frames = query_frames(plan, levels)
    next(frames)
    next(frames)

    assert levels.open == ["a"]
    assert next(frames, None) is None
    assert levels.open == []


def test_footage_that_ends_early_is_an_error():
    part = Part(
        shown=stretch("a", 0, 3),
        edits=(Edit(name="stack", seed=1),),
        behind=stretch("stranger", 0, 3),
    )

    @contextlib.contextmanager
    def footage(wanted):
        yield iter([flat(0)] * (2 if wanted.source_id == "stranger" else 3))

    with pytest.raises(ValueError, match="zip"):
        list(query_frames(planned(part), footage))


def test_a_picture_of_the_right_size_is_left_alone():
    pixels = flat(7)

    assert fit_picture(pixels, (40, 20), blurred_bars=False) is pixels


@pytest.mark.parametrize(
    ("size", "rows", "columns"),
    [
        pytest.param((40, 40), (10, 30), (0, 40), id="bars above and below"),
        pytest.param((80, 20), (0, 20), (20, 60), id="bars at the sides"),
        pytest.param((80, 80), (20, 60), (0, 80), id="enlarged"),
    ],
)
def test_a_picture_of_another_shape_lies_whole_in_the_middle(size, rows, columns):
    fitted = fit_picture(flat(200), size, blurred_bars=False)

    wanted = np.zeros((size[1], size[0], 3), dtype=np.uint8)
    wanted[slice(*rows), slice(*columns)] = 200
    assert np.array_equal(fitted, wanted)


def test_blurred_bars_show_the_picture_itself():
    fitted = fit_picture(flat(200), (40, 40), blurred_bars=True)

    assert (fitted == 200).all()


def test_a_rounded_size_gets_no_bars():
    assert (fit_picture(flat(200, width=43, height=20), (40, 20), blurred_bars=False) == 200).all()


@pytest.mark.parametrize(
    ("name", "size"),
    [
        pytest.param("flip", (160, 90), id="keeps its shape"),
        pytest.param("rotate90", (90, 160), id="turned"),
        pytest.param("stack", (160, 180), id="stacked"),
        pytest.param("inset", (64, 48), id="as large as what it lies in"),
    ],
)
def test_the_size_after_edits_is_known_beforehand(name, size):
    edit = Edit(name=name, seed=1)
    behind = stretch("stranger", 0, 3) if edit.needs_other else None
    part = Part(shown=stretch("a", 0, 3), edits=(edit,), behind=behind)

    assert edited_size(part, (160, 90), (64, 48)) == size
