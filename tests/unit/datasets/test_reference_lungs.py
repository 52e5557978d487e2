"""Reference lung masks: LUNA16's labels on the scan's own grid, and everything else refused by name."""

import numpy as np
import pytest
import SimpleITK

from lungpipe.datasets.reference_lungs import read_reference_lungs
from lungpipe.datasets.scan import ScanError
from lungpipe.geometry import Grid

FLIPPED = ((1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, -1.0))
GRID = Grid((3, 4, 5), (2.5, 0.8, 0.7), (-30.0, 20.5, 10.0), FLIPPED)


def draw(dtype=np.uint8):
    """Four voxels of each lung and of the airways."""
    labels = np.zeros(GRID.shape_zyx, dtype=dtype)
    labels[0, 0, :4], labels[1, 1, :4], labels[2, 2, :4] = 3, 4, 5
    return labels


@pytest.fixture
def write(tmp_path):
    """Write labels as LUNA16 does, through SimpleITK, and return the header's path."""

    def write(labels, grid=GRID):
        image = SimpleITK.GetImageFromArray(labels)
        image.SetSpacing(grid.spacing_xyz_mm)
        image.SetOrigin(grid.origin_xyz_mm)
        image.SetDirection(grid.direction_xyz)
        SimpleITK.WriteImage(image, str(tmp_path / "1.2.mhd"), True)
        return tmp_path / "1.2.mhd"

    return write


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int16, np.uint16])
def test_lungs_by_hand(write, dtype):
    lungs = read_reference_lungs(write(draw(dtype)), GRID)
    expected = np.zeros(GRID.shape_zyx, dtype=np.uint8)
    expected[0, 0, :4], expected[1, 1, :4] = 1, 2
    assert lungs.dtype == np.uint8
    np.testing.assert_array_equal(lungs, expected)


def test_one_lung_is_enough(write):
    labels = draw()
    labels[labels == 4] = 0
    assert np.unique(read_reference_lungs(write(labels), GRID)).tolist() == [0, 1]


@pytest.mark.parametrize("label", [1, 6, -1])
def test_other_labels_are_refused(write, label):
    labels = draw(np.int16)
    labels[2, 3, 4] = label
    named = ", ".join(map(str, sorted([0, 3, 4, 5, label])))
    with pytest.raises(ScanError, match=rf"1\.2\.mhd: expected the labels 3 .*, found {named}$"):
        read_reference_lungs(write(labels), GRID)


@pytest.mark.parametrize("left", [0, 5])
def test_a_mask_without_lungs_is_refused(write, left):
    with pytest.raises(ScanError, match=rf"beside 0, found {left}$"):
        read_reference_lungs(write(np.full(GRID.shape_zyx, left, dtype=np.uint8)), GRID)


def test_another_shape_is_refused(write):
    with pytest.raises(ScanError, match=r"expected the scan's shape \(3, 4, 6\) \(zyx\), found \(3, 4, 5\)"):
        read_reference_lungs(write(draw()), Grid((3, 4, 6), GRID.spacing_zyx_mm, GRID.origin_zyx_mm, FLIPPED))


def shifted(by_mm):
    z, y, x = GRID.origin_zyx_mm
    return Grid(GRID.shape_zyx, GRID.spacing_zyx_mm, (z + by_mm, y, x), FLIPPED)


@pytest.mark.parametrize(
    ("grid", "apart"),
    [
        (shifted(0.2), "0.2"),
        # 3 steps of 0.1 mm in y
        (Grid(GRID.shape_zyx, (2.5, 0.9, 0.7), GRID.origin_zyx_mm, FLIPPED), "0.3"),
        # the far corner is mirrored: 2 x (2.4, 2.8) mm
        (Grid(GRID.shape_zyx, GRID.spacing_zyx_mm, GRID.origin_zyx_mm), "7.38"),
    ],
    ids=["origin", "spacing", "direction"],
)
def test_another_grid_is_refused(write, grid, apart):
    with pytest.raises(ScanError, match=rf"found corners {apart} mm away"):
        read_reference_lungs(write(draw(), grid), GRID)


def test_headers_may_round(write):
    np.testing.assert_array_equal(
        read_reference_lungs(write(draw(), shifted(0.05)), GRID), read_reference_lungs(write(draw()), GRID)
    )


def test_a_truncated_mask_is_refused(write):
    path = write(draw())
    voxels = path.with_suffix(".zraw")
    voxels.write_bytes(voxels.read_bytes()[:-4])
    with pytest.raises(ScanError, match=r"1\.2\.zraw: expected \d+ bytes of voxels"):
        read_reference_lungs(path, GRID)


def test_a_mask_in_floating_point_is_refused(write):
    with pytest.raises(ScanError, match=r"ElementType: expected MET_CHAR or .*, found MET_FLOAT"):
        read_reference_lungs(write(draw(np.float32)), GRID)
