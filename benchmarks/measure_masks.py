"""Dice of a detector's masks with annotated nodule masks, on the test subset of its fold; beside it, that of balls.

    python benchmarks/measure_masks.py results/luna16_crops_whole/flagship 7 MASKS_FOLDER

MASKS_FOLDER holds <series>.mhd, the mask of the series' own nodule on the grid of the volume.
"""

import argparse
from pathlib import Path

import numpy as np
import SimpleITK
from numpy.typing import NDArray

from lungpipe.candidates import Detections
from lungpipe.inference.detector import Detector
from lungpipe.models import choose_hardware, load_model
from lungpipe.settings import ComputeSettings
from lungpipe.settings.recipe import TrainedDetector
from lungpipe.volumes.collection import locate_stores
from lungpipe.volumes.store import StoredVolume, open_volume


def main() -> None:
    """Print how many nodules were hit, and over the hits the Dice and the ratio of the volumes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("study", type=Path, help="folder of a study's recipe: results/DATASET/RECIPE")
    parser.add_argument("fold", type=int)
    parser.add_argument("masks", type=Path)
    given = parser.parse_args()
    model = load_model(given.study / f"fold{given.fold}" / "detector.safetensors", expect_role="detector")
    model.card.expect_fold(given.fold)
    part = TrainedDetector.model_validate(model.card.settings)
    detector = Detector(model, part.inference, choose_hardware(ComputeSettings(), 2))
    stores = locate_stores([given.study.parent / f"volumes/subset{given.fold}/manifest.json"])
    model.card.refuse_seen(stores)
    dices, ratios, balls, num_nodules = [], [], [], 0
    for series_uid, path in stores.items():
        file = given.masks / f"{series_uid}.mhd"
        if not file.is_file():
            continue
        volume = open_volume(path, series_uid)
        truth = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(file))) > 0
        if truth.shape != volume.grid.shape_zyx:
            raise ValueError(f"{file}: expected a mask of {volume.grid.shape_zyx} voxels, found {truth.shape}")
        num_nodules += 1
        found = mask_of_hit(detector.detect(volume, region="whole"), truth, volume)
        if found is not None:
            dices.append(dice(found, truth))
            balls.append(dice(ball_like(truth), truth))
            ratios.append(found.sum() / truth.sum())
    print(f"fold {given.fold}: {len(dices)} of {num_nodules} nodules hit")
    print(f"Dice: mean {np.mean(dices):.3f}, median {np.median(dices):.3f}; volumes: {np.median(ratios):.2f} x, median")
    print(f"Dice of a ball with the true volume and centre: mean {np.mean(balls):.3f}, median {np.median(balls):.3f}")


def dice(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Return 2 |A and B| / (|A| + |B|)."""
    return float(2 * (one & other).sum() / (one.sum() + other.sum()))


def ball_like(truth: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the ball (mask, zyx) with the volume and the centre of a mask: what a perfect ball would reach."""
    voxels = np.indices(truth.shape)
    center = np.argwhere(truth).mean(axis=0)
    distance = np.linalg.norm(voxels - center[:, None, None, None], axis=0)
    # as many voxels as the mask has, nearest first
    return np.asarray(distance <= np.sort(distance, axis=None)[truth.sum() - 1], dtype=np.bool_)


def mask_of_hit(found: Detections, truth: NDArray[np.bool_], volume: StoredVolume) -> NDArray[np.bool_] | None:
    """Return the mask of the most probable detection inside the sphere of the true mask's volume, or None."""
    center_zyx_mm = volume.grid.to_world(np.argwhere(truth).mean(axis=0))
    truth_mm3 = truth.sum() * np.prod(volume.grid.spacing_zyx_mm)
    radius = (3 * truth_mm3 / (4 * np.pi)) ** (1 / 3)
    near = np.flatnonzero(np.linalg.norm(found.centers_zyx_mm - center_zyx_mm, axis=1) < radius)
    if not len(near) or found.mask_crops is None:
        return None
    crop = found.mask_crops[int(near[np.argmax(found.scores[near])])]
    whole = np.zeros(truth.shape, dtype=bool)
    whole[tuple(slice(a, a + n) for a, n in zip(crop.start_zyx_vox, crop.mask.shape, strict=True))] = crop.mask
    return whole


if __name__ == "__main__":
    main()
