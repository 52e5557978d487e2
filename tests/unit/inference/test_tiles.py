"""Tiles: no seam, no gap, nothing twice."""

import numpy as np
import pytest
import torch

from lungpipe.inference import predict_voxels
from lungpipe.inference.tiles import cover
from lungpipe.models import Segmenter
from lungpipe.settings import SegmenterSettings
from lungpipe.volumes.hounsfield import scale_intensity

WINDOW = (-1024, 400)  # air beyond the volume is 0, as is a convolution's padding


def settings(tile, overlap):
    return SegmenterSettings(tile_size_vox=tile, tile_overlap_vox=overlap, window_hu=WINDOW)


class Blur(torch.nn.Module):
    """A network that looks two voxels far and treats every place alike."""

    total_stride = 1

    def __init__(self):
        super().__init__()
        self.seen = []
        self.layer = torch.nn.Conv3d(1, 1, 5, padding=2)
        torch.nn.init.uniform_(self.layer.weight, -1, 1, generator=torch.Generator().manual_seed(0))

    def forward(self, patch_BCZYX):
        self.seen.append(tuple(patch_BCZYX.shape[2:]))
        return self.layer(patch_BCZYX)


def noise(shape):
    return np.random.default_rng(0).integers(-1000, 400, shape).astype(np.int16)


def whole(network, hu):
    scaled = torch.from_numpy(scale_intensity(hu, WINDOW, "zero_one"))
    with torch.inference_mode():
        return torch.sigmoid(network(scaled[None, None]))[0, 0].numpy()


@pytest.mark.parametrize(("tile", "overlap"), [(8, 4), (9, 5), (12, 4), (64, 4)])
def test_tiles_leave_no_seam(cpu, tile, overlap):
    network, hu = Blur(), noise((14, 19, 17))
    found = predict_voxels(network, hu, np.ones(hu.shape, bool), settings(tile, overlap), hardware=cpu)
    np.testing.assert_allclose(found, whole(network, hu), atol=1e-6)
    assert found.dtype == np.float32


def test_without_overlap_there_would_be_seams(cpu):
    network, hu = Blur(), noise((14, 19, 17))
    found = predict_voxels(network, hu, np.ones(hu.shape, bool), settings(8, 0), hardware=cpu)
    assert np.abs(found - whole(network, hu)).max() > 0.01


def test_outside_the_region_there_is_nothing_and_inside_all_is_as_if_whole(cpu):
    network, hu = Blur(), noise((16, 20, 18))
    region = np.zeros(hu.shape, bool)
    region[2:7, 3:9, 4:8] = region[12:15, 15:19, 1:3] = True
    found = predict_voxels(network, hu, region, settings(10, 4), hardware=cpu)
    assert not found[~region].any()
    np.testing.assert_allclose(found[region], whole(network, hu)[region], atol=1e-6)


def test_no_region_no_work(cpu):
    network, hu = Blur(), noise((8, 8, 8))
    assert not predict_voxels(network, hu, np.zeros(hu.shape, bool), settings(8, 4), hardware=cpu).any()
    assert network.seen == []


def test_tiles_without_any_of_the_region_are_not_computed(cpu):
    network, hu = Blur(), noise((4, 4, 40))
    region = np.zeros(hu.shape, bool)
    region[:, :, :4] = region[:, :, 36:] = True
    predict_voxels(network, hu, region, settings(8, 4), hardware=cpu)
    assert len(network.seen) == 2


def test_a_region_smaller_than_a_tile_is_read_with_the_smallest_side_that_the_network_takes():
    region = np.zeros((60, 60, 60), bool)
    region[20:25, 20:30, 10:50] = True
    ((core, window),) = cover(region, settings(64, 8), 8)
    assert core == (slice(20, 25), slice(20, 30), slice(10, 50))
    # 5 + 8, 10 + 8 and 40 + 8 voxels, rounded up to multiples of 8
    assert window.shape_zyx == (16, 24, 48)


def test_the_last_tile_is_no_sliver():
    region = np.ones((1, 1, 17), bool)
    cores = [core[2].stop - core[2].start for core, _ in cover(region, settings(8, 0), 1)]
    assert cores == [6, 5, 6]


def test_a_real_strided_segmenter_agrees_with_itself_over_the_whole_volume(cpu):
    torch.manual_seed(0)
    chosen = settings(32, 16).model_copy(update={"channels": (3,), "stem_stride": 2})
    network, hu = Segmenter(chosen).eval(), noise((32, 64, 32))
    found = predict_voxels(network, hu, np.ones(hu.shape, bool), chosen, hardware=cpu)
    # tiles start at multiples of the stride: the stem meets the same voxels in every tile; at the volume's own edge a
    # tile sees air where the whole network pads its features
    inside = (slice(4, -4),) * 3
    np.testing.assert_allclose(found[inside], whole(network, hu)[inside], atol=1e-6)
