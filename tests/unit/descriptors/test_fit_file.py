"""Fits as files, and which fit the settings mean."""

import json
import shutil

import numpy as np
import pytest

from tests.factories import SPACE, make_descriptors
from vcd.core import DescriptorSpace, InputError, SetupError
from vcd.descriptors import (
    Describer,
    DescribeSettings,
    FitSettings,
    bundled_background,
    bundled_card,
    fit_background,
    load_fit,
    read_fit,
    write_descriptors,
    write_fit,
)

SSCD = FitSettings(drop_lowest_variance=False, weight=1.0, stop_neighbour=3)


@pytest.fixture
def videos(rng):
    return [make_descriptors(f"b{number:03}", 2, rng) for number in range(210)]


@pytest.fixture
def fit(videos):
    return fit_background(videos, FitSettings())


@pytest.fixture
def path(tmp_path):
    return tmp_path / "fit.npz"


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param(FitSettings(), id="all of it"),
        pytest.param(SSCD, id="no projection"),
        pytest.param(FitSettings(weight=0.0, whitening_dim=8), id="no score normalization"),
        pytest.param(FitSettings(drop_lowest_variance=False, weight=0.0), id="nothing"),
    ],
)
def test_what_is_written_is_read_again(settings, videos, path, rng):
    fit = fit_background(videos, settings)

    write_fit(path, fit)
    found = read_fit(path)

    query = make_descriptors("q", 4, rng)
    wanted, prepared = fit.prepare_query(query), found.prepare_query(query)
    np.testing.assert_array_equal(prepared.features, wanted.features)
    np.testing.assert_array_equal(prepared.score_bias, wanted.score_bias)
    assert (found.digest, found.space, found.floors) == (fit.digest, fit.space, fit.floors)


def test_equal_fits_are_equal_bytes(videos, path, tmp_path):
    write_fit(path, fit_background(videos, SSCD))
    write_fit(tmp_path / "other.npz", fit_background(videos, SSCD))

    assert path.read_bytes() == (tmp_path / "other.npz").read_bytes()


def test_a_fit_that_cannot_be_written_leaves_what_was_there(fit, tmp_path):
    with pytest.raises(SetupError, match="cannot be written"):
        write_fit(tmp_path / "nowhere" / "fit.npz", fit)
    assert list(tmp_path.iterdir()) == []


def _changed(path, **changes):
    """Write the members again, some of them changed; None leaves one out."""
    with np.load(path) as stored:
        arrays = {name: stored[name] for name in stored.files}
    np.savez(path, **{k: v for k, v in {**arrays, **changes}.items() if v is not None})


def _head(path, **changes):
    with np.load(path) as stored:
        head = json.loads(str(stored["fit"]))
    return np.array(json.dumps({k: v for k, v in {**head, **changes}.items() if v is not None}))


@pytest.mark.parametrize(
    ("member", "sentence"),
    [
        pytest.param({"matrix": np.eye(63, 64, dtype=np.float32)}, "has digest", id="matrix"),
        pytest.param({"background": np.eye(63, dtype=np.float32)}, "has digest", id="background"),
        pytest.param(
            {"background": np.full((3, 63), np.nan, "f4")}, "row 0 is not finite", id="nan row"
        ),
        pytest.param({"background": None}, "has digest", id="no background"),
        pytest.param({"mean": None}, "damaged fit: KeyError", id="no mean"),
        pytest.param({"mean": np.full(64, np.nan, np.float32)}, "not finite", id="nan"),
        pytest.param({"background": np.eye(5, dtype=np.float32)}, "5 dimensions", id="shape"),
        pytest.param({"background": np.empty((0, 63), np.float32)}, "got 0", id="no rows"),
        pytest.param({"fit": np.array("{")}, "damaged fit: JSON", id="no JSON"),
        pytest.param({"fit": np.array("[]")}, "damaged fit: TypeError", id="no object"),
        pytest.param({"fit": np.array("{}")}, "damaged fit: KeyError", id="nothing stated"),
        pytest.param({"fit": np.arange(3)}, "member fit is not one, or of", id="fit of numbers"),
        pytest.param({"virus": np.arange(3)}, "member virus is not one, or of", id="foreign"),
        pytest.param({"fit": None}, "wanted a fit, got background, matrix, mean", id="no fit"),
    ],
)
def test_a_damaged_fit_is_refused(member, sentence, fit, path):
    write_fit(path, fit)
    _changed(path, **member)

    with pytest.raises(InputError, match=rf"fit\.npz: .*{sentence}"):
        read_fit(path)


@pytest.mark.parametrize(
    ("stated", "sentence"),
    [
        pytest.param({"version": 2}, "version 1, got vcd fit of version 2", id="version"),
        pytest.param({"format": "other"}, "got other of version 1", id="format"),
        pytest.param({"score_norm": None}, "damaged fit: KeyError", id="no numbers"),
        pytest.param({"score_norm": {"weight": "x"}}, "damaged fit: ValueError", id="text"),
        pytest.param({"space": {"name": "x"}}, "damaged fit: TypeError", id="space"),
        pytest.param({"floors": {"hit_floor": 0.4}}, "damaged fit: TypeError", id="floors"),
        pytest.param({"digest": "0" * 64}, "not 000000000000", id="digest"),
    ],
)
def test_a_fit_that_states_something_else_is_refused(stated, sentence, fit, path):
    write_fit(path, fit)
    _changed(path, fit=_head(path, **stated))

    with pytest.raises(InputError, match=rf"fit\.npz: .*{sentence}"):
        read_fit(path)


