"""A drawn chest (ellipsoids of known volume) and scans in LUNA16's layout."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest
import SimpleITK

from lungpipe.datasets.luna16 import LUNGS_FOLDER, ScanFiles
from lungpipe.geometry import Grid
from lungpipe.phantom.metaimage import write_metaimage
from lungpipe.tables import NODULES

LEFT, RIGHT = 1, 2


@dataclass
class Chest:
    """HU and true lungs of a drawn chest; `scale` 1 is an adult's."""

    hu: np.ndarray
    lungs: np.ndarray
    grid: Grid
    trachea: np.ndarray

    def dice(self, labels, side=None):
        mine, truth = (labels > 0, self.lungs > 0) if side is None else (labels == side, self.lungs == side)
        return 2 * (mine & truth).sum() / (mine.sum() + truth.sum())


def ellipsoid(axes, center, radii):
    return sum(((axis - c) / r) ** 2 for axis, c, r in zip(axes, center, radii, strict=True)) < 1


def draw_chest(spacing=(3.0, 3.0, 3.0), scale=1.0, window=None, seed=0, lung_hu=-850, gap_mm=24.0):
    """Draw body, two lungs, trachea with bronchi, stomach gas, table and noise; `window` halves the field of view."""
    half_y, half_x = window or (140 * scale, 190 * scale)
    low = np.array([0.0, -half_y, -half_x])
    shape = tuple(int(n) for n in np.array([260 * scale, 2 * half_y, 2 * half_x]) / spacing)
    grid = Grid(shape, spacing, tuple(low))
    axes = np.meshgrid(
        *((o + s * np.arange(n, dtype=np.float32)) / scale for o, s, n in zip(low, spacing, shape, strict=True)),
        indexing="ij",
        sparse=True,
    )
    z, y, x = axes
    hu = np.full(shape, -1000, dtype=np.float32)
    hu[:, ((y / 105) ** 2 + (x / 165) ** 2 < 1)[0]] = 40
    hu[:, ((y > 112) & (y < 120) & (np.abs(x) < 150))[0]] = -200
    lungs = np.zeros(shape, np.uint8)
    offset = 62 + gap_mm / 2
    for side, center in ((LEFT, offset), (RIGHT, -offset)):
        lungs[ellipsoid(axes, (120, 0, center), (110, 85, 62))] = side
    hu[lungs > 0] = lung_hu
    trachea = (z > 120) & (np.hypot(y, x) < 9)
    bronchi = (np.abs(z - 120) < 6) & (np.abs(y) < 6) & (np.abs(x) < 40)
    hu[(np.hypot(y, x) < 12) & (z > 116)] = 40
    hu[trachea | bronchi] = -1000
    lungs[trachea | bronchi] = 0
    hu[ellipsoid(axes, (12, -30, 60), (14, 22, 26))] = -1000
    rng = np.random.default_rng(seed)
    hu += 20 * rng.standard_normal(shape, dtype=np.float32)
    return Chest(hu.clip(-1024, 3000).astype(np.int16), lungs, grid, trachea)


@pytest.fixture(scope="session")
def chest():
    return draw_chest()


def write_mhd(folder, uid, hu, grid):
    """Write one scan in LUNA16's layout and return its files."""
    folder.mkdir(parents=True, exist_ok=True)
    image = SimpleITK.GetImageFromArray(hu)
    image.SetSpacing(grid.spacing_xyz_mm)
    image.SetOrigin(grid.origin_xyz_mm)
    image.SetDirection(grid.direction_xyz)
    SimpleITK.WriteImage(image, str(folder / f"{uid}.mhd"))
    return ScanFiles(uid, folder / f"{uid}.mhd", folder / f"{uid}.raw")


def write_labels(scan, codes, grid):
    """Write a reference lung mask of LUNA16's labels beside the scan's subset; return the scan with it."""
    folder = scan.header_path.parents[1] / LUNGS_FOLDER
    write_metaimage(np.ascontiguousarray(codes), grid, folder / scan.header_path.name, is_compressed=True)
    header = folder / scan.header_path.name
    return replace(scan, reference=ScanFiles(scan.series_uid, header, header.with_suffix(".zraw")))


@pytest.fixture
def subset(tmp_path):
    """Three small scans and a table with one nodule in each."""
    files, rows = [], []
    for index in range(3):
        drawn = draw_chest(spacing=(3.0, 3.0, 3.0), scale=0.4, seed=index)
        uid = f"1.2.{index}"
        files.append(write_mhd(tmp_path / "raw/subset0", uid, drawn.hu, drawn.grid))
        center = np.array([120.0, 0.0, 74.0]) * 0.4
        rows.append([f"{uid}#0", uid, *center, 6.0, None])
    return files, NODULES.conform(pd.DataFrame(rows, columns=list(NODULES.columns)))


@pytest.fixture(scope="session")
def draw():
    return draw_chest


@pytest.fixture
def write_scan():
    return write_mhd


@pytest.fixture
def write_reference():
    return write_labels
