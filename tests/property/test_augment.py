"""Augmentation keeps every patch and its target, whatever they are."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as shapes

from lungpipe.sampling import augment

_targets = st.tuples(st.integers(1, 4), st.integers(1, 5)).flatmap(
    lambda sides: shapes.arrays(np.uint8, (sides[0], *[sides[1]] * 3), elements=st.integers(0, 2))
)


@given(_targets, st.integers(0, 2**32))
def test_targets_keep_their_values_and_stay_on_their_patches(targets, seed):
    patches = targets.astype(np.float32) * 10
    augmented, turned = augment(patches, targets, np.random.default_rng(seed), normalisation="zero_one")
    for before, after, patch in zip(targets, turned, augmented, strict=True):
        np.testing.assert_array_equal(np.bincount(before.ravel(), minlength=3), np.bincount(after.ravel(), minlength=3))
        # 10 between two classes: no scale of 0.9 to 1.1 and no shift of 0.05 takes one for the other
        np.testing.assert_array_equal(np.rint(patch / 10), after)
