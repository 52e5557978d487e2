"""Solid balls painted into the pleura of real scans: how many of their centres the dilated lung mask keeps.

    LUNGPIPE_SHARED=<folder> python benchmarks/bench_pleural_nodules.py [--closings 16 8]

A ball's centre lies below the lung's surface by a share of its radius. A closing of n takes a ball whose radius is 1/n
of the cube root of the lungs' volume; without the option the one in use.
"""

import argparse
import os
from itertools import product
from pathlib import Path

import numpy as np
from rounds import print_table
from scipy import ndimage

from lungpipe.datasets.read import read_scan
from lungpipe.geometry import Grid
from lungpipe.lungs import segment
from lungpipe.preparation.qc import near_lungs
from lungpipe.resampling.resample import resample

SPACING_MM = 1.5
MARGIN_MM = 5.0
DIAMETERS_MM = (15, 20, 25, 30)
DEPTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
PLACES = 8
APART_MM = 25.0
SEED = 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--closings", nargs="+", type=float, default=[1 / segment.CLOSING_SHARE])
    options = parser.parse_args()
    if not os.environ.get("LUNGPIPE_SHARED"):
        print("LUNGPIPE_SHARED is not set: no real scans")
        return
    folders = sorted(Path(os.environ["LUNGPIPE_SHARED"], "dicom").iterdir())
    scans = [prepare(folder) for folder in folders]
    rows = []
    for closing, diameter_mm in product(options.closings, DIAMETERS_MM):
        segment.CLOSING_SHARE = 1 / closing
        kept = [sum(count_kept(*scan, diameter_mm, depth) for scan in scans) for depth in DEPTHS]
        rows.append([f"1/{closing:g}", str(diameter_mm), *map(str, kept)])
    print(f"centres kept of {PLACES * len(scans)}, by depth as a share of the radius\n")
    print_table(("closing", "diameter, mm", *map(str, DEPTHS)), rows)


def prepare(folder: Path):
    """Return HU (int16, zyx) of a scan, their grid, and the depth of each voxel in the lungs, mm."""
    scan = read_scan(folder)
    grid = scan.grid.resampled((SPACING_MM,) * 3)
    hu = resample(scan, grid)
    return hu, grid, ndimage.distance_transform_edt(segment.segment_lungs(hu, grid) > 0, sampling=SPACING_MM)


def count_kept(hu, grid: Grid, depth_mm, diameter_mm: float, depth: float) -> int:
    """Paint balls at random places of one depth, apart from each other, and count those that the mask keeps."""
    rng = np.random.default_rng(SEED)
    radius_mm = diameter_mm / 2
    wanted_mm = max(depth * radius_mm, SPACING_MM)  # the outermost voxels of the lungs
    places = rng.permutation(np.argwhere((depth_mm > 0) & (np.abs(depth_mm - wanted_mm) < SPACING_MM / 2)))
    chosen = []
    for place in places:
        if all(np.linalg.norm(place - other) * SPACING_MM > diameter_mm + APART_MM for other in chosen):
            chosen.append(place)
        if len(chosen) == PLACES:
            break
    painted = hu.copy()
    for place in chosen:
        paint(painted, place, radius_mm / SPACING_MM, rng)
    labels = segment.segment_lungs(painted, grid)
    return sum(
        near_lungs(grid.to_world(place), grid, lambda window: window.cut(labels, 0), MARGIN_MM) for place in chosen
    )


def paint(hu, center, radius_vox: float, rng: np.random.Generator) -> None:
    """Paint a ball of soft tissue into HU (zyx), in place."""
    reach = int(radius_vox) + 1
    box = tuple(slice(max(c - reach, 0), c + reach + 1) for c in center)
    offsets = np.ogrid[tuple(slice(s.start, min(s.stop, n)) for s, n in zip(box, hu.shape, strict=True))]
    is_ball = sum((offset - c) ** 2 for offset, c in zip(offsets, center, strict=True)) < radius_vox**2
    hu[box][is_ball] = 30 + rng.normal(0, 15, np.count_nonzero(is_ball))


if __name__ == "__main__":
    main()