@pytest.mark.parametrize("content", [b"", b"PK", b"no archive at all"])
def test_a_file_that_is_no_archive_is_refused(content, path):
    path.write_bytes(content)

    with pytest.raises(InputError, match=r"fit\.npz: "):
        read_fit(path)


def test_a_fit_cut_off_is_refused(fit, path):
    write_fit(path, fit)
    path.write_bytes(path.read_bytes()[:-200])

    with pytest.raises(InputError, match=r"fit\.npz: "):
        read_fit(path)


def test_a_missing_fit_is_named(path):
    with pytest.raises(InputError, match=r"fit\.npz: cannot be read: No such file"):
        read_fit(path)


def test_none_is_no_fit():
    assert load_fit(FitSettings(background="none"), SPACE) is None


def test_a_file_of_descriptors_is_fitted_with_the_other_settings(videos, path):
    write_descriptors(path, videos, space=SPACE)

    found = load_fit(FitSettings(background=str(path), weight=0.7), SPACE)

    assert found is not None
    assert found.digest == fit_background(videos, FitSettings(weight=0.7)).digest


def test_a_file_that_is_a_fit_is_taken_as_it_is(fit, path):
    write_fit(path, fit)

    found = load_fit(FitSettings(background=str(path), weight=0.7), SPACE)

    assert found is not None
    assert found.digest == fit.digest


def test_a_file_that_is_neither_is_refused(path):
    np.savez(path, something=np.arange(3))

    with pytest.raises(InputError, match="wanted a fit or a descriptor file, got something"):
        load_fit(FitSettings(background=str(path)), SPACE)


@pytest.mark.parametrize("background", ["bundled", "fit.npz"])
def test_a_background_of_another_space_is_refused(background, videos, path):
    write_descriptors(path, videos, space=SPACE)
    other = DescriptorSpace(name="other", dim=64, fingerprint="e" * 16)
    name = str(path) if background == "fit.npz" else background

    with pytest.raises(SetupError, match=r"wanted a background of .* other .*, got one of"):
        load_fit(FitSettings(background=name), other)


def test_auto_prefers_what_the_index_was_calibrated_with(fit):
    assert load_fit(FitSettings(), SPACE, calibrated=fit) is fit


def test_a_calibration_of_another_space_is_refused(fit):
    other = DescriptorSpace(name="other", dim=64, fingerprint="e" * 16)

    with pytest.raises(SetupError, match="the fit of the index: wanted a background"):
        load_fit(FitSettings(), other, calibrated=fit)


def test_auto_is_no_fit_in_a_space_that_has_none():
    assert load_fit(FitSettings(), SPACE) is None


@pytest.fixture
def bundle(tmp_path, monkeypatch):
    """A copy of the bundled files, which are then those of the package."""
    folder = tmp_path / "bundled"
    shutil.copytree(bundled_card().folder, folder)
    monkeypatch.setattr(
        "vcd.descriptors.fit_file.bundled_card", lambda: bundled_card(folder), raising=True
    )
    return folder


@pytest.mark.parametrize("stated", [None, {"weight": 1.0, "stop_neighbour": 3}])
def test_auto_follows_the_card_of_the_bundled_weights(stated, bundle):
    path = bundle / "vcd_compact.json"
    card = json.loads(path.read_text())
    path.write_text(json.dumps({**card, "default_fit": stated}))

    found = load_fit(FitSettings(weight=9.0), bundled_background().space)

    assert load_fit(FitSettings(), SPACE) is None
    if stated is None:
        assert found is None
    else:
        assert found is not None
        assert found.score_norm is not None
        assert (found.score_norm.weight, found.score_norm.stop_neighbour) == (1.0, 3)


def test_the_bundled_background_is_of_the_bundled_weights_and_small():
    rows = bundled_background()

    assert rows.space == Describer(DescribeSettings(device="cpu")).space
    assert len(rows.features) == len(rows.runs) >= 2_000
    assert rows.path.stat().st_size <= 2_000_000


def test_the_bundled_background_has_floors_near_those_of_its_weights():
    rows = bundled_background()

    fit = load_fit(FitSettings(background="bundled", weight=1.0, stop_neighbour=3), rows.space)

    raw = bundled_card().profile
    assert fit is not None
    profile = fit.profile(raw)
    assert profile.min_similarity == pytest.approx(raw.min_similarity, abs=0.05)
    assert profile.hit_floor == pytest.approx(raw.hit_floor, abs=0.05)
    assert profile.min_score == raw.min_score


def test_a_damaged_background_is_not_used(bundle):
    path = bundle / "vcd_compact.background.npz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)

    with pytest.raises(SetupError, match=r"vcd_compact\.background\.npz: missing or damaged"):
        bundled_background(bundle)


@pytest.mark.parametrize("stated", [{"weight": -1}, {"heft": 1}, 3])
def test_a_card_that_states_no_possible_fit_is_refused(stated, bundle):
    path = bundle / "vcd_compact.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "default_fit": stated}))

    with pytest.raises(SetupError, match="the card of the bundled weights"):
        bundled_card(bundle)


def test_a_background_that_is_too_small_is_named(videos, tmp_path):
    path = tmp_path / "few.npz"
    write_descriptors(path, videos[:1], space=SPACE)

    with pytest.raises(InputError, match=r"few\.npz: background: 3 neighbours want as many rows"):
        load_fit(FitSettings(background=str(path), stop_neighbour=3), SPACE)
