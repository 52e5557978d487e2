"""Estimate the memory of a scan from its header, and refuse scans that need more than a worker has."""

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lungpipe.datasets.luna16 import ScanFiles
from lungpipe.datasets.metaimage_header import DTYPES, Header, read_header
from lungpipe.datasets.scan import ScanError, check_grid
from lungpipe.geometry import Grid
from lungpipe.lungs.coarse import count_cells
from lungpipe.preparation.workers import GIB
from lungpipe.resampling.resample import anti_alias_sigma_mm
from lungpipe.resampling.separable import match_axes
from lungpipe.volumes.manifest import MANIFEST_FILE, ManifestError, read_manifest

if TYPE_CHECKING:
    from lungpipe.settings import PreprocessingSettings

HU_BYTES, FLOAT_BYTES, LABEL_BYTES = 2, 4, 1
PROGRAM_BYTES = 640 * 2**20
"""Bytes of a process without a scan: interpreter, libraries, and memory that the allocator keeps of earlier scans."""
FIXED_BYTES = 44 * 2**20
"""Bytes of every scan, however small: thread pools, and libraries loaded at first use."""
PACKED_BYTES = 2.5
"""Bytes per voxel while the volume is written: compressed chunks, and the shards that are made of them."""
HALVES_BYTES = 1
"""Bytes per voxel of the target while the half-resolution level (an eighth of the voxels) is made and written."""
KEPT_BYTES = 96 * 2**20
"""Bytes that the allocator keeps at most of the shards just written."""
CELL_BYTES = 23
"""Bytes per voxel of the coarse grid on which the lungs are found: HU, masks, 32-bit components."""
COMPARED_BYTES = 3
"""Bytes per voxel of the target while two masks are compared: both, and one being read or reordered."""


def estimate_peak_bytes(native_grid: Grid, target_grid: Grid, *, reading_bytes: int = 0, threads: int = 1) -> int:
    """Return an upper bound (bytes) of the peak memory of preparing one scan, without the program itself.

    Stages follow each other, so the largest stage counts. `reading_bytes` are used while the voxels are read, in
    addition to the voxels; `threads` resample. The terms are calibrated by `benchmarks/bench_memory.py`.
    """
    native, target = math.prod(native_grid.shape_zyx), math.prod(target_grid.shape_zyx)
    is_oblique = match_axes(native_grid, target_grid) is None
    # SimpleITK copies the scan, or the smoothed scan
    copies = 3 if any(anti_alias_sigma_mm(native_grid, target_grid)) else 2
    # two slices in floating point on the way from the native size to the target's, at three sizes
    scratch = threads * FLOAT_BYTES * 6 * max(_slice_vox(native_grid), _slice_vox(target_grid))
    stages = {
        "read": HU_BYTES * native + reading_bytes,
        "resample": HU_BYTES * (native + target) + scratch,
        "oblique": copies * HU_BYTES * native + (FLOAT_BYTES + HU_BYTES) * target if is_oblique else 0,
        "store": HU_BYTES * target + _writing_bytes(target_grid) + _lungs_bytes(target_grid),
    }
    return FIXED_BYTES + max(stages.values())


def count_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def require_memory(scan: ScanFiles, settings: "PreprocessingSettings", limit_bytes: int, *, threads: int = 1) -> int:
    """Return the bytes that preparing a scan needs, the program included; reads the header alone.

    Raises:
        ScanError: a header that cannot be used, or a scan that needs more than the limit.
    """
    header = read_header(scan.header_path)
    check_grid(header.grid, header.path)
    target = header.grid.resampled(settings.spacing_zyx_mm)
    needed = PROGRAM_BYTES + estimate_peak_bytes(
        header.grid, target, reading_bytes=_reading_bytes(header), threads=threads
    )
    if needed > limit_bytes:
        grids = f"{_describe(header.grid)} become {_describe(target)} (zyx)"
        raise ScanError(
            f"{header.path}: expected a scan that is prepared in {_say_limit(limit_bytes)},"
            f" found one that needs {needed / GIB:.2f} GiB: {grids}"
        )
    return needed


