"""What merging guarantees for any detections."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lungpipe.candidates import Detections, merge_detections

# a coarse lattice, so that ties of place, size and score are common
_detection = st.tuples(*[st.integers(-6, 6)] * 3, st.integers(1, 12), st.integers(1, 5))
_many = st.lists(_detection, max_size=25)
_distance = st.sampled_from([0.0, 1.0, 2.5, 5.0])


def build(rows):
    table = np.array(rows, dtype=np.float64).reshape(-1, 5)
    return Detections(table[:, :3], table[:, 3], table[:, 4] / 5)


def rows_of(found):
    return [
        (*center, d, s) for center, d, s in zip(found.centers_zyx_mm, found.diameters_mm, found.scores, strict=True)
    ]


@given(_many, _distance, st.integers(1, 30), st.randoms(use_true_random=False))
def test_the_order_of_the_input_does_not_matter(rows, distance, most, random):
    shuffled = random.sample(rows, len(rows))
    np.testing.assert_equal(
        rows_of(merge_detections(build(rows), distance, most)),
        rows_of(merge_detections(build(shuffled), distance, most)),
    )


@given(_many, _distance)
def test_what_is_kept_lies_apart_and_what_is_dropped_lies_near_something_as_strong(rows, distance):
    found = build(rows)
    kept = merge_detections(found, distance, 100)
    assert (np.diff(kept.scores) <= 0).all()
    reach = np.maximum(distance, kept.diameters_mm / 2)
    gaps = np.linalg.norm(kept.centers_zyx_mm[:, None] - kept.centers_zyx_mm[None], axis=-1)
    later = np.triu(np.ones_like(gaps, dtype=bool), 1)
    assert (gaps >= reach[:, None])[later].all()
    for center, score in zip(found.centers_zyx_mm, found.scores, strict=True):
        near = np.linalg.norm(kept.centers_zyx_mm - center, axis=1) < reach
        is_kept = (kept.centers_zyx_mm == center).all(axis=1).any()
        assert is_kept or (near & (kept.scores >= score)).any()


@given(_many, _distance, st.integers(1, 30))
def test_merging_again_changes_nothing(rows, distance, most):
    once = merge_detections(build(rows), distance, most)
    assert len(once) <= most
    np.testing.assert_equal(rows_of(merge_detections(once, distance, most)), rows_of(once))
