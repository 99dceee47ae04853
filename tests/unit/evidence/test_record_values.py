import math

import pytest

from vcd.evidence.record_values import check_sizes, count_of, number_of


@pytest.mark.parametrize("value", [math.inf, math.nan, True, "1", None])
def test_a_number_is_finite(value):
    with pytest.raises(TypeError, match="wanted a finite number"):
        number_of(value)


@pytest.mark.parametrize("value", [0, 6, 2.0, True, "2"])
def test_a_count_is_a_whole_number_in_its_range(value):
    with pytest.raises(ValueError, match="wanted a whole number from 1 to 5"):
        count_of(value, most=5)


def test_what_is_wanted_is_given_back():
    assert (number_of(2), count_of(5, most=5)) == (2.0, 5)


def test_a_number_that_no_video_has_is_refused_wherever_it_is():
    check_sizes({"a": [1e12, -1e12, {"b": "1e300", "c": None}]})

    for far in (1e13, -1e13, math.inf, math.nan, 10**400):
        with pytest.raises(ValueError, match="wanted numbers up to 1e"):
            check_sizes({"a": [0, {"b": far}]})
