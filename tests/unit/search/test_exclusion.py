"""Which rows of a reference are excluded."""

import numpy as np

from tests.factories import make_timeline
from vcd.core import Descriptors, DescriptorSpace, Interval
from vcd.search import silenced

_SPACE = DescriptorSpace(name="plane", dim=2, fingerprint="p" * 16)


def _video(num_frames):
    east = np.tile(np.array([1.0, 0.0], dtype=np.float32), (num_frames, 1))
    return Descriptors.from_frames("r", make_timeline(num_frames), east, _SPACE)


def test_silenced_frames_carry_no_evidence_also_where_a_stretch_only_touches_them():
    ref = silenced(_video(4), [Interval(0.9, 1.0), Interval(1.5, 1.6)])

    assert ref.is_informative.tolist() == [True, False, True, False]


def test_what_is_not_excluded_is_handed_on_without_a_copy():
    ref = _video(2)

    assert silenced(ref, []) is ref
