from collections import Counter

import numpy as np
import pytest

from vcd.core import Interval
from vcd.evaluation.settings import SynthSettings
from vcd.evaluation.synthesis.footage_roles import Role, Source, assign_roles
from vcd.evaluation.synthesis.query_planning import min_source_s, plan_queries

SOURCES = [
    Source(id=f"v{n}", usable=Interval(1.0, 20.0 + 5 * n), size=(192, 108)) for n in range(20)
]


def planned(**changes):
    settings = SynthSettings(**({"num_queries": 200} | changes))
    roles = assign_roles(SOURCES, settings, min_source_s=min_source_s(settings))
    return plan_queries(SOURCES, roles, settings), roles


def copies(plans, roles):
    refs = {id_: id_ for id_, role in roles.items() if role is not Role.STRANGER}
    return {plan.id: plan.true_copies(refs) for plan in plans}


def test_queries_are_numbered_as_in_vsc2022():
    plans, _ = planned(num_queries=12)

    assert [plan.id for plan in plans] == [f"Q{100001 + n}" for n in range(12)]


@pytest.mark.parametrize(("share", "num"), [(0.0, 0), (0.77, 154), (1.0, 200)])
def test_exactly_the_share_of_negatives_that_was_asked_for_copies_nothing(share, num):
    plans, roles = planned(negative_share=share)

    assert sum(not found for found in copies(plans, roles).values()) == num


def test_negatives_are_spread_over_the_ids():
    plans, roles = planned()

    is_negative = np.array([not found for found in copies(plans, roles).values()])
    assert 0.3 < is_negative[:100].mean() < 0.7


def test_only_copied_references_are_copied_and_all_about_equally_often():
    plans, roles = planned()

    counts = Counter(true.ref_id for found in copies(plans, roles).values() for _, true in found)

    assert set(counts) == {id_ for id_, role in roles.items() if role is Role.COPIED}
    assert max(counts.values()) - min(counts.values()) <= 12


def test_what_lies_around_behind_and_in_negatives_is_of_strangers():
    plans, roles = planned()

    for plan in plans:
        for part in plan.parts:
            others = [part.shown] if part.surrounds else []
            others += [] if part.behind is None else [part.behind]
            assert {roles[stretch.source_id] for stretch in others} <= {Role.STRANGER}


def test_footage_never_lies_around_or_behind_itself():
    plans, _ = planned()

    for plan in plans:
        mains = [part for part in plan.parts if not part.surrounds]
        assert not any(
            part.behind and part.behind.source_id == part.shown.source_id for part in mains
        )
        if plan.structure == "insertion":
            assert len({part.shown.source_id for part in plan.parts} - {mains[0].shown.source_id})


def test_positives_and_negatives_are_edited_alike():
    plans, roles = planned(num_queries=2000)
    found = copies(plans, roles)

    shares = []
    for wanted in (True, False):
        chosen = [plan for plan in plans if bool(found[plan.id]) is wanted]
        mains = [(p, part) for p in chosen for part in p.parts if not part.surrounds]
        several = np.mean([len(p.edit_names(part)) > 1 for p, part in mains])
        inserted = np.mean([p.structure == "insertion" for p in chosen])
        shares.append((several, inserted))
    assert shares[0] == pytest.approx(shares[1], abs=0.05)


def test_lengths_and_numbers_of_copies_are_like_those_of_vsc2022():
    plans, roles = planned(num_queries=1000)
    found = [one for one in copies(plans, roles).values() if one]

    lengths = [true.query.length_s for one in found for _, true in one]
    assert 8.0 < np.median(lengths) < 13.0
    assert min(lengths) >= 3.0 - 1 / 24
    assert 0.1 < np.mean([len(one) > 1 for one in found]) < 0.25
    assert max(len(one) for one in found) == 3


def test_a_compilation_may_take_two_stretches_of_one_reference():
    plans, roles = planned(num_queries=400)

    same = [
        one
        for one in copies(plans, roles).values()
        if len(one) > len({true.ref_id for _, true in one})
    ]
    assert same


def test_bounds_of_segments_are_settings():
    plans, roles = planned(min_segment_s=2.0, max_segment_s=5.0)

    lengths = [true.query.length_s for found in copies(plans, roles).values() for _, true in found]
    assert min(lengths) >= 2.0 - 1 / 24
    assert max(lengths) <= 5.0 + 1 / 24


def test_other_footage_that_is_too_short_is_slowed_down():
    sources = [
        Source(id=f"v{n}", usable=Interval(0.0, 60.0 if n % 2 else 6.0), size=(192, 108))
        for n in range(12)
    ]
    settings = SynthSettings(num_queries=300, min_segment_s=3.0, several_share=1.0)
    roles = assign_roles(sources, settings, min_source_s=4.5)

    behind = [
        (plan, part.behind)
        for plan in plan_queries(sources, roles, settings)
        for part in plan.parts
        if part.behind is not None
    ]

    assert any(stretch.cell_rate_hz > plan.rate_hz for plan, stretch in behind)
    assert all(stretch.interval.end_s <= 60.0 for _, stretch in behind)


def test_no_query_is_tiny_or_huge():
    for plan in planned(strength=1.0)[0]:
        width, height = plan.size
        assert min(width, height) >= 144
        assert width * height <= 1.1 * max(288 * 288 * 16 / 9, 144 * max(plan.size))


def test_the_same_seed_gives_the_same_plans_in_any_order_of_the_videos():
    settings = SynthSettings(num_queries=30)
    roles = assign_roles(SOURCES, settings, min_source_s=4.5)

    assert plan_queries(SOURCES[::-1], roles, settings) == plan_queries(SOURCES, roles, settings)
    assert planned(num_queries=30, seed=2)[0] != planned(num_queries=30, seed=1)[0]


def test_the_shortest_segment_fits_into_the_shortest_video_at_full_speed():
    assert min_source_s(SynthSettings(min_segment_s=3.0, rate_hz=24.0)) == pytest.approx(
        4.5417, abs=1e-3
    )
