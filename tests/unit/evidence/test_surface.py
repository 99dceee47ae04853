import numpy as np
import pytest

from vcd.evidence.agreement import LaidOver
from vcd.evidence.surface import colour_change, overlaid_share


@pytest.mark.parametrize("size", [(1, 40), (40, 1), (1, 1)])
def test_a_copy_of_a_pixel_high_or_wide_has_its_colours(size, rng):
    query_PHWC = rng.integers(0, 256, (3, *size, 3), dtype=np.uint8)
    laid = LaidOver(
        left=0, top=0, width_px=160, height_px=90, query_PHWC=query_PHWC, ref_PHWC=query_PHWC // 2
    )

    share = overlaid_share(laid)
    assert share is None or share <= 1.0
    assert colour_change(laid) is None
