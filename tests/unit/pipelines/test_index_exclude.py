"""`vcd index exclude` and what `vcd index info` says of it."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines import index as index_verb
from pipelines.index_exclude import exclude_stretches
from tests.factories import SPACE, make_descriptors, make_video
from vcd.core import InputError, Interval, SetupError, Skipped
from vcd.search import IndexWriter, read_info


@pytest.fixture
def index(tmp_path: Path, rng) -> Path:
    path = tmp_path / "refs.index"
    with IndexWriter.open(path, space=SPACE, rate_hz=2.0, weights="test") as writer:
        writer.add(make_video("a", duration_s=10.0), make_descriptors("a", 20, rng))
        writer.add(
            make_video("b", duration_s=10.0),
            make_descriptors("b", 20, rng),
            skipped=(Skipped(interval=Interval(8.0, 9.5), reason="undecodable"),),
        )
        writer.add(make_video("image", duration_s=0.0), make_descriptors("image", 1, rng))
    return path


def exclude(index: Path, *words: object) -> int:
    return index_verb.main(["exclude", "--index", str(index), *map(str, words)])


def excluded_of(index: Path, ref_id: str) -> list[tuple[float, float]]:
    return [(each.start_s, each.end_s) for each in read_info(index).by_id[ref_id].excluded]


def info_of(index: Path, capsys: pytest.CaptureFixture[str]) -> tuple[str, Any]:
    capsys.readouterr()
    index_verb.main(["info", "--index", str(index)])
    text = capsys.readouterr().out
    index_verb.main(["info", "--index", str(index), "--json"])
    return text, json.loads(capsys.readouterr().out)


def test_a_stretch_is_excluded_and_said(index, capsys):
    before = read_info(index)

    code = exclude(index, "a", 1, 2.5)

    after = read_info(index)
    assert code == 0
    assert excluded_of(index, "a") == [(1.0, 2.5)]
    assert capsys.readouterr().err == "a: excluded 1.00-2.50 s\n"
    assert after.version != before.version
    assert after.by_id["a"].digest == before.by_id["a"].digest
    assert after.by_id["b"] == before.by_id["b"]


@pytest.mark.parametrize(
    ("more", "merged"),
    [
        pytest.param((2.0, 4.0), [(1.0, 4.0)], id="overlapping"),
        pytest.param((2.5, 4.0), [(1.0, 4.0)], id="touching"),
        pytest.param((1.5, 2.0), [(1.0, 2.5)], id="inside"),
        pytest.param((0.0, 9.0), [(0.0, 9.0)], id="around"),
        pytest.param((5.0, 6.0), [(1.0, 2.5), (5.0, 6.0)], id="apart"),
        pytest.param((9.0, 99.0), [(1.0, 2.5), (9.0, 10.0)], id="beyond its end"),
    ],
)
def test_stretches_are_merged_and_end_with_the_reference(index, more, merged):
    exclude(index, "a", 1, 2.5)

    assert exclude(index, "a", *more) == 0

    assert excluded_of(index, "a") == merged


def test_what_is_excluded_already_changes_nothing(index):
    exclude(index, "a", 1, 2.5)
    before = (index / "manifest.json").stat().st_ino

    assert exclude(index, "a", 1.5, 2) == 0

    assert (index / "manifest.json").stat().st_ino == before


def test_clearing_takes_all_stretches_of_one_reference_back(index, capsys):
    first = read_info(index).version
    for ref_id in ("a", "b"):
        exclude(index, ref_id, 1, 2)
    exclude(index, "a", 4, 5)
    capsys.readouterr()

    assert exclude(index, "a", "--clear") == 0

    assert capsys.readouterr().err == "a: nothing is excluded\n"
    assert (excluded_of(index, "a"), excluded_of(index, "b")) == ([], [(1.0, 2.0)])
    exclude(index, "b", "--clear")
    assert read_info(index).version == first


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("nobody", 1, 2), "refused nobody: the index has no reference of this id"),
        (("nobody", "--clear"), "refused nobody: the index has no reference of this id"),
        (("a", 10, 12), "refused a: wanted a stretch of its 10.00 s, got 10.00-12.00 s"),
    ],
)
def test_what_is_not_in_the_index_is_refused(index, words, told, capsys):
    before = read_info(index)

    assert exclude(index, *words) == 3

    assert told in capsys.readouterr().err
    assert read_info(index) == before


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("a",), "give START and END"),
        (("a", 1), "give START and END"),
        (("a", 2, 1), "wanted 0 <= START < END in seconds, got 2.0 and 1.0"),
        (("a", 1, 1), "wanted 0 <= START < END"),
        (("a", -1, 1), "wanted 0 <= START < END"),
        (("a", "nan", 1), "wanted 0 <= START < END"),
        (("a", 1, "inf"), "wanted 0 <= START < END"),
        (("a", "one", 2), "invalid float value: 'one'"),
        (("a", 1, 2, "--clear"), "give it without START and END"),
    ],
)
def test_misuse_is_said_before_anything_is_opened(tmp_path, words, told, capsys):
    with pytest.raises(SystemExit) as stop:
        exclude(tmp_path / "nothing", *words)

    assert stop.value.code == 2
    assert told in capsys.readouterr().err


def test_an_index_that_follows_a_log_names_the_verb_that_changes_it(index):
    (index / "log.json").write_text(json.dumps({"address": "sqlite:bus.db"}))

    with pytest.raises(SetupError, match=r"vcd references add\|remove --log sqlite:bus\.db"):
        exclude(index, "a", 1, 2)


def test_an_index_that_is_not_there_is_not_made(tmp_path):
    with pytest.raises(SetupError, match="wanted an index, found nothing"):
        exclude(tmp_path / "nothing", "a", 1, 2)

    assert not (tmp_path / "nothing").exists()


def test_info_shows_what_is_excluded_and_what_was_not_seen(index, capsys):
    exclude(index, "b", 1, 2.5)
    exclude(index, "b", 4, 5)

    text, document = info_of(index, capsys)

    lines = text.splitlines()
    assert lines[2] == "  not seen 8.00-9.50 s (undecodable)"
    assert lines[3] == "  excluded 1.00-2.50 s, 4.00-5.00 s"
    a, b, _ = document["references"]
    assert (a["excluded"], a["skipped"]) == ([], [])
    assert b["excluded"] == [{"start_s": 1.0, "end_s": 2.5}, {"start_s": 4.0, "end_s": 5.0}]
    assert b["skipped"] == [{"start_s": 8.0, "end_s": 9.5, "reason": "undecodable"}]


@pytest.mark.parametrize(
    ("ref_id", "stretch"), [("a", (0, 10)), ("a", (0.4, 60)), ("a", (0, 9.8)), ("image", (0, 1))]
)
def test_info_says_of_a_reference_that_is_excluded_as_a_whole_that_it_never_matches(
    index, ref_id, stretch, capsys
):
    exclude(index, ref_id, *stretch)

    text, _ = info_of(index, capsys)

    assert text.count("all of it is excluded: it never matches") == 1


@pytest.mark.parametrize("stretch", [(0, 9.4), (0.6, 10)])
def test_a_reference_is_not_excluded_as_a_whole_while_a_frame_is_not(index, stretch, capsys):
    exclude(index, "a", *stretch)

    assert f"  excluded {stretch[0]:.2f}-{stretch[1]:.2f} s\n" in info_of(index, capsys)[0]


def test_several_references_are_excluded_from_at_once_or_none(index):
    with pytest.raises(InputError, match="nobody: the index has no reference"):
        exclude_stretches(index, {"a": [Interval(1.0, 2.0)], "nobody": [Interval(1.0, 2.0)]})

    assert excluded_of(index, "a") == []
    found = exclude_stretches(
        index, {"a": [Interval(3.0, 4.0), Interval(1.0, 3.5)], "b": [Interval(0.0, 1.0)]}
    )
    assert found == {"a": (Interval(1.0, 4.0),), "b": (Interval(0.0, 1.0),)}
