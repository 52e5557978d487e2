"""Slices of a tilted gantry, and slices that shift sideways for other reasons."""

import numpy as np
import pytest
import SimpleITK
from dicom_files import store
from slice_positions import COUNT, PLANES, fixed, write

from lungpipe.datasets.dicom import read_dicom
from lungpipe.datasets.scan import ScanError
from lungpipe.geometry import Grid

# a gantry turned about x: planes lean, the table moves along z
LEAN = np.deg2rad(20)
TILTED = [1.0, 0.0, 0.0, 0.0, float(np.cos(LEAN)), float(np.sin(LEAN))]


def ball(points_xyz_mm):
    """HU of a smooth body: 40 in the middle, -1000 outside."""
    away = np.square((points_xyz_mm - (0.0, -20.0, 60.0)) / (60.0, 60.0, 60.0)).sum(axis=-1)
    return -1000 + 1040 * np.exp(-away)


def write_tilted(series, orientation, step, first=(-75.0, -80.0, 20.0), spacing=1.0):
    """Write slices of the smooth body: 40 of them, 120 x 150 pixels; slice k lies `step` x k from the first."""
    row, column = np.reshape(orientation, (2, 3))
    y, x = np.mgrid[:120, :150] * spacing
    for index in range(COUNT):
        corner = np.array(first) + np.array(step) * index
        hu = ball(corner + x[..., None] * row + y[..., None] * column)
        series.write(
            0,
            f"{index}.dcm",
            Rows=120,
            Columns=150,
            PixelSpacing=[spacing, spacing],
            ImageOrientationPatient=[float(number) for number in orientation],
            ImagePositionPatient=[float(number) for number in corner],
            PixelData=store(np.rint(hu)),
        )
    return series.folder


TILTS = {
    "planes lean": (TILTED, (0.0, 0.0, 2.0)),
    "planes lean the other way": ([1, 0, 0, 0, float(np.cos(LEAN)), -float(np.sin(LEAN))], (0.0, 0.0, 2.0)),
    "table drifts": ([1, 0, 0, 0, 1, 0], (0.0, 0.3, 2.0)),
    "both axes": ([1, 0, 0, 0, 1, 0], (-0.25, 0.5, 2.0)),
    "flipped": ([-1, 0, 0, 0, -1, 0], (0.3, 0.45, -2.0)),
}


@pytest.mark.parametrize("name", TILTS)
def test_even_tilt_is_resampled_to_an_upright_grid(series, name):
    orientation, step = TILTS[name]
    first = (75.0, 40.0, 100.0) if name == "flipped" else (-75.0, -80.0, 20.0)
    scan = read_dicom(write_tilted(series, orientation, step, first))
    grid = scan.grid
    assert isinstance(grid, Grid)
    direction = np.asarray(grid.direction_zyx)
    np.testing.assert_allclose(direction.T @ direction, np.eye(3), atol=1e-6)
    assert len(scan.remarks) == 1
    assert "tilted gantry" in scan.remarks[0]
    # every voxel that a slice reached holds the body at its own place in the world
    index = np.stack(np.meshgrid(*(np.arange(size) for size in scan.hu.shape), indexing="ij"), axis=-1)
    world_xyz = grid.to_world(index)[..., ::-1]
    row, column = np.reshape(orientation, (2, 3))
    normal = np.cross(row, column)
    slices = (world_xyz - first) @ normal / (np.array(step) @ normal)
    local = world_xyz - first - slices[..., None] * step
    x, y = local @ row, local @ column
    is_inside = (x >= 0) & (x <= 149) & (y >= 0) & (y <= 119)
    assert is_inside.mean() > 0.5
    expected = np.where(is_inside, ball(world_xyz), -1024)
    # half a HU by rounding what is stored, half by rounding what is read, and the body's curvature between two pixels
    assert np.abs(scan.hu - expected)[is_inside].max() <= 1.04
    is_beyond = (x < -0.51) | (x > 149.51) | (y < -0.51) | (y > 119.51)
    assert (scan.hu[is_beyond] == -1024).all()
    # no slice loses a voxel
    assert is_inside.sum() >= COUNT * 119 * 149


