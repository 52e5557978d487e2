"""What a network sees beyond the halo is all that tiles change: nothing, where the halo is wide enough.

The flagship's U-Net reaches 40 voxels. With the recipe's halo of 16 the largest difference from a halo of 40 is below
0.05 of the logits' standard deviation (untrained weights), with 24 below 0.005.
`docs/decisions/0010-learning-core.md` has the figures of trained networks.
"""

import numpy as np
import pytest
import torch
from scipy import ndimage

from lungpipe.geometry import Grid
from lungpipe.inference.maps import predict_maps
from lungpipe.models import build_network
from lungpipe.settings.recipe import DetectorInference, UNetSettings
from lungpipe.terms import AIR_HU
from lungpipe.volumes.volume import MemoryVolume

REACH = 40
SIDE, MARGIN = 48, 24


@pytest.fixture(scope="module")
def flagship():
    torch.manual_seed(0)
    return build_network(UNetSettings(channels=(16, 32, 64), stem_stride=2)).eval()


@pytest.fixture(scope="module")
def tissue():
    smooth = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(SIDE,) * 3), 1.0)
    return (900 * smooth - 850).astype(np.int16)


def placed(tissue, shift):
    """The tissue in air, and the region of its middle, both moved by `shift` voxels (zyx)."""
    hu = np.full((SIDE + 2 * MARGIN,) * 3, AIR_HU, np.int16)
    region = np.zeros(hu.shape, bool)
    hu[tuple(slice(MARGIN + s, MARGIN + s + SIDE) for s in shift)] = tissue
    region[tuple(slice(MARGIN + 8 + s, MARGIN + SIDE - 8 + s) for s in shift)] = True
    return MemoryVolume("1.3", Grid(hu.shape), hu), region


def logits(network, volume, region, halo, cpu, tile=None):
    inference = DetectorInference(tile_size_vox=tile or 2 * halo + 32, halo_vox=halo)
    return predict_maps([network], volume, region, inference, hardware=cpu).heads["mask"]


def test_the_flagship_reaches_no_farther_than_40_voxels(flagship):
    hu = torch.full((1, 1, 16, 16, 128), -500.0)
    with torch.inference_mode():
        before = flagship(hu)["mask"]
        far = []
        for voxel in range(64, 72):
            changed = hu.clone()
            changed[..., voxel] = 300.0
            places = (flagship(changed)["mask"] != before)[0, 0].any(dim=0).any(dim=0).nonzero().flatten()
            far += [voxel - int(places.min()), int(places.max()) - voxel]
    # the last voxels of the reach change logits by less than float32 resolves
    assert REACH - 4 <= max(far) <= REACH


@pytest.mark.parametrize("halo", [8, 16])
def test_the_place_of_a_scan_in_its_array_changes_no_bit(flagship, tissue, cpu, halo):
    # tiles are laid around the region, wherever it is
    one, other = (logits(flagship, *placed(tissue, shift), halo, cpu) for shift in ((0, 0, 0), (8, 16, -8)))
    np.testing.assert_array_equal(one, other)


def test_with_a_halo_of_the_networks_reach_tiles_change_nothing(flagship, tissue, cpu):
    volume, region = placed(tissue, (0, 0, 0))
    one, other = (logits(flagship, volume, region, REACH, cpu, tile) for tile in (2 * REACH + 16, 2 * REACH + 32))
    np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.parametrize(("halo", "bound"), [(16, 0.05), (24, 0.005)])
def test_with_a_smaller_halo_the_difference_is_a_small_part_of_the_spread(flagship, tissue, cpu, halo, bound):
    volume, region = placed(tissue, (0, 0, 0))
    found, expected = (logits(flagship, volume, region, h, cpu, 2 * h + 16) for h in (halo, REACH))
    assert 1e-6 < np.abs(found - expected).max() < bound * expected.std()
