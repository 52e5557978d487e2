import numpy as np
import pytest

from lungpipe.geometry.downsampling import block_mean, halve_labels


def test_blocks_by_hand():
    assert block_mean(np.array([[[-1000, -1000, 5], [-1000, -997, 5]]], np.int16), (2, 2, 2)).tolist() == [[[-999, 5]]]
    assert halve_labels(np.array([[[0, 1], [0, 0]], [[2, 0], [0, 0]]], np.uint8)).tolist() == [[[2]]]


def test_what_is_constant_stays_so_and_the_last_block_is_filled():
    constant = np.full((5, 7, 9), -1024, np.int16)
    halved = block_mean(constant, (2, 2, 2))
    assert (halved == -1024).all()
    assert halved.shape == (3, 4, 5)
    assert halve_labels(constant.astype(np.uint8)).shape == (3, 4, 5)


@pytest.mark.parametrize("factors", [(1, 1, 1), (2, 2, 2), (1, 3, 3), (4, 1, 2), (3, 5, 7)])
def test_means_are_rounded_to_the_nearest(factors):
    # at the ends of the range: sums go beyond 16 bits
    shape = [3 * factor for factor in factors]
    hu = np.random.default_rng(2).integers(-32768, 32767, shape).astype(np.int16)
    z, y, x = factors
    means = hu.reshape(3, z, 3, y, 3, x).mean(axis=(1, 3, 5))
    found = block_mean(hu, factors)
    assert found.dtype == np.int16
    assert np.abs(found - means).max() <= 0.5
