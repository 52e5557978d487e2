"""Detection: from a volume with two balls to two detections."""

import numpy as np
import pytest
import torch

from lungpipe.inference.detector import Detector, search_region, trained_heads
from lungpipe.models import Model
from lungpipe.settings.recipe import DetectorInference, LumpDecoding
from lungpipe.volumes.store import open_volume
from lungpipe.volumes.volume import MemoryVolume

INFERENCE = DetectorInference(
    tile_size_vox=16, halo_vox=4, decode=LumpDecoding(threshold=0.5, min_voxels=4), merge_distance_mm=3.0
)


class Bright(torch.nn.Module):
    """Takes what is brighter than -200 HU for nodule."""

    total_stride = 1

    def forward(self, hu_BCZYX):
        return {"mask": (hu_BCZYX.float() + 200) / 40}


@pytest.fixture
def bright(models, cpu):
    return Detector(Model(models.unet().card, (Bright(),)), INFERENCE, cpu)


def centers(found):
    return found.centers_zyx_mm.tolist()


def test_balls_are_found_where_they_are_the_surest_first(bright, volume, balls):
    found = bright.detect(volume, region="whole")
    expected = [balls["small"][0], balls["large"][0]]
    assert np.abs(found.centers_zyx_mm - expected).max() < 0.5
    assert found.diameters_mm.tolist() == pytest.approx([7.0, 12.0], rel=0.08)
    assert found.scores[0] > found.scores[1] > 0.99
    for crop, (center, diameter) in zip(found.mask_crops, (balls["small"], balls["large"]), strict=True):
        middle = np.asarray(crop.start_zyx_vox) + (np.asarray(crop.mask.shape) - 1) / 2
        assert np.abs(volume.grid.to_world(middle) - center).max() < 1.0
        assert crop.mask.sum() * 1.5 == pytest.approx(np.pi / 6 * diameter**3, rel=0.2)


def test_only_what_lies_in_or_near_the_lungs_is_found(bright, volume, balls):
    lungs = np.zeros(volume.grid.shape_zyx, np.uint8)
    lungs[:, :25] = 1  # y up to 36 mm: the small ball begins at 43.5 mm
    near = MemoryVolume("1.3", volume.grid, volume.hu, lungs)
    assert len(bright.detect(near, margin_mm=2.0)) == 1
    assert len(bright.detect(near, margin_mm=9.0)) == 2
    assert len(bright.detect(near, region="whole", margin_mm=2.0)) == 2


def test_the_search_region_is_the_dilated_lungs(volume):
    lungs = np.zeros(volume.grid.shape_zyx, np.uint8)
    lungs[10, 20, 20] = 2
    region = search_region(MemoryVolume("1.3", volume.grid, volume.hu, lungs), None, 1.6)
    # one voxel along z of 1.5 mm, and the voxels within 1.6 mm in the plane
    assert region.sum() == 2 + 9
    assert search_region(volume, "whole", 0.0).all()


def test_without_lungs_nothing_is_found(bright, volume):
    empty = MemoryVolume("1.3", volume.grid, volume.hu, np.zeros(volume.grid.shape_zyx, np.uint8))
    found = bright.detect(empty)
    assert len(found) == 0
    assert found.mask_crops == ()


def test_no_more_than_the_strongest_are_kept(models, cpu, volume, balls):
    few = INFERENCE.model_copy(update={"max_per_scan": 1})
    found = Detector(Model(models.unet().card, (Bright(),)), few, cpu).detect(volume)
    assert np.abs(found.centers_zyx_mm - [balls["small"][0]]).max() < 0.5


@pytest.mark.parametrize("kind", ["unet", "center_net"])
def test_a_stored_volume_and_one_in_memory_give_the_same_detections(models, cpu, volume, write_store, kind):
    lungs = np.zeros(volume.grid.shape_zyx, np.uint8)
    lungs[4:30, 6:44, 5:40] = 1
    held = MemoryVolume("1.3", volume.grid, volume.hu, lungs)
    store = write_store("1.3", volume.hu, volume.grid.spacing_zyx_mm, origin=volume.grid.origin_zyx_mm, lungs=lungs)
    model = getattr(models, kind)(tile_size_vox=32, halo_vox=8)
    detector = Detector(model, model.card.part.inference.model_copy(update={"merge_distance_mm": 0.0}), cpu)
    one, other = detector.detect(held), detector.detect(open_volume(store))
    assert len(one) > 0
    for name in ("centers_zyx_mm", "diameters_mm", "scores"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert all(np.array_equal(a.mask, b.mask) for a, b in zip(one.mask_crops, other.mask_crops, strict=True))


def test_the_model_is_left_as_it_is_and_dropout_is_off(models, cpu, volume):
    model = models.unet(tile_size_vox=32, halo_vox=8)
    [member] = model.members
    member.train()
    detector = Detector(model, model.card.part.inference, cpu)
    one, other = detector.detect(volume), detector.detect(volume)
    np.testing.assert_array_equal(one.scores, other.scores)
    assert member.training
    assert any(isinstance(module, torch.nn.BatchNorm3d) for module in member.modules())


def test_a_mask_that_was_not_trained_is_no_mask(models, cpu, volume):
    trained = models.center_net(tile_size_vox=32, halo_vox=8)
    untrained = models.center_net(mask_weight=0.0, tile_size_vox=32, halo_vox=8)
    assert trained_heads(trained.card.part) - trained_heads(untrained.card.part) == {"mask"}
    one, other = (Detector(m, m.card.part.inference, cpu).detect(volume) for m in (trained, untrained))
    assert len(one.mask_crops) == len(one) == len(other) > 0
    assert other.mask_crops is None
