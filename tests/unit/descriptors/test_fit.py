"""What is fitted on a background, and what it does to descriptors."""

from dataclasses import replace

import numpy as np
import pytest

from tests.factories import SPACE, make_descriptors, make_timeline, unit_rows
from vcd.core import Descriptors, DescriptorSpace, InputError, SetupError
from vcd.descriptors import (
    Fit,
    FitSettings,
    Floors,
    Projection,
    ScoreNorm,
    SpaceProfile,
    fit_background,
    read_descriptor_rows,
)

SSCD = FitSettings(drop_lowest_variance=False, weight=1.0, stop_neighbour=3)
NOTHING = FitSettings(drop_lowest_variance=False, weight=0.0)


def _images(num_videos, rng, *, num_frames=1):
    """Background videos that resemble each other a little."""
    videos = []
    for number in range(num_videos):
        rows = unit_rows(num_frames, rng) + 0.7 * unit_rows(1, np.random.default_rng(5))
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        videos.append(
            Descriptors.from_frames(f"b{number:03}", make_timeline(num_frames), rows, SPACE)
        )
    return videos


def _bias_among(fit, videos, settings):
    """The bias of each background row against all rows of the other videos, one at a time."""
    found = []
    for video in videos:
        others = np.concatenate([v.features for v in videos if v is not video])
        others = fit.project(others)
        for row in fit.project(video.features):
            nearest = np.sort(others @ row)[::-1]
            taken = nearest[settings.first_neighbour : settings.stop_neighbour].mean()
            found.append(fit.score_norm.offset - settings.weight * taken)
    return np.array(found)


@pytest.mark.parametrize("settings", [FitSettings(), SSCD], ids=["VSC2022", "SSCD"])
@pytest.mark.parametrize("num_frames", [1, 3])
def test_the_offset_leaves_the_median_background_row_its_scores(settings, num_frames, rng):
    videos = _images(31, rng, num_frames=num_frames)

    fit = fit_background(videos, settings)

    assert np.median(_bias_among(fit, videos, settings)) == pytest.approx(0.0, abs=1e-4)


def test_an_offset_that_is_given_is_taken(rng):
    fit = fit_background(_images(9, rng), replace(SSCD, offset=0.25))

    assert fit.score_norm is not None
    assert fit.score_norm.offset == 0.25


def test_one_video_is_no_background_to_measure_an_offset_on(rng):
    videos = _images(1, rng, num_frames=9)

    with pytest.raises(InputError, match=r"several videos: add videos, or set fit\.offset"):
        fit_background(videos, SSCD)
    assert fit_background(videos, replace(SSCD, offset=0.0)).score_norm is not None


def test_floors_are_quantiles_of_the_scores_between_different_videos(rng):
    videos = _images(210, rng, num_frames=2)

    fit = fit_background(videos, SSCD)

    features = np.concatenate([video.features for video in videos])
    score = features @ features.T + _bias_among(fit, videos, SSCD)[:, None]
    ordinal = np.repeat(np.arange(210), 2)
    others = score[ordinal[:, None] != ordinal]
    assert fit.floors is not None
    assert fit.floors.min_similarity == pytest.approx(np.quantile(others, 0.995), abs=1e-3)
    assert fit.floors.hit_floor == pytest.approx(np.quantile(others, 0.9995), abs=1e-3)


def test_too_few_videos_say_nothing_of_the_floors(rng):
    fit = fit_background(_images(199, rng, num_frames=3), SSCD)

    weights = SpaceProfile(hit_floor=0.4, min_similarity=0.3, min_score=0.5)
    assert fit.floors is None
    assert fit.profile(weights) == weights


def test_measured_floors_take_the_place_of_those_of_the_weights_but_not_min_score():
    fit = Fit(space=SPACE, floors=Floors(hit_floor=0.41, min_similarity=0.29))

    profile = fit.profile(SpaceProfile(hit_floor=0.5, min_similarity=0.35, min_score=0.44))

    assert profile == SpaceProfile(hit_floor=0.41, min_similarity=0.29, min_score=0.44)


