"""Maps over a search region: what is computed, and that neither batch nor store changes it."""

import numpy as np
import pytest
import torch

from lungpipe.geometry import Grid
from lungpipe.inference.maps import Maps, mean_logits, predict_maps
from lungpipe.models.blocks import VoxelUnshuffle
from lungpipe.settings.recipe import DetectorInference
from lungpipe.terms import AIR_HU
from lungpipe.volumes.store import open_volume
from lungpipe.volumes.volume import MemoryVolume

SMALL_TILES = DetectorInference(tile_size_vox=32, halo_vox=8)


def everywhere(volume):
    return np.ones(volume.grid.shape_zyx, bool)


def same(one, other):
    assert one.box == other.box
    assert one.heads.keys() == other.heads.keys()
    for head, values in one.heads.items():
        np.testing.assert_array_equal(values, other.heads[head], err_msg=head)


class Recorder(torch.nn.Module):
    """A network that looks two voxels far, counts its calls and returns a mask."""

    total_stride = 1

    def __init__(self):
        super().__init__()
        self.shapes = []
        self.layer = torch.nn.Conv3d(1, 1, 5, padding=2)
        torch.nn.init.uniform_(self.layer.weight, -0.01, 0.01, generator=torch.Generator().manual_seed(0))

    def forward(self, hu_BCZYX):
        self.shapes.append(tuple(hu_BCZYX.shape))
        return {"mask": self.layer(hu_BCZYX.float() - AIR_HU)}


def noise(shape, seed=0):
    hu = np.random.default_rng(seed).integers(-1000, 400, shape).astype(np.int16)
    return MemoryVolume("1.3", Grid(shape), hu)


@pytest.mark.parametrize(("tile", "halo"), [(8, 2), (9, 3), (12, 2), (64, 2)])
def test_tiles_with_a_halo_as_wide_as_the_network_looks_give_the_whole_volume_at_once(cpu, tile, halo):
    network, volume = Recorder(), noise((14, 19, 17))
    maps = predict_maps(
        [network], volume, everywhere(volume), DetectorInference(tile_size_vox=tile, halo_vox=halo), hardware=cpu
    )
    with torch.inference_mode():
        whole = network(torch.from_numpy(np.pad(volume.hu, 2, mode="edge"))[None, None])["mask"][0].numpy()
    np.testing.assert_allclose(maps.heads["mask"], whole[..., 2:-2, 2:-2, 2:-2], atol=1e-4)
    assert maps.heads["mask"].dtype == np.float32


def test_without_a_halo_there_would_be_seams(cpu):
    network, volume = Recorder(), noise((14, 19, 17))
    maps = [
        predict_maps(
            [network], volume, everywhere(volume), DetectorInference(tile_size_vox=8, halo_vox=halo), hardware=cpu
        )
        for halo in (0, 2)
    ]
    assert np.abs(maps[0].heads["mask"] - maps[1].heads["mask"]).max() > 0.1


def test_no_region_no_work(cpu):
    network, volume = Recorder(), noise((8, 8, 8))
    assert predict_maps([network], volume, ~everywhere(volume), SMALL_TILES, hardware=cpu) is None
    assert network.shapes == []


def test_tiles_without_any_of_the_region_are_not_computed(cpu):
    network, volume = Recorder(), noise((4, 4, 40))
    region = ~everywhere(volume)
    region[:, :, :4] = region[:, :, 36:] = True
    maps = predict_maps([network], volume, region, DetectorInference(tile_size_vox=8, halo_vox=2), hardware=cpu)
    assert len(network.shapes) == 2
    # what was not computed is no nodule for sure
    assert np.isneginf(maps.heads["mask"][0, :, :, 4:36]).all()
    assert np.isfinite(maps.heads["mask"][0][region]).all()


def test_a_map_covers_the_box_of_the_region_alone(cpu, models, volume):
    region = ~everywhere(volume)
    region[9, 17, 33] = True
    maps = predict_maps(models.center_net().members, volume, region, SMALL_TILES, hardware=cpu)
    assert maps.box == (slice(8, 16), slice(16, 24), slice(32, 40))
    assert maps.start_zyx_vox == (8, 16, 32)
    assert {head: values.shape for head, values in maps.heads.items()} == {
        "heatmap": (1, 2, 2, 2),
        "offset": (3, 2, 2, 2),
        "diameter": (1, 2, 2, 2),
        "mask": (1, 8, 8, 8),
    }
    assert (maps.stride("heatmap"), maps.stride("mask")) == (4, 1)