def estimate_comparison_bytes(native_grid: Grid, target_grid: Grid, *, label_bytes: int, file_bytes: int) -> int:
    """Return an upper bound (bytes) of the peak memory of comparing a stored mask with reference lungs.

    The program itself is not included. `label_bytes`: of a voxel of the reference; `file_bytes`: of its file.
    """
    native, target = math.prod(native_grid.shape_zyx), math.prod(target_grid.shape_zyx)
    stages = {
        "read": file_bytes + 2 * label_bytes * native,
        # a mask of each lung, and one of another label, or all labels in order, to name those that are refused
        "labels": 2 * (label_bytes + LABEL_BYTES) * native,
        # SimpleITK, if used, copies the labels and frees one copy of its own
        "resample": 2 * LABEL_BYTES * (native + target),
        "compare": COMPARED_BYTES * target,
    }
    return FIXED_BYTES + max(stages.values())


def require_comparison_memory(scan: ScanFiles, reference: ScanFiles, target_grid: Grid, limit_bytes: int) -> int:
    """Return the bytes that comparing a stored scan with its reference needs, the program included; reads the headers.

    Raises:
        ScanError: a header that cannot be used, or a reference that needs more than the limit.
        OSError: a reference without voxels.
    """
    header, native_grid = read_header(reference.header_path, DTYPES.keys()), read_header(scan.header_path).grid
    needed = PROGRAM_BYTES + estimate_comparison_bytes(
        native_grid,
        target_grid,
        label_bytes=np.dtype(DTYPES[header.element_type]).itemsize,
        file_bytes=header.data_path.stat().st_size,
    )
    if needed > limit_bytes:
        raise ScanError(
            f"{header.path}: expected a reference that is compared in {_say_limit(limit_bytes)},"
            f" found one that needs {needed / GIB:.2f} GiB: {_describe(native_grid)} (zyx)"
        )
    return needed


def list_refused(scans: Sequence[ScanFiles], folder: Path, settings: "PreprocessingSettings") -> list[str]:
    """Return the series whose estimate exceeds the settings' worker memory.

    Series in the manifest of `folder` are prepared already and left out, and so are files that do not exist yet.
    """
    try:
        prepared = {entry.series_uid for entry in read_manifest(Path(folder) / MANIFEST_FILE)}
    except (ManifestError, RecursionError):  # the latter: JSON that is nested too deeply
        prepared = set()
    missing = [scan for scan in scans if scan.series_uid not in prepared and scan.header_path.exists()]
    return [scan.series_uid for scan in missing if _is_refused(scan, settings)]


def _is_refused(scan: ScanFiles, settings: "PreprocessingSettings") -> bool:
    try:
        require_memory(scan, settings, worker_bytes(settings))
    except ScanError:
        return True
    return False


def worker_bytes(settings: "PreprocessingSettings") -> int:
    """Return the memory of one worker."""
    return int(settings.worker_memory_gib * GIB)


def _slice_vox(grid: Grid) -> int:
    return grid.shape_zyx[1] * grid.shape_zyx[2]


def _writing_bytes(grid: Grid) -> int:
    voxels = math.prod(grid.shape_zyx)
    full = int(PACKED_BYTES * voxels)
    # then the half-resolution level: a copy with even sides, the halves and their shards, beside what is kept
    copied = HU_BYTES if any(size % 2 for size in grid.shape_zyx) else 0
    return max(full, min(full * 2 // 3, KEPT_BYTES) + (copied + HALVES_BYTES) * voxels)


def _lungs_bytes(grid: Grid) -> int:
    # on the coarse grid, or the step back from it: labels in two orientations
    cells = count_cells(grid)
    return max(CELL_BYTES * cells, 2 * LABEL_BYTES * math.prod(grid.shape_zyx) + CELL_BYTES // 4 * cells)


def _reading_bytes(header: Header) -> int:
    """Return the bytes for reading a file's voxels besides their HU: decompression, byte order, another number type."""
    other_type = 0 if header.element_type == "MET_SHORT" else header.num_bytes
    if header.is_compressed:
        return header.data_path.stat().st_size + header.num_bytes + other_type
    return other_type + (header.num_bytes if header.is_big_endian else 0)


def _say_limit(limit_bytes: int) -> str:
    source = "preprocessing.worker_memory_gib, or less where the worker itself has less"
    return f"{limit_bytes / GIB:.2f} GiB ({source})"


def _describe(grid: Grid) -> str:
    sizes, steps = (" x ".join(f"{value:g}" for value in values) for values in (grid.shape_zyx, grid.spacing_zyx_mm))
    return f"{sizes} voxels of {steps} mm"