def test_a_prepared_query_is_projected_and_has_a_bias_for_each_row(rng):
    fit = fit_background(_images(20, rng), FitSettings())
    query = make_descriptors("q", 5, rng)

    prepared = fit.prepare_query(query)

    assert fit.projection is not None
    assert fit.score_norm is not None
    np.testing.assert_array_equal(prepared.features, fit.projection.apply(query.features))
    np.testing.assert_array_equal(prepared.score_bias, fit.score_norm.bias(prepared.features))
    assert prepared.score_bias.any()
    assert prepared.space == fit.fitted_space
    assert prepared.space.dim == SPACE.dim - 1


def test_a_prepared_reference_is_projected_and_has_no_bias(rng):
    fit = fit_background(_images(20, rng), FitSettings())
    ref = make_descriptors("r", 5, rng)

    prepared = fit.prepare_ref(ref)

    np.testing.assert_array_equal(prepared.features, fit.prepare_query(ref).features)
    assert not prepared.score_bias.any()
    assert prepared.space == fit.fitted_space


def test_without_a_projection_references_stay_what_they_are(rng):
    fit = fit_background(_images(20, rng), SSCD)
    ref = make_descriptors("r", 5, rng)

    assert fit.prepare_ref(ref) is ref
    assert fit.prepare_query(ref).features is ref.features
    assert fit.fitted_space == SPACE


def test_frames_without_evidence_have_no_bias_and_stay_zero(rng):
    features = unit_rows(3, rng)
    features[1] = 0.0
    query = Descriptors.from_frames("q", make_timeline(3), features, SPACE)

    prepared = fit_background(_images(20, rng), FitSettings()).prepare_query(query)

    assert prepared.is_informative.tolist() == [True, False, True]
    assert prepared.score_bias[1] == 0.0


def test_a_query_without_frames_can_be_prepared(rng):
    fit = fit_background(_images(20, rng), FitSettings())

    assert len(fit.prepare_query(Descriptors.empty("q", SPACE))) == 0


def test_a_fit_refuses_descriptors_of_another_space(rng):
    other = DescriptorSpace(name="other", dim=64, fingerprint="e" * 16)
    fit = fit_background(_images(20, rng), SSCD)

    with pytest.raises(SetupError, match=r"q: the fit is for .* space test .* of other"):
        fit.prepare_query(make_descriptors("q", 1, rng, space=other))


def test_rows_of_any_length_are_brought_to_length_1(rng):
    fit = fit_background(_images(20, rng), SSCD)

    found = fit.project(5 * unit_rows(3, rng))

    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1.0, atol=1e-6)


def test_the_variance_is_that_of_the_rows_as_the_file_has_them(tmp_path):
    """The third dimension varies least among raw rows, the first among rows of length 1."""
    features = np.array([[90, 1, 0.5], [10, 1, -0.5], [1, 9, 0.5]], dtype=np.float32)
    np.savez(
        tmp_path / "raw.npz",
        video_ids=np.array(["a", "b", "c"]),
        features=features,
        timestamps=np.arange(3.0),
    )

    fit = fit_background(read_descriptor_rows(tmp_path / "raw.npz"), FitSettings(offset=0.0))

    assert fit.projection is not None
    assert fit.projection.matrix.tolist() == [[1, 0, 0], [0, 1, 0]]
    assert fit.score_norm is not None
    np.testing.assert_allclose(np.linalg.norm(fit.score_norm.background, axis=1), 1, atol=1e-6)


def test_whitening_takes_the_place_of_dropping_a_dimension(rng):
    fit = fit_background(_images(80, rng), FitSettings(whitening_dim=10))

    assert fit.fitted_space.dim == 10
    assert fit.score_norm is not None
    assert fit.score_norm.background.shape == (80, 10)


