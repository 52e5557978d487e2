"""Tiny stored scans: noisy air with balls of tissue, and the points and tables that belong to them."""

from pathlib import Path

import numpy as np
import pandas as pd

from lungpipe.geometry import Grid
from lungpipe.sampling.points import detector_points
from lungpipe.settings.recipe import DetectorSampling
from lungpipe.tables import CENTER_COLUMNS, EXCLUSIONS, NODULES
from lungpipe.training.members import Material
from lungpipe.volumes.writer import write_volume

SIDE_VOX = 24


def write_ball_scans(folder: Path, count: int, *, seed: int, side_vox: int = SIDE_VOX) -> Material:
    """Write `count` scans of `side_vox`^3 voxels of 1 mm, all but every third with a ball of 5 to 8 mm."""
    rng = np.random.default_rng(seed)
    rows, volumes = [], {}
    for index in range(count):
        uid = f"1.{seed}.{index}"
        hu = rng.normal(-850, 40, (side_vox,) * 3)
        if index % 3 != 2:
            center, radius = (side_vox - 1) / 2 + rng.uniform(-3, 3, 3), rng.uniform(2.5, 4)
            distance = np.linalg.norm(np.stack(np.indices(hu.shape), axis=-1) - center, axis=-1)
            hu[distance < radius] += 800
            rows.append((f"{uid}#0", uid, *center, 2 * radius, "3;4;5"))
        volumes[uid] = folder / f"{uid}.ome.zarr"
        grid, lungs = Grid(hu.shape, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)), np.ones(hu.shape, np.uint8)
        write_volume(volumes[uid], hu.astype(np.int16), grid, lungs, series_uid=uid, attributes={})
    columns = ["nodule_id", "series_uid", *CENTER_COLUMNS, "diameter_mm", "malignancy_ratings"]
    nodules, exclusions = NODULES.conform(pd.DataFrame(rows, columns=columns)), EXCLUSIONS.empty()
    points = detector_points(volumes, nodules, exclusions, DetectorSampling(lung_points_per_scan=4), seed=seed)
    return Material(points, volumes, nodules, exclusions)
