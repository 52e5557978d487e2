import numpy as np
import pytest

from lungpipe.volumes.hounsfield import scale_intensity

HU = np.array([[-2000, -1000, -300], [400, 401, 3000]], dtype=np.int16)


def test_window_becomes_zero_to_one():
    scaled = scale_intensity(HU, (-1000, 400), "zero_one")
    assert scaled.dtype == np.float32
    np.testing.assert_allclose(scaled, [[0, 0, 0.5], [1, 1, 1]])


def test_bytes_are_whole_numbers_to_255():
    scaled = scale_intensity(np.arange(-1000, 401, dtype=np.int16), (-1000, 400), "byte")
    assert scaled.dtype == np.float32
    assert set(scaled.tolist()) == set(range(256))


def test_uniform_hu_get_zero_mean_and_unit_variance():
    scaled = scale_intensity(np.arange(-1000, 401), (-1000, 400), "zero_centre")
    assert scaled.mean() == pytest.approx(0, abs=1e-4)
    assert scaled.std() == pytest.approx(1, abs=1e-3)
    assert scaled.max() == pytest.approx(np.sqrt(3), abs=1e-6)


@pytest.mark.parametrize("shape", [(), (0,), (7,), (2, 3, 4), (2, 1, 3, 4, 5)])
@pytest.mark.parametrize("normalisation", ["zero_one", "zero_centre", "byte"])
def test_any_shape_and_an_untouched_input(shape, normalisation):
    hu = np.full(shape, -300, dtype=np.int16)
    assert scale_intensity(hu, (-1000, 400), normalisation).shape == shape
    assert (hu == -300).all()


def test_order_is_kept_for_extreme_values():
    hu = np.array([-32768, -1001, -1000, 0, 400, 32767], dtype=np.int16)
    scaled = scale_intensity(hu, (-1000, 400), "zero_one")
    assert (np.diff(scaled) >= 0).all()
    assert scaled.min() == 0
    assert scaled.max() == 1


@pytest.mark.parametrize("window", [(400, -1000), (0, 0)])
def test_empty_window_is_refused(window):
    with pytest.raises(ValueError, match="low < high"):
        scale_intensity(HU, window, "zero_one")


def test_unknown_normalisation_is_refused():
    with pytest.raises(ValueError, match="found 'minmax'"):
        scale_intensity(HU, (-1000, 400), "minmax")
