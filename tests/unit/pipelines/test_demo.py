import itertools
from pathlib import Path

import numpy as np
import pytest

from pipelines import demo
from pipelines.demo_plan import Part, Upload, demo_refs, demo_uploads, film_frames
from vcd.core import InputError, Interval
from vcd.evaluation.synthesis.drawn_film import Film, draw_film
from vcd.evaluation.synthesis.edits import Edit

SIZE = (64, 36)


@pytest.fixture(scope="module")
def film() -> Film:
    return draw_film("tower", seed=3, duration_s=8.0, size=SIZE)


@pytest.fixture(scope="module")
def stranger() -> Film:
    return draw_film("stranger", seed=4, duration_s=8.0, size=SIZE)


def _upload(behind: Film, *parts: Part) -> Upload:
    return Upload(id="u", about="", parts=parts, size=SIZE, behind=behind)


def test_the_truth_is_where_the_parts_lie(film, stranger):
    upload = _upload(
        stranger,
        Part(film=stranger, start_s=0.0, end_s=3.0, speed=2.0),
        Part(film=film, start_s=1.0, end_s=7.0, speed=1.5),
    )

    (true,) = upload.true_copies(frozenset({"tower"}))

    assert (true.query_id, true.ref_id) == ("u", "tower")
    assert (true.query, true.ref) == (Interval(1.5, 5.5), Interval(1.0, 7.0))
    assert upload.duration_s == 5.5


def test_a_part_shows_the_film_at_the_time_the_truth_says(film, stranger):
    upload = _upload(stranger, Part(film=film, start_s=2.0, end_s=6.0, speed=2.0))

    frames = list(upload.frames(10.0))

    assert len(frames) == 20
    for ordinal in (0, 7, 19):
        wanted = np.asarray(film.picture_at(2.0 + 2.0 * ordinal / 10.0))
        np.testing.assert_array_equal(frames[ordinal], wanted)


def test_edits_change_the_picture_and_keep_the_size(film, stranger):
    names = ("crop70", "flip", "inset")
    for name in names:
        part = Part(film=film, start_s=0.0, end_s=1.0, edits=(Edit(name=name, seed=7),))
        (frame,) = _upload(stranger, part).frames(1.0)

        assert frame.shape == (SIZE[1], SIZE[0], 3)
        assert (frame != np.asarray(film.picture_at(0.0))).any()


def test_the_demo_copies_from_references_only_where_it_says(capsys):
    refs = demo_refs()
    uploads = demo_uploads(refs)

    copies = [true for upload in uploads for true in upload.true_copies(frozenset(refs))]

    assert len(refs) == 8
    assert len(copies) == 9
    assert {true.ref_id for true in copies} == set(refs)
    for true in copies:
        assert true.ref.end_s <= refs[true.ref_id].duration_s
    assert [u.id for u in uploads if not u.true_copies(frozenset(refs))] == [
        "own-work",
        "own-words",
    ]


def test_a_film_is_drawn_the_same_twice_and_another_seed_is_another_film():
    def drawn(seed: int) -> np.ndarray:
        film = draw_film("x", seed=seed, duration_s=6.0, size=SIZE)
        return np.stack(list(film_frames(film, 2.0)))

    once, again, other = drawn(5), drawn(5), drawn(6)

    assert once.shape == (12, SIZE[1], SIZE[0], 3)
    np.testing.assert_array_equal(once, again)
    assert np.abs(once.astype(int) - other).mean() > 20


def test_something_moves_in_every_shot(film):
    frames = [frame.astype(int) for frame in film_frames(film, 4.0)]

    assert all(np.abs(a - b).mean() > 10 for a, b in itertools.pairwise(frames))


def test_a_new_folder_an_empty_one_and_an_earlier_demo_may_be_used(tmp_path: Path):
    out = tmp_path / "demo"
    demo._fresh_folder(out)
    (out / "old.mp4").touch()

    demo._fresh_folder(out)

    assert not (out / "old.mp4").exists()


def test_a_folder_with_other_files_may_not_be_used(tmp_path: Path):
    (tmp_path / "holiday.mp4").touch()

    with pytest.raises(InputError, match="wanted an empty folder or an earlier demo"):
        demo._fresh_folder(tmp_path)
    assert (tmp_path / "holiday.mp4").exists()
