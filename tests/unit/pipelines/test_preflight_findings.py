"""What is said of a reference before it goes live, in JSON and in words."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from pipelines.preflight_comparing import Candidate, Comparison, Sighting
from pipelines.preflight_findings import (
    Finding,
    finding_document,
    finding_lines,
    plain,
    seconds_of,
)
from pipelines.preflight_picture import draw_preflight, save_preflight
from tests.factories import make_descriptors, make_match, make_video
from vcd.core import Interval, SetupError, Skipped
from vcd.search import PreflightSettings, Proposal, silenced

HOSTILE = '</title><script>\n"\u202egnp.exe\udcff'


def seen(id_, origin="background", *, ref=(0.0, 10.0), is_duplicate=False, is_left=False):
    return Sighting(
        id=id_,
        origin=origin,
        matches=(make_match(id_, "r", query=(3.0, 13.0), ref=ref),),
        share=0.95 if is_duplicate else 0.5,
        is_duplicate=is_duplicate,
        is_left=is_left,
    )


@pytest.fixture
def finding():
    """Twenty seconds of which the first ten are an intro of four background videos of six."""
    descriptors = make_descriptors("r", 40, np.random.default_rng(3))
    is_intro = np.arange(40) < 20
    comparison = Comparison(
        candidate=Candidate(descriptors=descriptors),
        num_others={"background": 6, "index": 2},
        num_similar=np.where(is_intro, 5, 1),
        num_matching=np.where(is_intro, 4, 0),
        best=np.where(is_intro, 0.9, -np.inf).astype(np.float32),
        sightings=tuple(seen(f"b{i}") for i in range(4)),
        proposals=(Proposal(interval=Interval(0.0, 10.0), reason="common"),),
    )
    return Finding(
        video=make_video("r"),
        comparison=comparison,
        settings=PreflightSettings(),
        skipped=(),
        known="new",
    )


def changed(finding, **changes):
    return replace(finding, comparison=replace(finding.comparison, **changes))


def test_a_second_is_as_common_as_its_most_common_frame(finding):
    count = finding.comparison.num_matching.copy()
    count[20] = 3

    seconds = seconds_of(changed(finding, num_matching=count).comparison)

    assert [second.num_matching for second in seconds[9:12]] == [4, 3, 0]
    assert (seconds[10].best_score, seconds[9].num_similar) == (None, 5)
    assert seconds[-1].interval == Interval(19.0, 20.0)
    assert len(seconds) == 20


def test_the_table_says_what_goes_why_and_what_would_match_then(finding):
    lines = finding_lines(finding)

    assert lines[0] == "r  20.0 s, not in the index"
    assert lines[1].split("  ")[-1].strip() == (
        "in 4 of 6 background videos and 0 of 2 references: "
        "b0 at 3.0 s, b1 at 3.0 s, b2 at 3.0 s, ..."
    )
    assert lines[2].strip() == (
        "as it is, 4 of 6 background videos and 0 of 2 references would match; "
        "with these excluded, 0 of 6 background videos and 0 of 2 references"
    )
    assert finding.doubts == ()


def test_the_document_is_json_and_names_every_video(finding):
    document = json.loads(json.dumps(finding_document(finding), allow_nan=False))

    (proposed,) = document["proposed"]
    assert (proposed["reason"], proposed["num_videos"]) == ("common", 4)
    assert proposed["videos"][0] == {
        "id": "b0",
        "origin": "background",
        "start_s": 3.0,
        "end_s": 13.0,
    }
    assert document["predicted"]["background"] == {
        "num_videos": 6,
        "num_matching": 4,
        "num_matching_after": 0,
    }
    assert document["seconds"][0]["best_score"] == pytest.approx(0.9)
    assert document["excluded"] == [{"start_s": 0.0, "end_s": 10.0}]


def test_more_than_half_is_doubtful_and_so_is_what_the_background_has_whole(finding):
    most = (Proposal(interval=Interval(0.0, 10.5), reason="common"),)
    copies = tuple(seen(f"c{i}", is_duplicate=True) for i in range(2))

    assert "c0 at" not in finding_lines(changed(finding, sightings=copies))[1]
    (too_much,) = changed(finding, proposals=most).doubts
    (footage,) = changed(finding, sightings=copies).doubts

    assert too_much.startswith("52% of what could match would be excluded")
    assert footage.startswith("2 background videos hold all of it")
    assert "DOUBTFUL" in finding_lines(changed(finding, proposals=most))[-1]


def test_what_a_person_excluded_before_is_not_doubted_when_nothing_is_added(finding):
    by_hand = Candidate(
        descriptors=finding.comparison.candidate.descriptors, excluded=(Interval(0.0, 15.0),)
    )

    assert changed(finding, candidate=by_hand).doubts == ()


def test_a_duplicate_in_the_index_is_said_and_is_no_doubt(finding):
    copies = tuple(seen(f"c{i}", "index", is_duplicate=True, is_left=True) for i in range(3))

    found = changed(finding, sightings=copies, proposals=())

    assert found.doubts == ()
    assert found.remarks[0] == (
        "95% of it is in reference c0: a duplicate, which makes nothing common"
    )
    assert "3 of 2" not in finding_lines(found)[1]


def test_what_could_not_be_looked_at_or_compared_is_said(finding):
    black = Candidate(
        descriptors=silenced(finding.comparison.candidate.descriptors, [Interval(0.0, 20.0)])
    )
    skipped = (Skipped(interval=Interval(18.0, 20.0), reason="undecodable"),)

    found = replace(
        changed(finding, candidate=black, num_others={}, sightings=(), proposals=()),
        skipped=skipped,
        known="replaces",
    )

    assert [remark.split(":")[0] for remark in found.remarks] == [
        "nothing in it carries evidence",
        "no other video to hold it against",
        "the index has another file of this id, which it replaces",
        "2.0 s of it could not be looked at",
    ]
    assert finding_lines(found)[1].strip() == "nothing to exclude"


def test_a_hostile_name_is_one_line_of_printable_characters():
    assert plain(HOSTILE) == '</title><script>?"?gnp.exe?'


def test_the_picture_shows_the_strip_and_hatches_what_is_proposed(finding):
    red = Image.new("RGB", (32, 18), (200, 0, 0))

    drawn = np.asarray(draw_preflight(finding, [(Interval(10.0, 20.0), red)]))

    assert drawn.shape[1] == 1240
    assert drawn[160, 900].tolist() == [200, 0, 0]
    assert drawn[300, 100:600].std(axis=0).max() > 10
    assert drawn[230:260, 700:1100].std() == 0


def test_whatever_the_name_the_picture_is_drawn_whole_or_not_at_all(finding, tmp_path):
    hostile = replace(finding, video=replace(finding.video, id=HOSTILE))

    save_preflight(tmp_path / "new/p.png", hostile, [])

    with Image.open(tmp_path / "new/p.png") as picture:
        assert picture.size[0] == 1240
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["p.png"]
    with pytest.raises(SetupError, match="cannot be written"):
        save_preflight(tmp_path / "new/p.png/p.png", finding, [])


def test_an_image_and_an_empty_comparison_are_drawn(finding):
    one = make_descriptors("r", 1, np.random.default_rng(0))
    bare = Comparison(
        candidate=Candidate(descriptors=one),
        num_others={},
        num_similar=np.zeros(1, dtype=np.int64),
        num_matching=np.zeros(1, dtype=np.int64),
        best=np.full(1, -np.inf, dtype=np.float32),
        sightings=(),
        proposals=(),
    )

    image = replace(finding, video=make_video("r", duration_s=0.0), comparison=bare)

    assert draw_preflight(image, []).size[0] == 1240
