"""Display matrices and what they do to a picture."""

import struct

import numpy as np
import pytest

from vcd.media.orientation import Orientation

_ONE = 1 << 16
_PICTURE = np.arange(6, dtype=np.uint8).reshape(2, 3, 1).repeat(3, axis=2)


def _orientation(a, b, c, d):
    return Orientation.from_matrix(struct.pack("=9i", a, b, 0, c, d, 0, 0, 0, 1 << 30))


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        pytest.param((_ONE, 0, 0, _ONE), _PICTURE, id="as it is"),
        pytest.param((0, _ONE, -_ONE, 0), np.rot90(_PICTURE, k=-1), id="quarter turn clockwise"),
        pytest.param((0, -_ONE, _ONE, 0), np.rot90(_PICTURE), id="quarter turn back"),
        pytest.param((-_ONE, 0, 0, -_ONE), _PICTURE[::-1, ::-1], id="half turn"),
        pytest.param((-_ONE, 0, 0, _ONE), _PICTURE[:, ::-1], id="mirrored"),
        pytest.param((0, _ONE, _ONE, 0), _PICTURE.swapaxes(0, 1), id="transposed"),
    ],
)
def test_a_matrix_lays_the_picture_as_shown(matrix, expected):
    orientation = _orientation(*matrix)

    assert np.array_equal(orientation.apply(_PICTURE), expected)
    assert orientation.size(3, 2) == expected.shape[1::-1]
    assert orientation.is_mirrored == (matrix[0] * matrix[3] - matrix[1] * matrix[2] < 0)
