"""The first layer: HU windows by hand, and what it refuses."""

import numpy as np
import pytest
import torch

from lungpipe.models.intensity import Intensity
from lungpipe.settings.recipe import ResNetSettings


def scale(hu, windows=((-1000, 400),), normalisation="zero_one"):
    layer = Intensity(ResNetSettings(windows_hu=windows, normalisation=normalisation))
    return layer(torch.as_tensor(hu).reshape(1, 1, 1, 1, -1)).flatten(2).squeeze(0)


@pytest.mark.parametrize(
    ("normalisation", "expected"),
    [
        ("zero_one", [0.0, 0.0, 0.5, 1.0, 1.0]),
        # -sqrt(3) and sqrt(3)
        ("zero_centre", [-1.7320508, -1.7320508, 0.0, 1.7320508, 1.7320508]),
        # 127.5 rounds to the even 128
        ("byte", [0.0, 0.0, 128.0, 255.0, 255.0]),
    ],
)
def test_a_window_is_clipped_and_scaled(normalisation, expected):
    hu = torch.tensor([-3000, -1000, -300, 400, 3000], dtype=torch.int16)
    torch.testing.assert_close(scale(hu, normalisation=normalisation), torch.tensor([expected]))


def test_every_window_is_a_channel():
    hu = torch.tensor([-1000, -160, 40, 240, 400], dtype=torch.int16)
    scaled = scale(hu, windows=((-1000, 400), (-160, 240)))
    expected = [[0.0, 0.6, 1040 / 1400, 1240 / 1400, 1.0], [0.0, 0.0, 0.5, 1.0, 1.0]]
    torch.testing.assert_close(scaled, torch.tensor(expected))
    assert scaled.dtype == torch.float32


@pytest.mark.parametrize("normalisation", ["zero_one", "zero_centre", "byte"])
def test_the_layer_scales_as_double_precision_does(normalisation):
    hu = np.arange(-1200, 600, 7, dtype=np.int16)
    unit = np.clip((hu.astype(np.float64) + 1000) / 1400, 0, 1)
    expected = {"zero_one": unit, "zero_centre": (unit - 0.5) * np.sqrt(12), "byte": np.rint(255 * unit)}
    np.testing.assert_allclose(scale(hu, normalisation=normalisation)[0], expected[normalisation], atol=2e-6)


def test_stored_weights_hold_no_window():
    assert Intensity(ResNetSettings()).state_dict() == {}


@pytest.mark.parametrize("shape", [(2, 2, 4, 4, 4), (1, 4, 4, 4)])
def test_hu_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match=r"expected HU of the shape \(B, 1, Z, Y, X\), found \(" + str(shape[0])):
        Intensity(ResNetSettings())(torch.zeros(shape))


@pytest.mark.parametrize("window", [(400, 400), (400, -1000)])
def test_a_window_that_does_not_rise_is_refused(window):
    with pytest.raises(ValueError, match="windows_hu: expected low < high"):
        ResNetSettings(windows_hu=(window,))
