"""Masks of candidates: written as a table and read back voxel by voxel."""

import numpy as np
import pandas as pd
import pytest

from lungpipe.candidates import Detections, MaskCrop, to_table
from lungpipe.candidates.mask_table import find_mask, join_mask_tables, to_mask_table
from lungpipe.candidates.mask_table import tightened as tight
from lungpipe.geometry import Grid, sphere_mask
from lungpipe.tables import CANDIDATE_MASKS, ContractError, write_table

GRID = Grid((90, 90, 90), (1.0, 1.0, 1.0), (-7.5, 3.25, 0.1))


def ball(diameter_mm, start=(4, 5, 6)):
    """A ball in the middle of a crop of 61 voxels a side that starts there."""
    return MaskCrop(start, sphere_mask(Grid((61,) * 3, (1.0,) * 3, (0.0,) * 3), (30.0, 30.0, 30.0), diameter_mm))


def centers(crops):
    """The middles of the crops in the world."""
    return GRID.to_world([np.add(crop.start_zyx_vox, 30) for crop in crops])


def table_of(crops, series_uid="1.2"):
    count = len(crops)
    found = Detections(centers(crops), np.full(count, 6.0), np.linspace(0.9, 0.1, count))
    return to_mask_table(to_table(found, series_uid, 0), crops, GRID)


def test_a_mask_is_read_back_at_its_voxels():
    crops = [ball(6.0), ball(11.5, start=(-2, 0, 9))]
    found = find_mask(table_of(crops), "1.2", tuple(centers(crops)[1]))
    # a ball of 11.5 mm around voxel 30: voxels 25 to 35
    assert found.start_zyx_vox == (23, 25, 34)
    assert found.mask.shape == (11, 11, 11)
    np.testing.assert_array_equal(found.mask, ball(11.5).mask[25:36, 25:36, 25:36])


def test_another_series_or_place_has_no_mask():
    masks, center = table_of([ball(6.0)]), centers([ball(6.0)])[0]
    assert find_mask(masks, "1.2", tuple(center)) is not None
    assert find_mask(masks, "1.3", tuple(center)) is None
    assert find_mask(masks, "1.2", tuple(center + 0.01)) is None
    assert find_mask(CANDIDATE_MASKS.empty(), "1.2", tuple(center)) is None


def test_an_empty_crop_has_no_row_and_a_detector_without_masks_an_empty_table():
    empty = MaskCrop((0, 0, 0), np.zeros((61, 61, 61), dtype=bool))
    assert table_of([ball(6.0), empty])["candidate_id"].tolist() == ["1.2#c0"]
    assert to_mask_table(to_table(Detections.empty(), "1.2", 0), None, GRID).equals(CANDIDATE_MASKS.empty())


def test_only_the_lump_at_the_centre_is_kept():
    crop = ball(6.0)
    crop.mask[2:6, 2:6, 2:6] = True
    both = ball(6.0)
    np.testing.assert_array_equal(find_mask(table_of([crop]), "1.2", tuple(centers([crop])[0])).mask, tight(both).mask)
    # without the ball, the other lump is farther away than the radius
    crop.mask[20:] = False
    assert len(table_of([crop])) == 0


@pytest.mark.parametrize(("diameter_mm", "most"), [(6.0, 150), (30.0, 2000)])
def test_a_mask_takes_no_more_bytes_than_the_module_says(tmp_path, diameter_mm, most):
    crops = [ball(diameter_mm, start=(shift, 0, 0)) for shift in range(3)]
    masks = table_of(crops)
    assert masks["mask"].str.len().max() < most
    write_table(masks, tmp_path / "masks.parquet", CANDIDATE_MASKS)
    assert (tmp_path / "masks.parquet").stat().st_size < 3 * most + 10_000


def test_tables_are_joined_and_a_candidate_twice_is_refused():
    first, second = table_of([ball(6.0)]), table_of([ball(6.0)], series_uid="1.3")
    assert join_mask_tables([first, CANDIDATE_MASKS.empty(), second])["series_uid"].tolist() == ["1.2", "1.3"]
    assert join_mask_tables([]).equals(CANDIDATE_MASKS.empty())
    with pytest.raises(ContractError, match="expected one row"):
        join_mask_tables([first, first])


@pytest.mark.parametrize(
    ("text", "found"),
    [("%", "expected a compressed mask"), ("AAAA", "expected a compressed mask"), ("eJxjAAAAAQAB", "found 1 bytes")],
)
def test_a_damaged_mask_is_named(text, found):
    masks: pd.DataFrame = table_of([ball(6.0)]).assign(mask=text)
    with pytest.raises(ValueError, match=f"candidate 1.2#c0: .*{found}"):
        find_mask(masks, "1.2", tuple(centers([ball(6.0)])[0]))
