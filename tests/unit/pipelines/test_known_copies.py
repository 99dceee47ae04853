"""A data set with known copies goes through the commands; one that shows too little is refused."""

import pytest

from pipelines.known_copies import check_data_set
from tests.unit.pipelines.known_world import THRESHOLD, KnownWorld
from vcd.core import InputError
from vcd.search import IndexCalibration


@pytest.fixture
def world(tmp_path, monkeypatch):
    world = KnownWorld(tmp_path / "known")
    world.write()
    world.stand_in(lambda name, fake: monkeypatch.setattr(f"pipelines.known_copies.{name}", fake))
    return world


def _unlink(world, *names):
    for name in names:
        (world.folder / name).unlink()


def test_every_match_however_weak_is_held_beside_the_truth(world, tmp_path):
    checked = check_data_set(world.folder, tmp_path / "work")

    assert checked.name == "known"
    assert checked.query_ids == ("N0", "N1", *(f"Q{number}" for number in range(7)))
    assert (checked.num_negatives, checked.num_refused) == (2, 0)
    assert (len(checked.truth), len(checked.matches)) == (7, 9)
    first = checked.matches.query_ids.tolist().index("Q0")
    assert checked.matches.query_s[first].tolist() == [1, 9]
    assert checked.matches.ref_s[first].tolist() == [21, 29]
    assert checked.matches.score[first] == 0.9
    assert checked.summary["threshold_digest"] == "terms"


def test_the_commands_are_those_that_anybody_types(world, tmp_path, capsys):
    work = tmp_path / "work"

    check_data_set(
        world.folder,
        work,
        background=tmp_path / "b.npz",
        index_flags=["--fps", "4"],
        config=tmp_path / "mine.toml",
    )

    at = ["--index", str(work / "refs.index"), "--config", str(tmp_path / "mine.toml")]
    assert world.commands == [
        ["add", str(world.folder / "refs"), *at, "--fps", "4"],
        ["calibrate", "--background", str(tmp_path / "b.npz"), *at],
        [
            *(str(world.folder / "queries"), *at),
            *("--out", str(work / "matches.json"), "--min-score=-inf"),
        ],
    ]
    assert capsys.readouterr().out == ""


def test_references_that_are_gone_are_taken_out_of_the_index(world, tmp_path):
    world.indexed = ["R8", "R9"]

    checked = check_data_set(world.folder, tmp_path)

    assert world.commands[1] == ["remove", "R8", "R9", "--index", str(tmp_path / "refs.index")]
    assert [ref.id for ref in checked.info.refs] == [f"R{number}" for number in range(7)]


@pytest.mark.parametrize("stored", [IndexCalibration(), IndexCalibration(threshold=THRESHOLD)])
def test_what_an_earlier_run_stored_is_cleared(world, tmp_path, stored):
    world.stored = stored
    is_something = stored != IndexCalibration()

    check_data_set(world.folder, tmp_path)

    cleared = ["calibrate", "--clear", "--index", str(tmp_path / "refs.index")]
    assert (cleared in world.commands) == is_something


def test_what_cannot_be_decoded_is_counted_and_its_truth_left_out(world, tmp_path):
    world.undecodable = {"Q0", "N0", "extra"}
    (world.folder / "refs/extra.mp4").touch()

    checked = check_data_set(world.folder, tmp_path)

    assert checked.num_refused == 3
    assert (checked.num_negatives, len(checked.truth), len(checked.query_ids)) == (1, 6, 7)


@pytest.mark.parametrize("part", ["refs", "queries", "ground_truth.csv"])
def test_a_folder_that_lacks_a_part_is_no_such_data_set(world, tmp_path, part):
    (world.folder / part).rename(tmp_path / part)

    with pytest.raises(InputError, match=f"wanted refs/, queries/ and .*, found no {part}"):
        check_data_set(world.folder, tmp_path / "work")

    assert world.commands == []


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        pytest.param(
            ["Q9,R0,0,4,2,6\n", "Q8,R0,0,4,2,6\n"],
            r"the query Q8 is not beside it \(2 such ids\): is it of another data set\?",
            id="queries of another set",
        ),
        pytest.param(
            ["Q0,R9,0,4,2,6\n"],
            r"the reference R9 is not beside it \(1 such id\)",
            id="a reference of another set",
        ),
        pytest.param([], "no query that can be looked at has a true segment", id="no truth"),
        pytest.param(["Q0,R0,4,0,2,6\n"], "ground_truth.csv", id="ends before it starts"),
    ],
)
def test_a_ground_truth_that_does_not_fit_is_refused_before_anything_is_decoded(
    world, tmp_path, rows, sentence
):
    world.say_truth(rows)

    with pytest.raises(InputError, match=sentence):
        check_data_set(world.folder, tmp_path)

    assert world.commands == []


def test_without_a_negative_nothing_is_decoded(world, tmp_path):
    _unlink(world, "queries/N0.mp4", "queries/N1.mp4")

    with pytest.raises(InputError, match="every query copies something; wanted some that copy not"):
        check_data_set(world.folder, tmp_path)

    assert world.commands == []


@pytest.mark.parametrize(
    ("undecodable", "sentence"),
    [
        pytest.param({"R3"}, "the reference R3 cannot be decoded", id="a reference of the truth"),
        pytest.param({"N0", "N1"}, "every query copies something", id="every negative"),
        pytest.param(
            {f"Q{number}" for number in range(7)},
            "no query that can be looked at has a true segment",
            id="every copy",
        ),
    ],
)
def test_what_cannot_be_decoded_may_be_what_is_needed(world, tmp_path, undecodable, sentence):
    world.undecodable = undecodable

    with pytest.raises(InputError, match=sentence):
        check_data_set(world.folder, tmp_path)
