"""What a network sees beyond the halo is all that the place of tiles changes: nothing, where the halo is wide enough.

The flagship's U-Net reaches 40 voxels. With a halo of 40 its logits have the same bits wherever the lattice cuts; with
the recipe's 16 the largest difference below is 0.0007 at a standard deviation of 0.020 (untrained weights), 0.00006
with 24. `docs/decisions/0010-learning-core.md` has the figures of trained networks.
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


def difference(network, tissue, halo, cpu):
    inference = DetectorInference(tile_size_vox=2 * halo + 32, halo_vox=halo)
    logits = []
    for shift in ((0, 0, 0), (8, 16, -8)):
        volume, region = placed(tissue, shift)
        maps = predict_maps([network], volume, region, inference, hardware=cpu)
        logits.append(maps.heads["mask"])
    return np.abs(logits[0] - logits[1]).max(), logits[0].std()


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


def test_with_a_halo_of_the_networks_reach_the_place_of_tiles_changes_no_bit(flagship, tissue, cpu):
    largest, _ = difference(flagship, tissue, REACH, cpu)
    assert largest == 0.0


@pytest.mark.parametrize(("halo", "bound"), [(16, 0.05), (24, 0.005)])
def test_with_a_smaller_halo_the_difference_is_a_small_part_of_the_spread(flagship, tissue, cpu, halo, bound):
    largest, spread = difference(flagship, tissue, halo, cpu)
    assert 0.0 < largest < bound * spread
