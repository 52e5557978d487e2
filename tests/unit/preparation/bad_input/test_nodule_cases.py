"""Annotated nodules outside their volume are counted, and fail nothing."""

import pytest

# 1.2.2 spans (0, 0, 0) to (25, 35, 45) mm zyx, half a voxel (2.5 mm) more on each side
CENTERS = {
    "far away": ((500.0, 17.0, 22.0), 1),
    "in voxels of another grid": ((120.0, 256.0, 256.0), 1),
    "in RAS": ((12.0, -17.0, -22.0), 1),
    "beyond half a voxel": ((27.6, 17.0, 22.0), 1),
    "within half a voxel": ((27.4, 17.0, 22.0), 0),
    "in the middle": ((12.0, 17.0, 22.0), 0),
}


@pytest.mark.parametrize("name", CENTERS)
def test_nodule_outside_the_volume_is_counted(subset, name):
    center, outside = CENTERS[name]
    subset.write()
    nodules = subset.nodules()
    nodules.loc[1, ["center_z_mm", "center_y_mm", "center_x_mm"]] = center
    rows = subset.rows(nodules)
    assert rows["is_ok"].all()
    assert rows["num_nodules"].tolist() == [1, 1]
    assert rows["num_nodules_outside_volume"].to_dict() == {"1.2.1": 0, "1.2.2": outside}
    assert rows["num_nodules_outside_lungs"].to_dict() == {"1.2.1": 0, "1.2.2": outside}
