"""Bounds below the sampling grid, on made footage of which the truth is known."""

import dataclasses

import numpy as np
import pytest

from vcd.align import AlignSettings, align_pair
from vcd.align.frames import FrameView
from vcd.align.paths import Line
from vcd.align.refine import refine_bounds
from vcd.core import InputError, Interval

SETTINGS = AlignSettings()


def _errors(copy, settings, denser=None):
    accepted = align_pair(copy.query, copy.ref, copy.tally, settings, denser=denser).accepted
    assert len(accepted) == 1
    found = accepted[0]
    bounds = (found.query.start_s, found.query.end_s, found.ref.start_s, found.ref.end_s)
    return np.abs(np.subtract(bounds, copy.truth))


def _copies(made):
    rng = np.random.default_rng(0)
    return [
        made.edited_copy(
            seed,
            length_s=rng.uniform(5, 20),
            slope=rng.choice([1.0, rng.uniform(0.65, 1.6)]),
            q_start_s=rng.uniform(3, 15),
            r_start_s=rng.uniform(2, 20),
        )
        for seed in range(25)
    ]


def test_dense_sampling_brings_bounds_within_a_tenth_of_a_second(made):
    copies = _copies(made)

    grid = np.array([_errors(c, dataclasses.replace(SETTINGS, refine=False)) for c in copies])
    line = np.array([_errors(c, SETTINGS) for c in copies])
    dense = np.array([_errors(c, SETTINGS, c.denser) for c in copies])

    assert np.median(dense) < 0.06
    assert np.percentile(dense, 90) < 0.15
    assert np.median(line[:, 2:]) < np.median(grid[:, 2:])
    assert np.median(dense) < 0.5 * np.median(grid)


@pytest.mark.parametrize("length_s", [8.0, 8.3, 20.1])
def test_a_full_length_copy_has_full_length(made, length_s):
    footage = made.Footage(1, 40.0)
    query = made.describe("q", footage.at, 0.0, length_s)
    ref = made.describe("r", footage.at, 0.0, length_s, noise=0.0)

    found = align_pair(query, ref, made.tally(query, ref), SETTINGS).accepted[0]

    assert (found.query.start_s, found.query.end_s) == (0.0, length_s)
    assert (found.ref.start_s, found.ref.end_s) == (0.0, length_s)


def test_a_full_length_copy_of_a_still_video_has_full_length(made):
    footage = made.Footage(1, 40.0, drift=0.001, shot_s=1e6)
    query = made.describe("q", footage.at, 0.0, 15.0, noise=0.2)
    ref = made.describe("r", footage.at, 0.0, 15.0, noise=0.0)

    found = align_pair(query, ref, made.tally(query, ref), SETTINGS).accepted[0]

    assert (found.query.start_s, found.query.end_s) == (0.0, 15.0)
    assert (found.ref.start_s, found.ref.end_s) == (0.0, 15.0)


def test_a_whole_reference_inside_another_video_has_its_full_length(made):
    copy = made.edited_copy(3, length_s=10.0, q_start_s=6.2, r_start_s=0.0)

    found = align_pair(copy.query, copy.ref, copy.tally, SETTINGS).accepted[0]

    assert found.ref.start_s == 0.0
    assert found.query.start_s == pytest.approx(6.2, abs=0.25)


def test_bounds_stay_inside_both_videos(made):
    for seed in range(10):
        copy = made.edited_copy(seed, length_s=9.7, q_start_s=0.1, r_start_s=50.2, tail_s=0.1)

        for denser in (None, copy.denser):
            for found in align_pair(
                copy.query, copy.ref, copy.tally, SETTINGS, denser=denser
            ).accepted:
                for side, video in ((found.query, copy.query), (found.ref, copy.ref)):
                    assert video.timeline.start_s[0] <= side.start_s
                    assert side.end_s <= video.timeline.end_s[-1]


def test_a_query_that_cannot_be_sampled_again_keeps_its_bounds(made):
    copy = made.edited_copy(2, length_s=10.0)

    def broken(interval, rate_hz, view):
        raise InputError("q: wanted frames, the file is gone")

    plain = align_pair(copy.query, copy.ref, copy.tally, SETTINGS)

    assert align_pair(copy.query, copy.ref, copy.tally, SETTINGS, denser=broken) == plain


def test_only_bounds_inside_the_query_are_sampled_again(made):
    copy = made.edited_copy(2, length_s=10.0, q_start_s=0.0)
    asked = []

    def recording(interval, rate_hz, view):
        asked.append((interval, rate_hz))
        return copy.denser(interval, rate_hz, view)

    align_pair(copy.query, copy.ref, copy.tally, SETTINGS, denser=recording)

    assert len(asked) == 1
    assert asked[0][0].start_s < 10.0 < asked[0][0].end_s
    assert asked[0][1] == SETTINGS.refine_rate_hz


