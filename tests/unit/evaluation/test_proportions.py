import numpy as np
import pytest

from lungpipe.evaluation.proportions import wilson


def test_the_interval_of_eight_of_ten_by_hand():
    # (0.8 + 1.92073 / 10 +- 1.95996 * sqrt(0.16 / 10 + 3.84146 / 400)) / 1.384146
    low, high = wilson(0.8, 10)
    assert (float(low), float(high)) == pytest.approx((0.490162, 0.943318), abs=1e-5)


def test_no_case_has_no_interval_and_all_of_few_is_no_certainty():
    low, high = wilson([1.0, np.nan], [4, 0])
    assert high[0] == 1.0
    assert 0.5 < low[0] < 0.55
    assert np.isnan([low[1], high[1]]).all()
