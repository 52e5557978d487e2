"""Parts of volumes, masks on their grid, and circles in millimetres."""

import numpy as np
import pytest
from PIL import Image

from lungpipe.datasets.metaimage import read_voxels
from lungpipe.datasets.metaimage_header import LABEL_TYPES, read_header
from lungpipe.geometry import Grid, Window, sphere_mask
from lungpipe.reporting.pictures.cut import Cut, data_uri, draw_circle, read_mask_on
from lungpipe.reporting.views import beside
from lungpipe.volumes.store import open_volume
from lungpipe.volumes.writer import write_volume

RED = (255, 0, 0)


def cut_of(grid, hu=None):
    filled = np.full(grid.shape_zyx, -1000, np.int16) if hu is None else hu
    return Cut(filled, np.zeros(grid.shape_zyx, np.uint8), grid)


def red(picture):
    return (np.asarray(picture) == RED).all(axis=-1)


def test_a_cut_has_the_grid_of_its_window_and_air_outside(tmp_path):
    grid = Grid((10, 12, 14), (2.0, 1.0, 0.5), (5.0, -3.0, 7.0))
    hu = np.arange(np.prod(grid.shape_zyx), dtype=np.int16).reshape(grid.shape_zyx)
    write_volume(tmp_path / "a.ome.zarr", hu, grid, np.ones(hu.shape, np.uint8), series_uid="a", attributes={})
    cut = Cut.read(open_volume(tmp_path / "a.ome.zarr"), Window((-2, 3, 4), (6, 4, 4)))
    assert (cut.hu[:2] == -1000).all()
    assert (cut.lungs[:2] == 0).all()
    np.testing.assert_array_equal(cut.hu[2:], hu[:4, 3:7, 4:8])
    np.testing.assert_allclose(cut.grid.to_world((2, 0, 0)), grid.to_world((0, 3, 4)))


@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal"])
def test_a_circle_has_the_sections_diameter(plane):
    grid = Grid((41, 41, 41), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    cut = cut_of(grid)
    view = cut.view(plane, (20.0, 20.0, 20.0), 4.0)
    picture = Image.new("RGB", view.size(grid))
    draw_circle(picture, view, grid, center_zyx_mm=(20.0, 20.0, 20.0), diameter_mm=10.0, colour=RED)
    rows, columns = np.nonzero(red(picture))
    assert rows.max() - rows.min() == pytest.approx(40, abs=1)
    assert (columns.max() + columns.min()) / 2 == pytest.approx(82, abs=1)


def test_a_sphere_off_the_plane_has_a_smaller_section_and_then_none():
    grid = Grid((41, 41, 41), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    view = cut_of(grid).view("axial", (20.0, 20.0, 20.0), 4.0)
    widths = []
    for z in (20.0, 23.0, 26.0):
        picture = Image.new("RGB", view.size(grid))
        draw_circle(picture, view, grid, center_zyx_mm=(z, 20.0, 20.0), diameter_mm=10.0, colour=RED)
        columns = np.nonzero(red(picture))[1]
        widths.append(int(np.ptp(columns)) if len(columns) else 0)
    # 2 x 4 pixels x sqrt(25 - 9)
    assert widths == [pytest.approx(40, abs=1), pytest.approx(32, abs=1), 0]


def test_a_mask_on_its_own_grid_lies_where_the_world_says(tmp_path):
    own = Grid((30, 30, 30), (1.5, 0.7, 0.7), (-10.0, 2.0, 3.0))
    center = own.to_world((15, 15, 15))
    write_mask(tmp_path / "m.mhd", sphere_mask(own, center, 8.0).astype(np.uint8), own)
    grid = Grid((40, 40, 40), (1.0, 1.0, 1.0), tuple(center - 20.0))
    mask = read_mask_on(tmp_path / "m.mhd", grid)
    expected = sphere_mask(grid, center, 8.0)
    overlap = 2.0 * (mask & expected).sum() / (mask.sum() + expected.sum())
    assert overlap > 0.9


def write_mask(path, mask, grid):
    lines = {
        "ObjectType": "Image",
        "NDims": 3,
        "BinaryData": True,
        "BinaryDataByteOrderMSB": False,
        "CompressedData": False,
        "TransformMatrix": "1 0 0 0 1 0 0 0 1",
        "Offset": " ".join(map(str, grid.origin_xyz_mm)),
        "CenterOfRotation": "0 0 0",
        "ElementSpacing": " ".join(map(str, grid.spacing_xyz_mm)),
        "DimSize": " ".join(map(str, grid.size_xyz)),
        "ElementType": "MET_UCHAR",
        "ElementDataFile": path.with_suffix(".raw").name,
    }
    path.with_suffix(".raw").write_bytes(mask.tobytes())
    path.write_text("".join(f"{key} = {value}\n" for key, value in lines.items()))
    assert read_voxels(read_header(path, LABEL_TYPES)).shape == grid.shape_zyx


def test_pictures_stand_beside_each_other_and_become_the_same_text():
    joined = beside([Image.new("RGB", (10, 8)), Image.new("RGB", (6, 8))], 4)
    assert joined.size == (20, 8)
    assert data_uri(joined) == data_uri(joined.copy())
    assert data_uri(joined).startswith("data:image/jpeg;base64,/9j/")