@pytest.mark.parametrize(("kind", "halo"), [("unet", 16), ("center_net", 32)])
def test_a_part_of_the_region_gives_the_logits_of_all_of_it_with_a_halo_as_wide_as_the_network_sees(
    cpu, models, volume, kind, halo
):
    members = getattr(models, kind)().members
    inference = DetectorInference(tile_size_vox=2 * halo + 24, halo_vox=halo)
    whole = predict_maps(members, volume, everywhere(volume), inference, hardware=cpu)
    region = ~everywhere(volume)
    region[11:20, 21:37, 5:42] = True
    part = predict_maps(members, volume, region, inference, hardware=cpu)
    for head, values in part.heads.items():
        stride = part.stride(head)
        box = tuple(slice(side.start // stride, side.stop // stride) for side in part.box)
        np.testing.assert_allclose(values, whole.heads[head][(slice(None), *box)], atol=2e-6, err_msg=head)


@pytest.mark.parametrize("kind", ["unet", "center_net"])
@pytest.mark.parametrize("tiles_per_batch", [2, 3, 100])
def test_the_batch_changes_no_bit(cpu, models, volume, kind, tiles_per_batch):
    members = getattr(models, kind)().members
    batched = SMALL_TILES.model_copy(update={"tiles_per_batch": tiles_per_batch})
    one, other = (predict_maps(members, volume, everywhere(volume), i, hardware=cpu) for i in (SMALL_TILES, batched))
    same(one, other)


def test_a_stored_volume_gives_the_bits_of_the_one_in_memory(cpu, models, volume, write_store):
    store = write_store("1.3", volume.hu, volume.grid.spacing_zyx_mm, origin=volume.grid.origin_zyx_mm)
    members = models.unet().members
    one, other = (
        predict_maps(members, v, everywhere(volume), SMALL_TILES, hardware=cpu) for v in (volume, open_volume(store))
    )
    same(one, other)


def test_the_logits_of_an_ensemble_are_the_mean_of_its_members(cpu, models):
    members = models.center_net(num_members=3).members
    hu = torch.randint(-1000, 400, (2, 1, 16, 16, 16), dtype=torch.int16, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        each = [member(hu) for member in members]
    found = mean_logits(members, hu, cpu)
    assert found.keys() == {"heatmap", "offset", "diameter", "mask"}
    for head, values in found.items():
        expected = sum(output[head] for output in each) / 3
        torch.testing.assert_close(values, expected, atol=1e-6, rtol=1e-5)
        assert (values - each[0][head]).abs().max() > 1e-4


def test_an_element_of_a_coarse_map_is_in_the_region_if_any_of_its_voxels_is(cpu, models):
    volume = noise((16, 16, 18))
    region = ~everywhere(volume)
    region[0, 0, 0] = region[7, 8, 17] = True
    maps = predict_maps(models.center_net().members, volume, region, SMALL_TILES, hardware=cpu)
    # 18 voxels end inside the fifth element of 4, and the box goes on to the next multiple of 8
    assert maps.heads["heatmap"].shape == (1, 2, 4, 6)
    assert np.argwhere(maps.cut(region, 4)).tolist() == [[0, 0, 0], [1, 2, 4]]
    assert np.argwhere(maps.cut(region, 1)).tolist() == [[0, 0, 0], [7, 8, 17]]


@pytest.mark.parametrize(
    "box",
    [
        (slice(8, 24), slice(16, 24), slice(32, 48)),
        (slice(9, 12), slice(17, 24), slice(35, 36)),
        (slice(8, 11), slice(20, 20), slice(32, 48)),
    ],
)
def test_a_folded_mask_is_read_as_the_mask_of_the_network(box):
    logits = np.random.default_rng(0).normal(size=(1, 16, 8, 16)).astype(np.float32)
    folded = VoxelUnshuffle(2)(torch.from_numpy(logits)[None])[0].numpy()
    whole = (slice(8, 24), slice(16, 24), slice(32, 48))
    local = tuple(slice(b.start - w.start, b.stop - w.start) for b, w in zip(box, whole, strict=True))
    for mask in (logits, folded):
        np.testing.assert_array_equal(Maps(whole, {"mask": mask}).read_mask(box), logits[0][local])


def test_a_volume_that_cannot_be_read_ends_the_search_with_its_own_error(cpu, models):
    class Broken(MemoryVolume):
        def read_hu(self, window=None):
            raise OSError("disk gone")

    broken = Broken("1.3", Grid((8, 8, 8)), np.zeros((8, 8, 8), np.int16))
    with pytest.raises(OSError, match="disk gone"):
        predict_maps(models.unet().members, broken, everywhere(broken), SMALL_TILES, hardware=cpu)