def body_at(grid, shape):
    """HU of a body that is linear in space at the voxels of a grid, and their world coordinates (zyx, mm)."""
    index = np.stack(np.meshgrid(*(np.arange(size) for size in shape), indexing="ij"), axis=-1)
    world = grid.to_world(index)
    return world @ (2.7, -4.1, 3.3) - 100, world


@pytest.mark.parametrize("degrees", [0.02, 0.1, 0.3, -0.5])
@pytest.mark.parametrize("decimals", [1, 2, 6])
def test_a_small_tilt_is_a_tilt(series, degrees, decimals):
    """A shift of a whole series by a fraction of a millimetre is resampled, where rounding does not explain it."""
    shift = 2 * np.tan(np.deg2rad(degrees))
    z, y, x = np.mgrid[:COUNT, :40, :50]
    for index, plane in enumerate(np.rint(2.7 * 2 * z - 4.1 * (y + shift * z) + 3.3 * x - 100)):
        at = ["0", fixed(shift * index, decimals), fixed(2 * index, decimals)]
        elements = {"Rows": 40, "Columns": 50, "PixelSpacing": [1, 1], "ImagePositionPatient": at}
        series.write(0, f"{index}.dcm", **elements, PixelData=store(plane))
    scan = read_dicom(series.folder)
    whole_shift = abs(shift) * (COUNT - 1)
    is_rounded = whole_shift <= 0.01 + 2 * 0.5 * 10.0**-decimals * np.sqrt(2) and decimals < 3
    assert (scan.remarks == ()) == is_rounded
    expected, world = body_at(scan.grid, scan.hu.shape)
    row = world[..., 1] - shift * world[..., 0] / 2
    is_inside = (row >= 0) & (row <= 39)
    # positions of one decimal hide up to 0.15 mm, and a fitted slope is off by up to a unit of the last decimal
    lost = 1.001 + 4.1 * ((whole_shift if is_rounded else 0.0) + (10.0**-decimals if decimals < 3 else 0.0))
    assert np.abs(scan.hu - expected)[is_inside].max() <= lost


def test_cosines_of_few_decimals_are_no_tilt(series):
    """Planes of 12 degrees, cosines with three decimals: slices move along the exact normal."""
    normal = np.array([0.0, -np.sin(np.deg2rad(12)), np.cos(np.deg2rad(12))])
    folder = write(
        series,
        lambda k: tuple(fixed(number, 4) for number in 10 + normal * 2.5 * k),
        ImageOrientationPatient=["1", "0", "0", "0", fixed(normal[2], 3), fixed(-normal[1], 3)],
    )
    scan = read_dicom(folder)
    assert scan.remarks == ()
    np.testing.assert_array_equal(scan.hu, PLANES)


def test_exact_cosines_of_few_decimals_hide_no_tilt(series):
    step = np.array([0.0, -0.6, 0.8]) * 2 + np.array([0.0, 0.8, 0.6]) * 0.01
    folder = write(
        series,
        lambda k: tuple(fixed(number, 6) for number in step * k),
        ImageOrientationPatient=[1.0, 0.0, 0.0, 0.0, 0.8, 0.6],
    )
    assert "slices shift by 0.01 mm (y)" in read_dicom(folder).remarks[0]


def test_slices_that_wander_by_less_than_half_a_pixel_are_straight_with_a_remark(series):
    folder = write(series, lambda k: (fixed(0.3 * (k % 3 == 1), 4), "0", fixed(2.0 * k, 4)))
    scan = read_dicom(folder)
    np.testing.assert_array_equal(scan.hu, PLANES)
    assert scan.remarks == ("slices lie up to 0.3 mm beside the first, unevenly; read as straight",)


def write_shifted(series, planes, step_yx):
    """Write planes of 1 mm pixels, 2 mm apart, each shifted sideways by `step_yx` mm against the one before."""
    for index, plane in enumerate(planes):
        rows, columns = plane.shape
        at = [step_yx[1] * index, step_yx[0] * index, 2.0 * index]
        elements = {"Rows": rows, "Columns": columns, "PixelSpacing": [1, 1], "ImagePositionPatient": at}
        series.write(0, f"{index}.dcm", **elements, PixelData=store(plane))
    return series.folder


