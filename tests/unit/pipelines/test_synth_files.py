import csv
import json

import numpy as np
import pytest

from pipelines.synth_files import DataSet, copy_refs, open_folder, write_tables
from pipelines.synth_footage import UsableVideo
from vcd.core import InputError, Interval, SetupError
from vcd.evaluation.settings import SynthSettings
from vcd.evaluation.synthesis.edits import Edit
from vcd.evaluation.synthesis.footage_roles import Role, Source
from vcd.evaluation.synthesis.query_plan import Part, QueryPlan, Stretch

ROLES = {"a": Role.COPIED, "b": Role.STRANGER, "c": Role.DISTRACTOR}


def stretch(source_id, first=20, rate_hz=10.0):
    return Stretch(source_id=source_id, first_cell=first, num_cells=30, cell_rate_hz=rate_hz)


def query(number, *parts):
    return QueryPlan(
        id=f"Q{number}",
        structure="insertion",
        parts=parts,
        size=(64, 36),
        rate_hz=10.0,
        crf=25,
        blurred_bars=False,
    )


@pytest.fixture
def data_set(tmp_path):
    videos = []
    for name, suffix in (("a", ".MP4"), ("b", ".mp4"), ("c", ".webm")):
        path = tmp_path / f"{name}{suffix}"
        path.write_text(f"the bytes of {name}")
        video = UsableVideo(
            path=path,
            sha256=name * 64,
            duration_s=12.5,
            shown_size=(640, 360),
            source=Source(id=name, usable=Interval(0.0, 12.5), size=(512, 288)),
            thumbnails=np.empty((0, 256), np.uint8),
        )
        videos.append(video)
    edits = (Edit(name="grey", seed=7), Edit(name="text", seed=8))
    around = Part(shown=stretch("b", first=0), surrounds=True)
    plans = (
        query(100001, around, Part(shown=stretch("a", rate_hz=8.0), edits=edits)),
        query(100002, Part(shown=stretch("b")), around),
    )
    return DataSet(
        folder=tmp_path / "set", videos=videos, roles=ROLES, plans=plans, settings=SynthSettings()
    )


def rows(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_references_are_the_users_files_and_strangers_are_none(data_set):
    open_folder(data_set, {})

    copy_refs(data_set)

    folder = data_set.folder / "refs"
    assert sorted(path.name for path in folder.iterdir()) == ["R100001.mp4", "R100002.webm"]
    assert (folder / "R100001.mp4").read_text() == "the bytes of a"


def test_a_reference_that_is_there_is_not_copied_again(data_set):
    open_folder(data_set, {})
    (data_set.folder / "refs" / "R100001.mp4").write_text("kept")

    copy_refs(data_set)

    assert (data_set.folder / "refs" / "R100001.mp4").read_text() == "kept"


def test_a_reference_that_cannot_be_copied_leaves_nothing_half_done(data_set):
    open_folder(data_set, {})
    data_set.videos[2].path.unlink()

    with pytest.raises(SetupError, match=r"R100002.webm: cannot be written: No such file"):
        copy_refs(data_set)

    assert [path.name for path in (data_set.folder / "refs").iterdir()] == ["R100001.mp4"]


def test_the_truth_has_a_line_for_each_copy(data_set):
    open_folder(data_set, {})

    write_tables(data_set, data_set.plans)

    assert (data_set.folder / "ground_truth.csv").read_text() == (
        "query_id,ref_id,query_start,query_end,ref_start,ref_end\n"
        "Q100001,R100001,3.0,6.0,2.5,6.25\n"
    )


def test_a_query_that_was_not_made_is_in_no_table(data_set):
    open_folder(data_set, {})

    write_tables(data_set, data_set.plans[1:])

    assert rows(data_set.folder / "ground_truth.csv") == []
    assert [row["query_id"] for row in rows(data_set.folder / "edits.csv")] == ["Q100002"]
    (metadata,) = rows(data_set.folder / "queries_metadata.csv")
    assert (metadata["video_id"], metadata["duration_sec"]) == ("Q100002", "6.0")


def test_edits_are_told_of_copies_and_of_what_stands_in_their_place(data_set):
    open_folder(data_set, {})

    write_tables(data_set, data_set.plans)

    copy, negative = rows(data_set.folder / "edits.csv")
    assert (copy["edit"], copy["edits"], copy["seeds"]) == ("several", "grey+text+speed", "7+8")
    assert (copy["speed"], copy["crf"], copy["structure"]) == ("1.25", "25", "insertion")
    assert (negative["edit"], negative["ref_id"], negative["ref_start"]) == ("none", "", "")
    assert (negative["query_start"], negative["footage"]) == ("0.0", "b")


def test_the_record_says_what_the_set_was_made_from(data_set):
    open_folder(data_set, {"vcd": "1.2"})

    record = json.loads((data_set.folder / "synth.json").read_text())
    assert record["vcd"] == "1.2"
    assert record["digest"] == data_set.digest
    assert record["settings"]["negative_share"] == 0.5
    assert [(one["file"], one["role"], one["ref_id"]) for one in record["sources"]] == [
        ("a.MP4", "copied", "R100001"),
        ("b.mp4", "stranger", None),
        ("c.webm", "distractor", "R100002"),
    ]


def test_a_folder_of_the_same_plan_is_gone_on_with(data_set):
    open_folder(data_set, {})
    kept = data_set.folder / "queries" / "Q100001.mp4"
    kept.touch()

    open_folder(data_set, {})

    assert kept.exists()


def test_a_folder_of_other_plans_is_left_alone(data_set):
    open_folder(data_set, {})
    before = (data_set.folder / "synth.json").read_bytes()
    other = DataSet(
        folder=data_set.folder,
        videos=data_set.videos,
        roles=ROLES,
        plans=data_set.plans[:1],
        settings=data_set.settings,
    )

    with pytest.raises(InputError, match="found one of other videos, settings or seed"):
        open_folder(other, {})

    assert (data_set.folder / "synth.json").read_bytes() == before


@pytest.mark.parametrize("text", [None, "no json", "[]", "{}"])
def test_a_folder_of_somebody_elses_files_is_left_alone(data_set, text):
    data_set.folder.mkdir()
    (data_set.folder / "holiday.mp4").touch()
    if text is not None:
        (data_set.folder / "synth.json").write_text(text)

    with pytest.raises(InputError, match="wanted an empty folder, or the same data set begun"):
        open_folder(data_set, {})


def test_other_bytes_of_a_video_make_another_set(data_set):
    changed = [data_set.videos[0], data_set.videos[1]]
    other = DataSet(
        folder=data_set.folder,
        videos=changed,
        roles=ROLES,
        plans=data_set.plans,
        settings=data_set.settings,
    )

    assert other.digest != data_set.digest
