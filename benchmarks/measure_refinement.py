"""How far detections are from annotated nodules, by the heat map, by the mask, and by their average; no times.

    python benchmarks/measure_refinement.py results/luna16_crops/flagship/fold0/detector.safetensors \
        --subset results/luna16_crops/volumes/subset1 --nodules results/luna16_crops/targets/nodules.parquet

For every annotated nodule of the subset's volumes, the strongest peak inside the nodule is compared with the
annotation. Choose the weights of `inference/peaks.py` on a validation subset (fold k has subset k + 1) only; the model
refuses volumes that it was trained on.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rounds import print_table

from lungpipe.candidates import Detections
from lungpipe.inference import peaks
from lungpipe.inference.detector import Detector
from lungpipe.inference.maps import predict_maps
from lungpipe.models import choose_hardware, digest_of, load_model
from lungpipe.settings import ComputeSettings
from lungpipe.settings.recipe import PeakDecoding
from lungpipe.tables import CENTER_COLUMNS, NODULES, read_table
from lungpipe.volumes.collection import locate_stores
from lungpipe.volumes.manifest import MANIFEST_FILE
from lungpipe.volumes.store import StoredVolume, open_volume

WAYS = ("heat map", "mask", "average")
SIZES_MM = ((0.0, np.inf), (0.0, 6.0), (6.0, 10.0), (10.0, np.inf))
ALONE = 1e-6
"""Diameter of equal errors that leaves the heat map no weight."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--subset", type=Path, required=True, help="folder of a subset's volumes")
    parser.add_argument("--nodules", type=Path, required=True, help="the study's table of nodules")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    model = load_model(options.model, expect_role="detector")
    hardware = choose_hardware(ComputeSettings(device="cpu"), options.threads)
    detector = Detector(model, model.card.part.inference, hardware)
    nodules = read_table(options.nodules, NODULES)
    stores = locate_stores([options.subset / MANIFEST_FILE])
    if seen := [uid for uid in stores if digest_of(uid) in model.card.training_series]:
        raise ValueError(f"{options.subset}: expected series that the model was not trained on, found {seen[0]}")
    errors = [row for path in stores.values() for row in compare(detector, open_volume(path), nodules)]
    report(np.array(errors))


def compare(detector: Detector, volume: StoredVolume, nodules: pd.DataFrame) -> Iterator[list[float]]:
    """Yield for each nodule that is found: diameter, errors of the centre by WAYS, errors of the diameter by WAYS."""
    region = np.ones(volume.grid.shape_zyx, dtype=bool)
    maps = predict_maps(
        detector.members, volume, region, detector.inference, hardware=detector.hardware, heads=detector.heads
    )
    settings = detector.inference.decode.model_copy(update={"refine": "none"})
    refined = settings.model_copy(update={"refine": "mask"})
    plain = peaks.decode_peaks(maps, volume.grid, region, settings)
    found = [plain, by_mask_alone(maps, volume, region, refined), peaks.refine_by_mask(plain, maps, volume.grid)]
    own = nodules[nodules["series_uid"] == volume.series_uid]
    for center, diameter_mm in zip(own[list(CENTER_COLUMNS)].to_numpy(), own["diameter_mm"], strict=True):
        inside = np.flatnonzero(np.linalg.norm(plain.centers_zyx_mm - center, axis=1) < diameter_mm / 2)
        if len(inside):
            row = inside[np.argmax(plain.scores[inside])]
            yield [
                diameter_mm,
                *(float(np.linalg.norm(one.centers_zyx_mm[row] - center)) for one in found),
                *(abs(float(one.diameters_mm[row]) - diameter_mm) for one in found),
            ]


def by_mask_alone(
    maps: peaks.Maps, volume: StoredVolume, region: NDArray[np.bool_], settings: PeakDecoding
) -> Detections:
    """Return the peaks with the mask's centres and diameters, where they have a mask."""
    kept = peaks.EQUAL_CENTER_MM, peaks.EQUAL_SIZE_MM
    try:
        peaks.EQUAL_CENTER_MM = peaks.EQUAL_SIZE_MM = ALONE
        return peaks.decode_peaks(maps, volume.grid, region, settings)
    finally:
        peaks.EQUAL_CENTER_MM, peaks.EQUAL_SIZE_MM = kept


def report(errors: NDArray[np.float64]) -> None:
    """Print medians and means (mm) of all nodules, and of those of each size."""
    rows = []
    for low, high in SIZES_MM:
        part = errors[(errors[:, 0] >= low) & (errors[:, 0] < high)]
        for column, way in enumerate(WAYS, start=1):
            center, size = part[:, column], part[:, column + len(WAYS)]
            figures = (np.median(center), center.mean(), np.median(size), size.mean())
            rows.append((f"{low:g} to {high:g} mm", str(len(part)), way, *(f"{value:.2f}" for value in figures)))
    header = ("nodules", "number", "by", "centre, median mm", "centre, mean", "diameter, median", "diameter, mean")
    print_table(header, rows)


if __name__ == "__main__":
    main()