def test_tilted_slices_of_a_linear_body_are_exact_within_one_hu(series):
    """HU that are linear in space have no curvature between pixels: half a HU is lost where stored, half where read."""
    z, y, x = np.mgrid[:COUNT, :40, :50]
    shift_y, shift_x = 0.71, -0.37

    def body(z_mm, y_mm, x_mm):
        return 2.7 * z_mm - 4.1 * y_mm + 3.3 * x_mm - 100

    planes = np.rint(body(2 * z, y + shift_y * z, x + shift_x * z))
    scan = read_dicom(write_shifted(series, planes, (shift_y, shift_x)))
    index = np.stack(np.meshgrid(*(np.arange(size) for size in scan.hu.shape), indexing="ij"), axis=-1)
    z_mm, y_mm, x_mm = np.moveaxis(scan.grid.to_world(index), -1, 0)
    row, column = y_mm - shift_y * z_mm / 2, x_mm - shift_x * z_mm / 2
    is_inside = (row >= 0) & (row <= 39) & (column >= 0) & (column <= 49)
    assert is_inside.sum() >= COUNT * 39 * 49
    assert np.abs(scan.hu - body(z_mm, y_mm, x_mm))[is_inside].max() <= 1 + 1e-3


def test_tilted_slices_are_resampled_as_simpleitk_does(series):
    """SimpleITK's linear interpolation within each slice, at the same places, differs by rounding alone."""
    shift_y, shift_x = 0.71, -0.37
    planes = np.random.default_rng(5).integers(-900, 400, (12, 30, 36)).astype(np.float64)
    scan = read_dicom(write_shifted(series, planes, (shift_y, shift_x)))
    for index, plane in enumerate(planes):
        image = SimpleITK.GetImageFromArray(plane)
        image.SetOrigin((shift_x * index, shift_y * index))
        reference = SimpleITK.Image(scan.hu.shape[:0:-1], SimpleITK.sitkFloat64)
        reference.SetOrigin(scan.grid.origin_xyz_mm[:2])
        upright = SimpleITK.Resample(image, reference, SimpleITK.Transform(), SimpleITK.sitkLinear, -9999.0)
        expected = SimpleITK.GetArrayFromImage(upright)
        is_known = expected != -9999
        assert is_known.sum() >= 29 * 35
        assert np.abs(scan.hu[index] - expected)[is_known].max() <= 0.501


def test_shift_by_whole_pixels_keeps_every_value(series):
    folder = write(series, lambda k: ("0", str(5 * k), str(5 * k)))
    scan = read_dicom(folder)
    assert scan.hu.shape == (COUNT, 8 + COUNT - 1, 10)
    for index, plane in enumerate(PLANES):
        np.testing.assert_array_equal(scan.hu[index, index : index + 8], plane)
    assert (scan.hu == -1024).sum() >= COUNT * (COUNT - 1) * 10
    np.testing.assert_allclose(scan.grid.origin_zyx_mm, (0.0, 0.0, 0.0), atol=1e-9)


@pytest.mark.parametrize(
    "tilt",
    [
        lambda k: 0.01 * k * k,
        lambda k: 0.4 * k + 0.2 * (k == 9),
        lambda k: 0.4 * max(k, 20),
    ],
)
def test_uneven_tilt_is_refused(series, tilt):
    with pytest.raises(ScanError, match=r"tilted gantry\), up to \d+\.\d\d mm beside an even tilt"):
        read_dicom(write(series, lambda k: ("0", fixed(tilt(k), 4), fixed(2.0 * k, 4))))


def test_slices_that_wander_further_are_refused(series):
    position = lambda k: (fixed(1.5 * (k > 36), 4), "0", fixed(5.0 * k, 4))  # noqa: E731
    with pytest.raises(ScanError, match=r"found 1\.50 mm of sideways shift over 1\d\d\.00 mm \(tilted gantry\), up to"):
        read_dicom(write(series, position, PixelSpacing=[2.5, 2.5]))


def test_padding_of_tilted_slices_does_not_bleed(series):
    def pixels(index):
        stored = np.full((8, 10), 1064)
        stored[:, :3] = 0
        stored[2:6, 3:5] = 174
        stored[0] = 63536
        return stored.astype("<u2").tobytes()

    for index in range(6):
        at = [0.0, 1.7 * index, 5.0 * index]
        series.write(index, ImagePositionPatient=at, PixelData=pixels(index), PixelPaddingValue=63536)
    hu = read_dicom(series.folder).hu
    assert hu.min() == -1024
    assert hu.max() == 40
