"""The same search and the same scores on every device; CUDA only in runs of the `gpu` tests."""

import numpy as np
import pytest
import torch

from lungpipe.inference.detector import Detector
from lungpipe.inference.maps import predict_maps
from lungpipe.inference.scorer import Scorer
from lungpipe.models import choose_hardware
from lungpipe.settings import ComputeSettings

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]


@pytest.fixture(params=DEVICES)
def hardware(request, monkeypatch):
    # TF32 keeps ten bits: it is meant for speed, not for a comparison of devices
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    return choose_hardware(ComputeSettings(device=request.param, precision="float32"), 1)


@pytest.fixture(params=DEVICES)
def reduced(request):
    return choose_hardware(ComputeSettings(device=request.param, precision="bfloat16"), 1)


@pytest.mark.parametrize("kind", ["unet", "center_net"])
@pytest.mark.parametrize("tiles_per_batch", [1, 3])
def test_maps_agree_with_the_cpu_in_any_batch(hardware, cpu, models, volume, kind, tiles_per_batch):
    model = getattr(models, kind)(tile_size_vox=32, halo_vox=8, tiles_per_batch=tiles_per_batch)
    region = np.ones(volume.grid.shape_zyx, bool)
    one, other = (
        predict_maps(
            Detector(model, model.card.part.inference, h).members, volume, region, model.card.part.inference, hardware=h
        )
        for h in (hardware, cpu)
    )
    for head, values in one.heads.items():
        np.testing.assert_allclose(values, other.heads[head], atol=1e-4, err_msg=head)


@pytest.mark.parametrize("kind", ["unet", "center_net"])
def test_bfloat16_moves_logits_by_its_rounding_alone(reduced, cpu, models, volume, kind):
    model = getattr(models, kind)(tile_size_vox=32, halo_vox=8)
    region = np.ones(volume.grid.shape_zyx, bool)
    one, other = (
        predict_maps(
            Detector(model, model.card.part.inference, h).members, volume, region, model.card.part.inference, hardware=h
        )
        for h in (reduced, cpu)
    )
    for head, values in one.heads.items():
        assert np.abs(values - other.heads[head]).max() < 0.15, head
        assert np.abs(values - other.heads[head]).mean() < 0.02, head


def test_detections_agree_with_the_cpu(hardware, cpu, models, volume):
    model = models.center_net(tile_size_vox=32, halo_vox=8, tiles_per_batch=2)
    one, other = (Detector(model, model.card.part.inference, h).detect(volume) for h in (hardware, cpu))
    assert len(one) == len(other) > 0
    np.testing.assert_allclose(one.centers_zyx_mm, other.centers_zyx_mm, atol=1e-3)
    np.testing.assert_allclose(one.diameters_mm, other.diameters_mm, rtol=1e-3)
    np.testing.assert_allclose(one.scores, other.scores, atol=1e-4)


def test_scores_agree_with_the_cpu(hardware, cpu, models, volume):
    model = models.scorer(num_views=8, patches_per_batch=3)
    centers = volume.grid.to_world(np.random.default_rng(0).uniform(0, 36, (7, 3)))
    one, other = (Scorer(model, model.card.part.inference, h).score(volume, centers) for h in (hardware, cpu))
    np.testing.assert_allclose(one.nodule_logits, other.nodule_logits, atol=1e-4)
    np.testing.assert_allclose(one.malignancy, other.malignancy, atol=1e-4)
