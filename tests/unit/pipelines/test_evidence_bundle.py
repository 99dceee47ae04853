import fcntl
import hashlib
import os
import threading
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipelines import evidence_bundle
from pipelines.evidence_bundle import EvidenceFolder, make_evidence_folder
from tests.clips import Clip, numbered, write_clip
from tests.evidence_records import make_evidence
from tests.factories import SPACE, make_descriptors, make_report
from tests.here_pool import HerePool
from vcd.core import (
    Descriptors,
    Examination,
    FramePair,
    InputError,
    Interval,
    Match,
    MatchEvidence,
    SetupError,
    TimeLine,
    Video,
)
from vcd.evidence import RECORD_NAME, EvidenceSettings, files_of, folder_name, read_record
from vcd.search import RefInfo

_SETTINGS = EvidenceSettings(
    frame_height_px=60, preview_height_px=60, max_frame_pairs=6, max_pictured_matches=2
)
_CLIP = Clip(
    suffix="mp4",
    codec="libx264",
    num_frames=100,
    width=160,
    height=120,
    encoder={"g": "25", "preset": "ultrafast"},
)


class OneIndex:
    """References that all have the same descriptors."""

    def __init__(self, ref):
        self._ref = ref

    def descriptors(self, ref_id):
        return replace(self._ref, video_id=ref_id)


class TornPool:
    """A machine that is switched off in the middle of a video."""

    def decode(self, requests):
        for _ in requests:
            raise KeyboardInterrupt
        yield


def _video(path, id_, *, duration_s=4.0):
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return Video(
        id=id_, uri=str(path), sha256=sha256, duration_s=duration_s, width_px=160, height_px=120
    )


def _match(query_id, ref_id="ref", *, score=0.9):
    pair = FramePair(query_s=1.25, ref_s=1.25, similarity=0.9)
    evidence = MatchEvidence(
        query_view=0,
        ref_view=0,
        line=TimeLine(slope=1.0, intercept_s=0.0, residual_s=0.0),
        strength=0.9,
        num_independent=4.0,
        per_second=(pair,),
        best=(pair,),
        hints=(),
    )
    return Match(
        query_id=query_id,
        ref_id=ref_id,
        query=Interval(1.0, 3.0),
        ref=Interval(1.0, 3.0),
        score=score,
        evidence=evidence,
    )


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    path = tmp_path_factory.mktemp("media") / "film.mp4"
    write_clip(path, _CLIP)
    return path


@pytest.fixture
def world(film, tmp_path, rng):
    """A folder for evidence, and one upload that is the reference itself."""
    return World(film, tmp_path, rng)


class World:
    def __init__(self, film, tmp_path, rng):
        self.film = film
        self.ref = make_descriptors("ref", 8, rng)
        info = RefInfo(video=_video(film, "ref"), num_vectors=8, num_frames=8, digest="d" * 64)
        index: Any = OneIndex(self.ref)
        pool: Any = HerePool()
        self.folder = EvidenceFolder(
            path=tmp_path / "evidence",
            settings=_SETTINGS,
            terms=make_evidence().terms,
            refs={"ref": info},
            index=index,
            prepare=lambda descriptors: descriptors,
            pool=pool,
        )
        make_evidence_folder(self.folder.path)

    def ref_is(self, ref_id="ref", **changes):
        info = self.folder.refs["ref"]
        video = replace(info.video, id=ref_id, **changes)
        self.folder.refs = {**self.folder.refs, ref_id: replace(info, video=video)}

    def write(self, query_id="upload", *, matches=None, path=None):
        """Write the evidence of an upload; give back its record, its folder and what was said."""
        matches = [_match(query_id)] if matches is None else matches
        video = _video(path or self.film, query_id)
        report = make_report(
            query_id=query_id,
            query_sha256=video.sha256,
            matches=tuple(matches),
            rejected=(),
            elapsed_s={},
        )
        examination = Examination(video_id=query_id, video=video, decoder="pyav")
        said = self.folder.write(examination, replace(self.ref, video_id=query_id), report)
        folder = self.folder.path / folder_name(query_id)
        return read_record(folder), folder, said


def _names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_folder_of_an_upload_holds_what_its_record_names_and_nothing_else(world):
    record, folder, said = world.write()

    assert _names(folder) == [
        "evidence.json",
        "match_0_query.jpg",
        "match_0_query.webm",
        "match_0_ref.jpg",
        "match_0_ref.webm",
        "query.jpg",
        "ref_0.jpg",
    ]
    for name, sha256 in files_of(record).items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == sha256
    assert said == ()


