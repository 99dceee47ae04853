"""Laws of planned data sets: the truth lies inside the videos, and roles never mix."""

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from vcd.core import Interval
from vcd.evaluation.settings import SynthSettings
from vcd.evaluation.synthesis.footage_roles import Role, Source, assign_roles
from vcd.evaluation.synthesis.query_planning import min_source_s, plan_queries

SETTINGS = st.builds(
    SynthSettings,
    num_queries=st.integers(1, 6),
    negative_share=st.floats(0.0, 1.0),
    strength=st.floats(0.0, 1.0),
    several_share=st.floats(0.0, 1.0),
    distractor_share=st.floats(0.0, 0.49),
    stranger_share=st.floats(0.0, 0.49),
    rate_hz=st.sampled_from([1.0, 12.5, 24.0, 29.97, 60.0, 120.0]),
    short_edge_px=st.sampled_from([32, 144, 288]),
    min_segment_s=st.floats(1.0, 5.0),
    max_segment_s=st.floats(5.0, 400.0),
    seed=st.integers(0, 2**31),
)
LENGTHS = st.lists(st.tuples(st.floats(0.0, 30.0), st.floats(0.1, 300.0)), min_size=6, max_size=12)
SIZES = st.sampled_from([(64, 36), (36, 64), (48, 48), (128, 2), (2, 90)])


@settings(max_examples=100, deadline=None)
@given(synth=SETTINGS, lengths=LENGTHS, size=SIZES)
def test_the_truth_lies_inside_the_videos_and_nothing_else_is_copied(synth, lengths, size):
    floor_s = min_source_s(synth)
    sources = [
        Source(
            id=f"v{n}",
            usable=Interval(
                start_s, start_s + (max(length_s, floor_s + 1e-6) if n < 6 else length_s)
            ),
            size=size,
        )
        for n, (start_s, length_s) in enumerate(lengths)
    ]
    by_id = {source.id: source for source in sources}

    roles = assign_roles(sources, synth, min_source_s=floor_s)
    plans = plan_queries(sources, roles, synth)

    ref_ids = {id_: f"ref-{id_}" for id_, role in roles.items() if role is not Role.STRANGER}
    num_negatives = round(synth.num_queries * synth.negative_share)
    assert set(roles) == set(by_id)
    assert sum(not plan.true_copies(ref_ids) for plan in plans) == num_negatives
    for plan in plans:
        for part, true in plan.true_copies(ref_ids):
            assert roles[part.shown.source_id] is Role.COPIED
            assert true.ref_id == f"ref-{part.shown.source_id}"
            assert 0.0 <= true.query.start_s < true.query.end_s <= plan.duration_s
            speed = true.ref.length_s / true.query.length_s
            assert math.isclose(speed, plan.speed(part), rel_tol=1e-9)
        shown = [stretch for part in plan.parts for stretch in part.stretches]
        for stretch in shown:
            usable = by_id[stretch.source_id].usable
            assert usable.start_s - 1e-9 <= stretch.interval.start_s
            assert stretch.interval.end_s <= usable.end_s + 1e-9
