"""Dilation of a lung mask by a ball in mm: on packed bits, by distance maps, and by SimpleITK's structuring element.

    python benchmarks/bench_balls.py [--rounds 5] [--small]

A drawn chest's lungs on the full grid with the margin of the settings, and on the coarse grid where they are found,
with the radius that closes them. All agree but the structuring element, whose ball is drawn in voxels.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import SimpleITK
from numpy.typing import NDArray
from rounds import alternate, print_table, ratios, spread
from scans import num_cores, read_resampled, write_scan
from scipy import ndimage

from lungpipe.geometry import Grid
from lungpipe.lungs.morphology import BoolArray, Spacing, dilate_mm
from lungpipe.lungs.segment import CLOSING_SHARE, segment_lungs
from lungpipe.settings import PreprocessingSettings

OURS = "packed bits"
Dilate = Callable[[BoolArray, Spacing, float], BoolArray]


def by_scipy(mask: BoolArray, spacing_zyx_mm: Spacing, margin_mm: float) -> BoolArray:
    """Threshold scipy's exact distance map."""
    distance: NDArray[np.float64] = ndimage.distance_transform_edt(~mask, sampling=spacing_zyx_mm)
    return distance <= margin_mm


def by_maurer(mask: BoolArray, spacing_zyx_mm: Spacing, margin_mm: float) -> BoolArray:
    """Threshold SimpleITK's exact distance map, on all cores."""
    image = SimpleITK.GetImageFromArray(mask.view(np.uint8))
    image.SetSpacing(spacing_zyx_mm[::-1])
    distance = SimpleITK.SignedMaurerDistanceMap(image, squaredDistance=True, useImageSpacing=True)
    # the map counts from the mask's surface voxels, which are 0
    return SimpleITK.GetArrayViewFromImage(distance) <= margin_mm**2


def by_element(mask: BoolArray, spacing_zyx_mm: Spacing, margin_mm: float) -> BoolArray:
    """Dilate by SimpleITK's ball of whole voxels."""
    radius = [round(margin_mm / step) for step in reversed(spacing_zyx_mm)]
    image = SimpleITK.GetImageFromArray(mask.view(np.uint8))
    return SimpleITK.GetArrayFromImage(SimpleITK.BinaryDilate(image, radius, SimpleITK.sitkBall)).astype(bool)


WAYS: dict[str, Dilate] = {
    OURS: dilate_mm,
    "scipy, distance map": by_scipy,
    "SimpleITK, distance map": by_maurer,
    "SimpleITK, structuring element": by_element,
}
EXACT = tuple(name for name in WAYS if name != "SimpleITK, structuring element")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--small", action="store_true", help="a miniature scan, to try the script")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        hu, grid = read_resampled(write_scan(Path(name), is_small=options.small))
    lungs = segment_lungs(hu, grid) > 0
    margin_mm = PreprocessingSettings().lung_margin_mm
    compare("full grid, margin", lungs, grid, margin_mm, options.rounds)
    radius_mm = CLOSING_SHARE * float(np.count_nonzero(lungs) * grid.voxel_volume_mm3) ** (1 / 3)
    coarse = lungs[::2, ::2, ::2].copy()
    spacing = tuple(2 * step for step in grid.spacing_zyx_mm)
    compare("coarse grid, closing", coarse, Grid(coarse.shape, spacing), radius_mm, options.rounds)


def compare(title: str, mask: BoolArray, grid: Grid, margin_mm: float, num_rounds: int) -> None:
    """Measure every way on one mask (zyx) and print the table; raises ValueError where exact ways disagree."""
    dilated = {name: dilate(mask, grid.spacing_zyx_mm, margin_mm) for name, dilate in WAYS.items()}
    for name in EXACT:
        if not np.array_equal(dilated[name], dilated[OURS]):
            raise ValueError(f"{name}: expected the ball of {OURS}, found another")
    seconds: dict[str, list[float]] = {name: [] for name in WAYS}
    for name in alternate(list(WAYS), num_rounds):
        began = time.perf_counter()
        WAYS[name](mask, grid.spacing_zyx_mm, margin_mm)
        seconds[name].append(time.perf_counter() - began)
    print(f"\n{title}: {mask.shape} voxels, a ball of {margin_mm:.1f} mm, {num_cores()} cores\n")
    rows = [
        [
            name,
            spread([1000 * value for value in seconds[name]], 1),
            spread(ratios(seconds[name], seconds[OURS]), 1),
            f"{100 * np.mean(dilated[name] != dilated[OURS]):.2f}",
        ]
        for name in WAYS
    ]
    print_table(("way", "ms", "x ours", "% of voxels differ"), rows)


if __name__ == "__main__":
    main()