def test_the_record_tells_where_to_look(world):
    (match,) = world.write()[0].matches

    assert match.missing == ()
    assert match.sheets.query.times_s == match.sheets.ref.times_s
    assert len(match.sheets.query.times_s) == 4
    assert match.query_preview.interval == match.ref_preview.interval == Interval(1.0, 3.0)
    assert match.map.query == Interval(0.0, 4.0)
    assert np.array_equal(match.map.similarity_QR == 255, np.eye(8, dtype=np.bool_))


def test_equal_uploads_have_equal_evidence(world):
    first, _, _ = world.write()
    second, _, _ = world.write()

    assert first.digest == second.digest


def test_a_long_match_has_a_clip_of_its_beginning_on_both_sides(world):
    world.folder.settings = replace(_SETTINGS, max_preview_s=0.5)

    (match,) = world.write()[0].matches

    assert match.query_preview.interval == match.ref_preview.interval == Interval(1.0, 1.5)
    assert max(match.sheets.query.times_s) > 2.5


def test_an_upload_without_a_match_has_its_pictures_all_the_same(world):
    record, folder, _ = world.write(matches=[])

    assert _names(folder) == ["evidence.json", "query.jpg"]
    assert len(record.query_strip.times_s) == 8


def test_a_refused_upload_has_a_record_without_pictures(world):
    report = make_report(
        query_id="bad",
        query_sha256=None,
        matches=(),
        rejected=(),
        examined=(),
        skipped=(),
        refused="bad.mp4: wanted a video, found text",
        decoder=None,
        elapsed_s={},
    )
    examination = Examination(video_id="bad", video=None, refused=report.refused, reason="text")

    said = world.folder.write(examination, Descriptors.empty("bad", SPACE), report)

    folder = world.folder.path / folder_name("bad")
    assert _names(folder) == ["evidence.json"]
    assert read_record(folder).report == report
    assert said == ()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"uri": "/nowhere/film.mp4"}, "cannot be read any more"),
        ({"sha256": "0" * 64}, "is another one by now"),
        ({"uri": "s3://bucket/film.mp4?key=secret"}, "is at s3://bucket/film.mp4, which is not"),
    ],
    ids=["moved", "replaced", "far away"],
)
def test_a_reference_that_cannot_be_looked_at_is_said_and_all_else_is_there(changes, why, world):
    world.ref_is(**changes)

    record, folder, said = world.write()

    (match,) = record.matches
    assert _names(folder) == ["evidence.json", "match_0_query.webm", "query.jpg"]
    assert match.sheets is None
    assert match.query_preview is not None
    assert match.map.similarity_QR.max() == 255
    (sentence,) = match.missing
    assert why in sentence
    assert "secret" not in sentence
    assert said == match.missing


def test_a_reference_that_came_over_a_bus_is_looked_at_where_its_uri_says(world):
    world.ref_is(uri=world.film.as_uri())

    assert world.write()[0].refs[0].strip is not None


def test_an_upload_that_vanished_is_still_evidence(world, tmp_path):
    path = tmp_path / "upload.mp4"
    path.write_bytes(b"no video any more")

    record, _, said = world.write(path=path)

    assert record.query_strip is None
    assert record.matches[0].sheets is None
    assert record.matches[0].ref_preview is not None
    assert len(said) == 1
    assert "wanted a known video" in said[0]


def test_an_image_has_pictures_and_no_clip(world, tmp_path):
    path = tmp_path / "still.png"
    Image.fromarray(numbered(3, width=160, height=120)).save(path)
    video = _video(path, "still", duration_s=0.0)
    report = make_report(
        query_id="still",
        query_sha256=video.sha256,
        matches=(replace(_match("still"), query=Interval(0.0, 0.5)),),
        elapsed_s={},
    )
    still = Examination(video_id="still", video=video, decoder="pillow")

    said = world.folder.write(still, replace(world.ref, video_id="still"), report)

    (match,) = read_record(world.folder.path / folder_name("still")).matches
    assert match.query_preview is None
    assert match.ref_preview is not None
    assert match.sheets is not None
    assert set(match.sheets.query.times_s) == {0.0}
    assert match.missing == ("still is an image: it has no clip",)
    assert said == ()


