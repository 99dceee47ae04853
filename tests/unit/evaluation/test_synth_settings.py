import pytest

from vcd.evaluation.settings import SynthSettings


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"num_queries": 0}, "num_queries must be at least 1, got 0"),
        ({"negative_share": 1.1}, r"negative_share must be in \[0, 1\], got 1.1"),
        ({"negative_share": float("nan")}, r"negative_share must be in \[0, 1\], got nan"),
        ({"strength": -0.1}, r"strength must be in \[0, 1\], got -0.1"),
        ({"several_share": 2.0}, r"several_share must be in \[0, 1\], got 2.0"),
        ({"stranger_share": 0.8}, "a sum below 1, got 0.2 and 0.8"),
        ({"distractor_share": -0.1}, "a sum below 1, got -0.1 and 0.3"),
        ({"rate_hz": 0.5}, r"rate_hz must be in \[1, 120\].* got 0.5"),
        ({"short_edge_px": 8}, r"short_edge_px in \[32, 2160\], got 24.0 and 8"),
        ({"min_segment_s": 0.5}, r"min_segment_s must be in \[1, max_segment_s\]"),
        ({"max_segment_s": 2.0}, r"min_segment_s must be in \[1, max_segment_s\], got 3.0 and 2.0"),
        ({"seed": -1}, "seed must not be negative, got -1"),
    ],
    ids=str,
)
def test_settings_that_make_no_sense_are_refused(changes, sentence):
    with pytest.raises(ValueError, match=f"synth.*{sentence}"):
        SynthSettings(**changes)
