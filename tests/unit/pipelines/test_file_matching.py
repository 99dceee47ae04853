"""Which background, which thresholds and which protocol two files are matched with."""

import json
from dataclasses import replace
from math import inf

import pytest

from pipelines.file_matching import open_file_matcher
from tests.factories import SPACE, make_descriptors, plant_copy
from vcd.core import InputError, SetupError
from vcd.descriptors import (
    BUNDLED_NAME,
    FitSettings,
    SpaceProfile,
    bundled_card,
    fit_background,
    write_descriptors,
    write_fit,
)

PUBLISHED = """
[match]
protocol = "vsc2022"
max_frame_pairs_per_query = 1200
[align]
aligner = "vcsl_temporal_network"
min_score = -inf
"""


@pytest.fixture
def files(tmp_path, rng):
    """Q0 copies twenty frames of R1."""
    refs = [make_descriptors(f"R{i}", 30, rng) for i in range(3)]
    query = plant_copy(
        make_descriptors("Q0", 40, rng), refs[1], query_frames=(5, 25), ref_frames=(3, 23), rng=rng
    )
    for name, videos in (("q", [query]), ("r", refs)):
        write_descriptors(tmp_path / f"{name}.npz", videos, space=SPACE)
    background = [make_descriptors(f"B{i}", 5, rng) for i in range(30)]
    write_descriptors(tmp_path / "b.npz", background, space=SPACE)
    return tmp_path


def _opened(folder, *, config=None, background=None, **overrides):
    path = None
    if config is not None:
        path = folder / "settings.toml"
        path.write_text(config)
    if background is not None:
        overrides["fit.background"] = str(folder / background)
    return open_file_matcher(folder / "q.npz", folder / "r.npz", path, overrides)


def _pairs(matcher, folder):
    found = matcher.match(folder).matches
    return list(zip(found.query_ids.tolist(), found.ref_ids.tolist(), strict=True))


def test_a_copy_is_found_and_nothing_is_left_behind(files):
    before = sorted(files.iterdir())

    assert _pairs(_opened(files), files) == [("Q0", "R1")]
    assert sorted(files.iterdir()) == before


def test_the_published_protocol_is_chosen_by_the_settings(files):
    matcher = _opened(files, config=PUBLISHED)

    assert ("Q0", "R1") in _pairs(matcher, files)
    assert matcher.fit is None
    assert matcher.settings.align.min_score == -inf


def test_thresholds_are_those_of_the_weights_that_the_file_names(files, rng):
    other = _opened(files).settings
    for name in ("q", "r"):
        space = replace(SPACE, name=BUNDLED_NAME)
        videos = [make_descriptors(name, 5, rng, space=space)]
        write_descriptors(files / f"{name}.npz", videos, space=space)

    bundled = _opened(files).settings

    assert other.search.min_score == SpaceProfile().hit_floor
    assert other.align.min_score == SpaceProfile().min_score
    assert bundled.search.min_score == bundled_card().profile.hit_floor
    assert bundled.align.min_score == bundled_card().profile.min_score


def test_a_flag_wins_over_the_threshold_of_the_space_and_a_default_gives_way(files):
    defaults = {"align.min_score": -1.0}

    def opened(overrides):
        return open_file_matcher(
            files / "q.npz", files / "r.npz", None, overrides, defaults=defaults
        )

    assert opened({"align.min_score": 0.9}).settings.align.min_score == 0.9
    assert opened({}).settings.align.min_score == -1.0


@pytest.mark.parametrize("config", [None, PUBLISHED], ids=["check", "vsc2022"])
def test_a_background_normalizes_scores(config, files):
    matcher = _opened(files, config=config, background="b.npz")

    assert matcher.background is not None
    assert (matcher.fit is None) == (config is not None)
    assert ("Q0", "R1") in _pairs(matcher, files)
    assert "background" in matcher.provenance()["inputs"]


def test_a_fit_that_was_written_before_serves_a_check(files, rng):
    videos = [make_descriptors(f"B{i}", 5, rng) for i in range(30)]
    fit = fit_background(videos, FitSettings())
    write_fit(files / "fit.npz", fit)

    matcher = _opened(files, background="fit.npz")

    assert matcher.provenance()["fit_digest"] == fit.digest
    assert matcher.background is None
    with pytest.raises(InputError, match="a descriptor file needs"):
        _opened(files, config=PUBLISHED, background="fit.npz")


@pytest.mark.parametrize("config", [None, PUBLISHED], ids=["check", "vsc2022"])
def test_a_background_that_holds_a_reference_is_refused(config, files):
    with pytest.raises(InputError, match="R0, R1, R2"):
        _opened(files, config=config, background="r.npz")


@pytest.mark.parametrize("name", ["r", "b"])
def test_a_file_of_another_space_is_refused(name, files, rng):
    other = replace(SPACE, fingerprint="e" * 16)
    videos = [make_descriptors("X", 5, rng, space=other)]
    write_descriptors(files / f"{name}.npz", videos, space=other)

    background = "b.npz" if name == "b" else None
    with pytest.raises(InputError, match="cannot be compared"):
        _opened(files, background=background).match(files)


def test_a_file_that_is_missing_is_named(files):
    with pytest.raises(InputError, match=r"nobody\.npz"):
        _opened(files, background="nobody.npz")


def test_a_folder_that_is_missing_is_named(files):
    with pytest.raises(SetupError, match="nowhere"):
        _opened(files).match(files / "nowhere")


def test_the_provenance_is_json_and_names_no_folder(files):
    matcher = _opened(files, config=PUBLISHED, background="b.npz")

    text = json.dumps(matcher.provenance(), allow_nan=False)

    assert str(files) not in text
    assert json.loads(text)["settings"]["align.min_score"] == "-inf"
    assert json.loads(text)["settings"]["match.protocol"] == "vsc2022"
