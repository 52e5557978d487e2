"""Preparing a subset again in which nothing has changed: what is up to date is found by sizes, times and records.

    python benchmarks/bench_unchanged.py [--scans 100] [--rounds 5]

The scans are tiny: neither raw voxels nor volumes are read where nothing has changed, so their size does not count.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import SimpleITK
from rounds import spread
from scans import SEED, num_cores

from lungpipe.datasets.luna16 import list_scans
from lungpipe.preparation.prepare import PrepareRequest, PrepareResult, prepare_subset
from lungpipe.settings import PreprocessingSettings

SHAPE_ZYX = (12, 16, 20)
SPACING_MM = 2.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scans", type=int, default=100, help="888 is all of LUNA16 in one folder")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_scans(folder / "raw", options.scans)
        first = prepare(folder)
        if first.num_computed != options.scans:
            raise RuntimeError(
                f"{folder}: expected {options.scans} prepared scans, found {first.num_computed}: "
                f"{first.failures['reason'].tolist()}"
            )
        seconds = []
        for _ in range(options.rounds):
            began = time.perf_counter()
            again = prepare(folder)
            seconds.append(time.perf_counter() - began)
            if again.num_kept != options.scans:
                raise RuntimeError(f"{folder}: expected {options.scans} kept scans, found {again.num_kept}")
    per_hundred = [100 * value / options.scans for value in seconds]
    print(f"{options.scans} scans, nothing changed: {spread(seconds)} s, {spread(per_hundred)} s per 100 scans")


def write_scans(root: Path, num_scans: int) -> None:
    """Write tiny scans of noise in LUNA16's layout."""
    rng = np.random.default_rng(SEED)
    (root / "subset0").mkdir(parents=True)
    for index in range(num_scans):
        image = SimpleITK.GetImageFromArray(rng.integers(-1000, 400, SHAPE_ZYX).astype(np.int16))
        image.SetSpacing((SPACING_MM,) * 3)
        SimpleITK.WriteImage(image, str(root / "subset0" / f"1.2.{index}.mhd"))


def prepare(folder: Path) -> PrepareResult:
    """Prepare the raw scans of a folder as a rule does, listing included."""
    # noise has no lungs to be found
    request = PrepareRequest(PreprocessingSettings(lung_mask="whole"), "bench", 0)
    scans = list_scans(folder / "raw", 0)
    return prepare_subset(scans, folder / "out", request, num_workers=num_cores(), log=lambda line: None)


if __name__ == "__main__":
    main()
