"""Nodule masks as a dataset holds them: 0 and 1 in MetaImage."""

import numpy as np
import pytest

from lungpipe.datasets.nodule_masks import read_nodule_mask
from lungpipe.datasets.scan import ScanError
from lungpipe.geometry import Grid
from lungpipe.phantom.metaimage import write_metaimage

GRID = Grid((6, 7, 8), (2.0, 1.5, 1.0), (-3.0, 4.0, 5.0), ((1, 0, 0), (0, -1, 0), (0, 0, 1)))


@pytest.mark.parametrize("is_compressed", [True, False])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16])
def test_a_mask_comes_back_with_its_grid(tmp_path, is_compressed, dtype):
    mask = np.zeros(GRID.shape_zyx, dtype)
    mask[2, 3, 4:6] = 1
    write_metaimage(mask, GRID, tmp_path / "1.1.mhd", is_compressed=is_compressed)
    found, grid = read_nodule_mask(tmp_path / "1.1.mhd")
    assert grid == GRID
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, mask)


@pytest.mark.parametrize("strange", [2, -1])
def test_labels_and_hu_are_no_mask(tmp_path, strange):
    mask = np.zeros(GRID.shape_zyx, np.int16)
    mask[2, 3, 4] = strange
    write_metaimage(mask, GRID, tmp_path / "1.1.mhd")
    with pytest.raises(
        ScanError, match=rf"1\.1\.mhd: expected a nodule mask of 0 and 1, found values from .*{strange}"
    ):
        read_nodule_mask(tmp_path / "1.1.mhd")
