"""The regression on measures that a card carries: values by name, and parts that belong together."""

import numpy as np
import pytest

from lungpipe.models.measured import MeasuredMalignancy

GOOD = {"values": ("a", "b"), "knots": ((0.0, 1.0, 2.0), (0.0, 10.0, 20.0)), "weights": (1.0, -2.0), "intercept": 0.5}


def test_values_are_found_by_their_names():
    rows = [{"b": 10.0, "a": 0.5, "c": 99.0}, {"a": 1.0, "b": 15.0}]
    # ranks 0.25 and 0.5, then 0.5 and 0.75: normal scores of -0.6745, 0 and 0.6745
    np.testing.assert_allclose(MeasuredMalignancy(**GOOD).logits(rows), [0.5 - 0.6745, 0.5 - 2 * 0.6745], atol=1e-4)
    assert MeasuredMalignancy(**GOOD).logits([]).shape == (0,)


def test_a_missing_value_is_named():
    with pytest.raises(ValueError, match="expected the values a, c, found b"):
        MeasuredMalignancy(**GOOD).logits([{"a": 1.0, "c": 2.0}])


@pytest.mark.parametrize("change", [{"weights": (1.0,)}, {"knots": ((0.0, 1.0),)}, {"knots": ((0.0,), (0.0, 1.0))}])
def test_parts_that_do_not_belong_together_are_refused(change):
    with pytest.raises(ValueError, match="expected knots and a weight for each of 2 values"):
        MeasuredMalignancy(**GOOD | change)
