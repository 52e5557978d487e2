"""The scans that benchmarks run on: a drawn chest of full size and, where it is at hand, a real series."""

import os
import shutil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lungpipe.datasets.luna16 import list_scans
from lungpipe.datasets.read import read_scan
from lungpipe.geometry import Grid
from lungpipe.phantom import FULL_SIZE, write_phantom
from lungpipe.resampling.resample import resample
from lungpipe.settings import PhantomSettings, PreprocessingSettings

SEED = 2016
SMALL_SIZE = PhantomSettings(scans_per_subset=1)
REAL_SERIES = Path("dicom") / "LIDC-IDRI-0012"


def write_scan(root: Path, *, is_small: bool = False) -> Path:
    """Write one phantom scan in LUNA16's layout and return its header (512 x 512 x 300, or a miniature)."""
    write_phantom(root, SMALL_SIZE if is_small else FULL_SIZE, 1)
    # the check against a reference mask is none of what is compared
    shutil.rmtree(root / "seg-lungs-LUNA16")
    [scan] = list_scans(root, 0)
    return scan.header_path


def find_real_series() -> Path | None:
    """Return the folder of a real DICOM series below LUNGPIPE_SHARED; None, and a line that says so, without it."""
    shared = os.environ.get("LUNGPIPE_SHARED")
    if not shared:
        print("LUNGPIPE_SHARED is not set: no real series")
        return None
    folder = Path(shared) / REAL_SERIES
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: expected a DICOM series below LUNGPIPE_SHARED, found none")
    return folder


def read_resampled(source: Path) -> tuple[NDArray[np.int16], Grid]:
    """Return a scan's HU (int16, zyx) at the default spacing, with its grid."""
    scan = read_scan(source)
    grid = scan.grid.resampled(PreprocessingSettings().spacing_zyx_mm)
    return resample(scan, grid, threads=num_cores()), grid


def num_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0))
