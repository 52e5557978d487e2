"""Rotation, zoom and blur beside MONAI's and TorchIO's (extra `bench`)."""

import numpy as np
import pytest
import torch

from lungpipe.sampling.batch import Batch
from lungpipe.sampling.draws import rotation_matrices
from lungpipe.training.change_hu import blur
from lungpipe.training.change_place import move

WINDOW, PATCH = 17, 9


def smooth_window(seed=0):
    rng = np.random.default_rng(seed)
    return torch.as_tensor(rng.integers(-1000, 400, (1, WINDOW, WINDOW, WINDOW)), dtype=torch.int16)


def moved(window, **draws):
    drawn = {name: torch.as_tensor(np.asarray(value, np.float32)) for name, value in draws.items()}
    nothing = torch.zeros(1, 0, 5)
    ones = torch.ones(1)
    batch = Batch(window, None, nothing, {}, ones, drawn, (1.0, 1.0, 1.0), np.zeros(1, np.int64), ("1.1",))
    return move(batch, PATCH)[0]


def test_a_rotation_with_zoom_is_monais_affine_transform():
    layers = pytest.importorskip("monai.networks.layers")
    window = smooth_window()
    matrix, zoom = rotation_matrices(np.array([[2.0, -1.0, 2.0]]) / 3, np.array([0.7])), 1.15
    # from patch voxels to window voxels about both centres, as MONAI reads a matrix
    inverse = np.linalg.inv(zoom * matrix[0])
    theta = np.eye(4)
    theta[:3, :3] = inverse
    theta[:3, 3] = (WINDOW - 1) / 2 - inverse @ np.full(3, (PATCH - 1) / 2)
    transform = layers.AffineTransform(
        spatial_size=(PATCH,) * 3, normalized=False, align_corners=True, padding_mode="border", zero_centered=False
    )
    expected = transform(window[None].float(), torch.as_tensor(theta, dtype=torch.float32)[None])[0]
    torch.testing.assert_close(moved(window, rotation=matrix, zoom=[zoom]), expected, atol=0.05, rtol=0)


def test_a_zoom_is_torchios_scale():
    torchio = pytest.importorskip("torchio")
    window = smooth_window(1)
    zoom = 1.2
    affine = torchio.Affine(scales=zoom, degrees=0, translation=0, center="image", image_interpolation="linear")
    image = affine(torchio.ScalarImage(tensor=window.float()))
    margin = (WINDOW - PATCH) // 2
    expected = image.data[:, margin:-margin, margin:-margin, margin:-margin]
    torch.testing.assert_close(moved(window, zoom=[zoom]), expected, atol=0.5, rtol=0)


@pytest.mark.parametrize("sigma", [0.4, 0.8, 1.0])
def test_a_blur_is_monais_sampled_gaussian(sigma):
    layers = pytest.importorskip("monai.networks.layers")
    window = smooth_window(2).float()
    # MONAI's weights do not sum to 1, and it pads with zeros: divided by what it makes of ones, and inside only
    gaussian = layers.GaussianFilter(3, sigma, truncated=3.0 / sigma, approx="sampled")
    expected = (gaussian(window[None]) / gaussian(torch.ones_like(window[None])))[0]
    found = blur(window, torch.tensor([sigma]), 1.0)
    inside = (slice(None), *(slice(3, -3),) * 3)
    torch.testing.assert_close(found[inside], expected[inside], atol=0.1, rtol=0)
