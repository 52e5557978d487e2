"""The voxels that are rendered."""

from dataclasses import replace

import numpy as np
import pytest

from lungpipe.rendering import chest as chest_module
from lungpipe.rendering.chest import MARGIN_MM, cut_chest, open_chest
from lungpipe.terms import AIR_HU
from lungpipe.volumes.writer import write_volume


def test_the_box_of_the_lungs_keeps_its_place_in_the_world(chest, volume):
    # lungs from voxel 7 to 33 (z, y) and 11 to 69 (x), with a margin
    first = [7 - MARGIN_MM, 7 - MARGIN_MM, 11 - MARGIN_MM]
    assert chest.grid.origin_zyx_mm == tuple(volume.grid.to_world(first))
    assert chest.hu.shape == chest.lungs.shape == (39, 39, 71)
    assert chest.series_uid == "1.2.3"


def test_outside_the_lungs_is_air(chest):
    for name in ("linear", "otsu"):
        shown = chest.shown_hu(name)
        assert (shown[chest.lungs == 0] < -900).mean() > 0.95
        assert shown.max() > 0
        assert shown[0, 0, 0] == AIR_HU
    # the gradient shows the wall of the chest
    assert chest.shown_hu("gradient").max() > 0
    assert (chest.shown_hu("gradient") > -500).sum() > 2 * (chest.shown_hu("otsu") > -500).sum()


def test_the_whole_volume_is_shown_without_lungs(volume):
    whole = cut_chest(volume, is_whole=True)
    assert whole.lungs is None
    np.testing.assert_array_equal(whole.shown_hu("linear"), volume.hu)
    assert whole.grid == volume.grid


def test_a_large_volume_is_thinned_out(volume, monkeypatch):
    monkeypatch.setattr(chest_module, "MAX_VOXELS", 20_000)
    thin = cut_chest(volume)
    assert thin.hu.size < 20_000
    assert thin.grid.spacing_zyx_mm == (2.0, 2.0, 2.0)
    assert thin.hu.shape == thin.lungs.shape == thin.grid.shape_zyx


def test_a_volume_without_lungs_is_refused(volume):
    empty = replace(volume, lungs=np.zeros_like(volume.lungs))
    with pytest.raises(ValueError, match=r"series 1\.2\.3: expected a volume with lungs, found none"):
        cut_chest(empty)


def test_a_store_is_opened_as_it_is(volume, chest, tmp_path):
    path = tmp_path / "a.ome.zarr"
    write_volume(path, volume.hu, volume.grid, volume.lungs, series_uid="1.2.3", attributes={})
    found = open_chest(path)
    np.testing.assert_array_equal(found.hu, chest.hu)
    np.testing.assert_array_equal(found.lungs, chest.lungs)
    assert found.grid == chest.grid
