"""How references go live after a pre-flight: at once, with their exclusions, or not at all."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from pipelines import index_preflight
from pipelines.preflight_run import Preflight
from tests.factories import SPACE, make_descriptors, make_video
from tests.unit.pipelines.test_preflight_comparing import INTRO, others, rules, sharing
from vcd.core import Examination, InputError, Interval
from vcd.descriptors import write_descriptors
from vcd.search import IndexWriter, open_index, read_info


def open_writer(path):
    return IndexWriter.open(path, space=SPACE, rate_hz=2.0, weights="w")


@pytest.fixture
def matcher():
    """What of a matcher a pre-flight uses once the videos are described."""
    made = rules()
    detector = SimpleNamespace(
        search=made.search,
        align=made.align,
        fit=None,
        describer=SimpleNamespace(space=SPACE),
    )
    settings = SimpleNamespace(
        preflight=made.preflight,
        media=SimpleNamespace(rate_hz=2.0),
        describe=SimpleNamespace(weights="w"),
    )
    return SimpleNamespace(detector=detector, settings=settings)


def look(index, *videos, sha256="a" * 64):
    """Begin a pre-flight of videos that are described already."""
    looked = []
    for each in videos:
        video = replace(make_video(each.video_id), sha256=sha256)
        looked.append((Examination(video_id=each.video_id, video=video), each))
    info = read_info(index) if index.exists() else None
    return Preflight(index=index, info=info, looked=looked)


def background(ref, rng, frames=INTRO):
    shared = [sharing(ref, f"b{i}", frames, rng) for i in range(2)]
    return others(*shared)


def excluded(index, ref_id):
    return [(each.start_s, each.end_s) for each in read_info(index).by_id[ref_id].excluded]


def test_a_new_reference_goes_live_with_its_exclusions_in_one_publication(
    matcher, tmp_path, rng, monkeypatch
):
    ref = make_descriptors("ref", 60, rng)
    run = look(tmp_path / "i", ref)
    run.compare(matcher, background(ref, rng))
    published = []
    publish = IndexWriter.publish

    def publish_and_tell(writer):
        published.append([each.excluded for each in writer.info.references])
        publish(writer)

    monkeypatch.setattr(IndexWriter, "publish", publish_and_tell)

    run.accept(matcher, wants_all=False)

    assert published == [[(Interval(0.0, 10.5),)]]
    assert excluded(tmp_path / "i", "ref") == [(0.0, 10.5)]
    assert (run.accepted, run.outcome.exit_code) == (["ref"], 0)


def test_a_reference_that_is_there_keeps_what_a_person_excluded(matcher, tmp_path, rng):
    ref = make_descriptors("ref", 60, rng)
    with open_writer(tmp_path / "i") as writer:
        writer.add(make_video("ref"), ref, excluded=[Interval(25.0, 28.0)])
    run = look(tmp_path / "i", ref)
    run.compare(matcher, background(ref, rng))

    run.accept(matcher, wants_all=False)

    assert run.findings[0].known == "in_index"
    assert excluded(tmp_path / "i", "ref") == [(0.0, 10.5), (25.0, 28.0)]


def test_another_file_of_the_id_replaces_it_and_says_so(matcher, tmp_path, rng):
    with open_writer(tmp_path / "i") as writer:
        old = make_descriptors("ref", 30, rng)
        writer.add(make_video("ref"), old, excluded=[Interval(1.0, 2.0)])
    run = look(tmp_path / "i", make_descriptors("ref", 60, rng), sha256="b" * 64)
    run.compare(matcher, [])

    run.accept(matcher, wants_all=False)

    assert "the index has another file of this id, which it replaces" in run.findings[0].remarks
    assert excluded(tmp_path / "i", "ref") == []
    assert read_info(tmp_path / "i").by_id["ref"].num_frames == 60


def test_what_is_doubtful_is_refused_unless_it_is_wanted_and_nothing_is_made(
    matcher, tmp_path, rng
):
    ref = make_descriptors("ref", 60, rng)
    run = look(tmp_path / "i", ref)
    run.compare(matcher, background(ref, rng, frames=(0, 40)))

    run.accept(matcher, wants_all=False)

    assert run.outcome.exit_code == 3
    assert "more than 50%" in run.outcome.refused["ref"]
    assert not (tmp_path / "i").exists()
    run.accept(matcher, wants_all=True)
    assert excluded(tmp_path / "i", "ref") == [(0.0, 20.5)]


def test_an_intro_that_other_references_exclude_is_known_to_be_common(matcher, tmp_path, rng):
    """They do not match by it any more, and the next one with it must not either."""
    ref = make_descriptors("ref", 60, rng)
    with open_writer(tmp_path / "i") as writer:
        for name in ("first", "second"):
            other = sharing(ref, name, INTRO, rng, at=0)
            writer.add(make_video(name), other, excluded=[Interval(0.0, 10.5)])
    run = look(tmp_path / "i", ref)

    run.compare(matcher, [])

    (proposal,) = run.findings[0].comparison.proposals
    assert (proposal.interval, proposal.reason) == (Interval(0.0, 10.5), "common")


def test_what_is_excluded_when_it_is_added_is_never_found(tmp_path, rng):
    ref = make_descriptors("ref", 60, rng)
    with open_writer(tmp_path / "i") as writer:
        writer.add(make_video("ref"), ref, excluded=[Interval(10.0, 30.0), Interval(0.0, 5.0)])

    hits = open_index(tmp_path / "i", rules().search).hits(ref, min_score=0.9)

    found = sorted(int(row) for chunk in hits for row in chunk.ref_row)
    assert found == list(range(10, 20))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"space": np.array('{"name": "x", "dim": 64, "fingerprint": "y"}')}, "got those of x"),
        ({"space": None}, "got those of unknown"),
        ({"features": np.empty((0, 64), np.float32), "video_ids": np.empty(0, "<U1"),
          "timestamps": np.empty((0, 2)), "view": np.empty(0, np.int16)}, "got none"),
    ],
    ids=["other weights", "nobody knows which", "no videos"],
)  # fmt: skip
def test_a_background_that_cannot_be_compared_is_refused(changes, words, tmp_path, rng):
    path = tmp_path / "b.npz"
    write_descriptors(path, [make_descriptors("b", 4, rng)], space=SPACE)
    with np.load(path) as file:
        arrays = {**file, **changes}
    np.savez(path, **{name: each for name, each in arrays.items() if each is not None})

    with pytest.raises(InputError, match=f"wanted descriptors of .*{words}"):
        index_preflight._background(path, SPACE)


def test_a_background_file_gives_its_videos_one_by_one(tmp_path, rng):
    path = tmp_path / "b.npz"
    videos = [make_descriptors(name, 4, rng) for name in ("a", "b")]
    write_descriptors(path, videos, space=SPACE)

    opened = index_preflight._background(path, SPACE)

    assert [(each.id, each.origin) for each in opened] == [("a", "background"), ("b", "background")]
    assert np.array_equal(opened[1].load().features, videos[1].features)
    assert index_preflight._background(None, SPACE) == []


def test_anyway_without_accept_is_a_misuse(capsys):
    with pytest.raises(SystemExit):
        index_preflight.main(["v.mp4", "--index", "i", "--anyway"])

    assert "--anyway says what --accept may do" in capsys.readouterr().err