def test_the_best_matches_have_pictures_and_the_others_say_so(world):
    matches = [_match("upload", score=score) for score in (0.9, 0.8, 0.7)]

    found = world.write(matches=matches)[0].matches

    assert [match.sheets is not None for match in found] == [True, True, False]
    assert found[2].missing == ("pictures are made of the best 2 matches only",)


def test_references_are_in_order_of_their_ids(world):
    world.ref_is("another")

    record, _, _ = world.write(matches=[_match("upload"), _match("upload", "another", score=0.5)])

    assert [ref.video.id for ref in record.refs] == ["another", "ref"]


def test_pictures_along_a_reference_are_made_once_for_many_uploads(world):
    first, _, _ = world.write("one", matches=[_match("one")])
    num_requests = len(world.folder.pool.requests)
    world.ref_is("another", sha256="0" * 64)

    matches = [_match("two"), _match("two", "another", score=0.5)]
    second, folder, _ = world.write("two", matches=matches)

    assert len(world.folder.pool.requests) == 2 * num_requests
    strips = [record.refs[-1].strip for record in (first, second)]
    assert [strip.file for strip in strips] == ["ref_0.jpg", "ref_1.jpg"]
    assert strips[0].sha256 == strips[1].sha256
    assert (folder / "ref_1.jpg").is_file()


def test_what_an_earlier_run_left_is_removed_and_what_others_put_there_stays(world):
    _, folder, _ = world.write()
    (folder / "notes.txt").write_text("mine")

    world.write(matches=[])

    assert _names(folder) == ["evidence.json", "notes.txt", "query.jpg"]


def test_a_run_that_is_killed_leaves_no_evidence_of_the_earlier_one(world):
    _, folder, _ = world.write()
    world.folder.pool = TornPool()

    with pytest.raises(KeyboardInterrupt):
        world.write()

    with pytest.raises(InputError, match=r"wanted a folder with evidence\.json"):
        read_record(folder)


def test_evidence_is_held_when_it_is_of_the_same_report_and_whole(world):
    record, folder, _ = world.write()
    holds = world.folder.holds

    assert holds(record.report)
    assert not holds(replace(record.report, settings_digest="other"))
    assert not holds(replace(record.report, query_id="other", matches=()))

    (folder / "match_0_ref.webm").unlink()
    assert not holds(record.report)


@pytest.mark.parametrize("query_id", ["../../escaped", "/etc/escaped", "a/../../b", "..", "\x00"])
def test_no_id_escapes_from_the_folder(query_id, world, tmp_path):
    record, folder, _ = world.write(query_id)

    assert record.report.query_id == query_id
    assert folder.parent == world.folder.path
    assert [path.name for path in tmp_path.iterdir()] == ["evidence"]


def test_a_folder_that_is_a_file_stops_everything(tmp_path):
    (tmp_path / "evidence").write_text("")

    with pytest.raises(SetupError, match="wanted a folder for evidence that can be written to"):
        make_evidence_folder(tmp_path / "evidence")


def test_a_file_where_the_folder_of_an_upload_belongs_stops_everything(world):
    (world.folder.path / folder_name("upload")).write_text("")

    with pytest.raises(SetupError, match="cannot be written"):
        world.write()


def test_a_fault_of_ours_in_what_pictures_say_loses_no_upload(world, monkeypatch):
    def fails(_pairs):
        raise np.linalg.LinAlgError("Singular matrix")

    monkeypatch.setattr(evidence_bundle, "transform_hints", fails)

    record, _, said = world.write()

    assert record.matches[0].sheets is not None
    assert said == ("an error of ours: LinAlgError: Singular matrix",)


def test_pictures_say_nothing_of_a_copy_without_a_line(world, monkeypatch):
    seen = []
    monkeypatch.setattr(evidence_bundle, "transform_hints", lambda pairs: seen.append(len(pairs)))
    match = _match("upload")
    without = replace(match, evidence=replace(match.evidence, line=None))

    world.write(matches=[match])
    world.write(matches=[without])

    assert seen[0] > 0
    assert seen[1] == 0


def test_a_run_waits_for_another_that_writes_the_same_upload(world):
    folder = world.folder.path / folder_name("upload")
    folder.mkdir()
    handle = os.open(folder, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    writing = threading.Thread(target=world.write)

    writing.start()
    writing.join(1.0)
    is_waiting = not any(folder.iterdir())
    os.close(handle)
    writing.join()

    assert is_waiting
    assert (folder / RECORD_NAME).exists()