def test_the_query_is_sampled_again_in_the_view_of_the_match(made):
    copy = made.edited_copy(2, length_s=10.0)

    def in_view(descriptors, view):
        return dataclasses.replace(descriptors, view=np.full(len(descriptors), view, np.int16))

    def denser(interval, rate_hz, view):
        return in_view(copy.denser(interval, rate_hz, view), view)

    (whole,) = align_pair(copy.query, copy.ref, copy.tally, SETTINGS, denser=copy.denser).accepted
    query = in_view(copy.query, 7)
    (inset,) = align_pair(query, copy.ref, copy.tally, SETTINGS, denser=denser).accepted

    assert inset == whole
    (coarse,) = align_pair(query, copy.ref, copy.tally, SETTINGS, denser=copy.denser).accepted
    assert coarse != whole


def test_an_outlier_does_not_tilt_the_line(made, rng):
    from vcd.align.frames import FrameView
    from vcd.align.lines import fit_time_line

    rows = made.unit(rng.normal(size=(60, 64)))
    query = FrameView.of(made.from_features("q", rows), 0)
    path = np.stack([np.arange(5, 35), np.arange(10, 40)], axis=1)
    path[-2:, 1] += 6

    line = fit_time_line(query, query, path, SETTINGS)

    assert line.slope == pytest.approx(1.0, abs=1e-3)
    assert line.intercept == pytest.approx(2.5, abs=0.1)


def _silenced(descriptors, first, stop):
    """Take the evidence from some frames, as from those that are excluded."""
    features = np.array(descriptors.features)
    features[first:stop] = 0.0
    return dataclasses.replace(descriptors, features=features)


@pytest.mark.parametrize("dense", [False, True], ids=["grid", "dense"])
@pytest.mark.parametrize("seed", range(6))
def test_bounds_end_half_a_step_inside_frames_without_evidence_at_the_latest(made, seed, dense):
    slow = made.Footage(seed, 60.0, drift=0.02, shot_s=30.0)  # frames match their neighbours
    query = made.describe("q", lambda times_s: slow.at(times_s + 10.0), 0.0, 30.0, seed=seed)
    whole = made.describe("r", slow.at, 0.0, 60.0, noise=0.0)
    ref = _silenced(_silenced(whole, 0, 30), 50, 120)  # it speaks from 15 to 25 s

    def denser(interval, rate_hz, view):
        at = slow.at
        return made.describe(
            "q", lambda times_s: at(times_s + 10.0), interval.start_s, interval.end_s, rate_hz
        )

    found = align_pair(
        query, ref, made.tally(query, ref), SETTINGS, denser=denser if dense else None
    ).accepted

    assert found
    for match in found:
        assert match.ref.start_s >= 14.75
        assert match.ref.end_s <= 25.25


@pytest.mark.parametrize("num_silent", [1, 2])
def test_a_first_frame_of_the_ref_that_is_silent_is_no_edge_to_go_to(made, num_silent):
    footage = made.Footage(3, 40.0)
    query = made.describe("q", footage.at, 0.0, 20.0)
    ref = _silenced(made.describe("r", footage.at, 0.0, 20.0, noise=0.0), 0, num_silent)

    found = align_pair(query, ref, made.tally(query, ref), SETTINGS).accepted[0]

    assert found.ref.start_s >= 0.5 * num_silent - 0.25
    assert found.query.start_s >= 0.5 * num_silent - 0.3


def test_a_copied_fade_from_black_belongs_to_the_copy(made):
    footage = made.Footage(3, 40.0)
    query = _silenced(made.describe("q", footage.at, 0.0, 20.0), 0, 1)
    ref = _silenced(made.describe("r", footage.at, 0.0, 20.0, noise=0.0), 0, 1)

    found = align_pair(query, ref, made.tally(query, ref), SETTINGS).accepted[0]

    assert (found.query.start_s, found.ref.start_s) == (0.0, 0.0)


def test_a_match_may_span_frames_without_evidence(made):
    footage = made.Footage(3, 40.0)
    query = made.describe("q", footage.at, 0.0, 20.0)
    ref = _silenced(made.describe("r", footage.at, 0.0, 20.0, noise=0.0), 18, 22)

    (found,) = align_pair(query, ref, made.tally(query, ref), SETTINGS).accepted

    assert (found.ref.start_s, found.ref.end_s) == (0.0, 20.0)


def test_a_line_that_leads_out_of_the_ref_leaves_the_bounds_of_the_frames(made):
    footage = made.Footage(3, 40.0)
    query = FrameView.of(made.describe("q", footage.at, 0.0, 20.0), 0)
    ref = FrameView.of(made.describe("r", footage.at, 0.0, 20.0, noise=0.0), 0)
    path = np.array([[10, 12], [11, 13], [12, 14]])

    found = refine_bounds(query, ref, path, Line(slope=1.0, intercept=-100.0), SETTINGS)

    assert found == (Interval(5.0, 6.5), Interval(6.0, 7.5))