def test_no_weight_and_no_projection_leave_everything_as_it_was(rng):
    fit = fit_background(_images(300, rng), NOTHING)
    query = make_descriptors("q", 2, rng)

    assert (fit.projection, fit.score_norm, fit.floors) == (None, None, None)
    assert fit.prepare_query(query) is query


def test_a_projection_alone_has_floors_of_its_own(rng):
    fit = fit_background(_images(300, rng), replace(NOTHING, whitening_dim=32))

    assert fit.score_norm is None
    assert fit.floors is not None


def test_the_same_background_and_settings_give_the_same_digest(rng):
    videos = _images(20, rng)

    digests = {fit_background(videos, FitSettings()).digest for _ in range(2)}

    assert len(digests) == 1
    assert len(digests.pop()) == 64


def test_whatever_can_move_a_score_changes_the_digest(rng):
    background = unit_rows(5, rng, SPACE.dim)
    norm = ScoreNorm(background=background, weight=1.0)
    square = Projection(
        mean=np.zeros(SPACE.dim, np.float32), matrix=np.eye(SPACE.dim, dtype=np.float32)
    )
    whole = Fit(space=SPACE, score_norm=norm)
    fits = [
        whole,
        replace(whole, space=replace(SPACE, fingerprint="0")),
        replace(whole, projection=square),
        replace(whole, score_norm=None),
        replace(whole, floors=Floors(hit_floor=0.4, min_similarity=0.3)),
        replace(whole, score_norm=replace(norm, weight=1.1)),
        replace(whole, score_norm=replace(norm, stop_neighbour=2)),
        replace(whole, score_norm=replace(norm, first_neighbour=1, stop_neighbour=2)),
        replace(whole, score_norm=replace(norm, offset=0.1)),
        replace(whole, score_norm=replace(norm, background=background[:4])),
    ]

    assert len({fit.digest for fit in fits}) == len(fits)
    assert replace(whole, score_norm=replace(norm, weight=1)).digest == whole.digest


def test_the_fitted_space_names_the_raw_space_and_the_projection_alone(rng):
    videos = _images(20, rng)
    light, heavy = (fit_background(videos, FitSettings(weight=w)) for w in (1.0, 1.2))
    other = fit_background(_images(20, rng), FitSettings(whitening_dim=8))

    assert light.fitted_space == heavy.fitted_space
    assert light.fitted_space.name.startswith("test+")
    spaces = {fit.fitted_space for fit in (light, other)} | {SPACE}
    assert len(spaces) == 3
    moved = replace(light, space=replace(SPACE, fingerprint="0"))
    assert moved.fitted_space != light.fitted_space


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param(
            {
                "projection": Projection(
                    mean=np.zeros(2, np.float32), matrix=np.eye(2, dtype=np.float32)
                )
            },
            id="dim",
        ),
        pytest.param(
            {"score_norm": ScoreNorm(background=np.eye(3, dtype=np.float32), weight=1.0)},
            id="background",
        ),
    ],
)
def test_parts_that_do_not_fit_to_each_other_make_no_fit(parts):
    with pytest.raises(ValueError, match="dimensions"):
        Fit(space=SPACE, **parts)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        pytest.param({"background": ""}, "background must be auto", id="background"),
        pytest.param({"whitening_dim": 0}, "whitening_dim must be at least 1", id="dim"),
        pytest.param({"weight": -1.0}, "weight must be", id="weight"),
        pytest.param({"weight": float("nan")}, "weight must be", id="nan"),
        pytest.param({"first_neighbour": 1}, "wanted ranks", id="ranks"),
        pytest.param({"first_neighbour": -1}, "wanted ranks", id="negative rank"),
        pytest.param({"offset": float("inf")}, "offset must be", id="offset"),
    ],
)
def test_settings_of_no_fit_are_refused(changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        FitSettings(**changes)
