"""Read a CT series from DICOM slices or frames, and refuse a series that is not one regular volume."""

from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lungpipe.datasets.dicom.choice import choose_series, group_series
from lungpipe.datasets.dicom.files import find_images
from lungpipe.datasets.dicom.frames import list_frames
from lungpipe.datasets.dicom.geometry import Stack, stack_slices
from lungpipe.datasets.dicom.pixels import read_stored, to_hu
from lungpipe.datasets.dicom.slice import Slice
from lungpipe.datasets.dicom.tilt import shear_upright, upright_grid
from lungpipe.datasets.padding import accept_scan
from lungpipe.datasets.scan import Scan, ScanError, check_grid

_GRAY = ("MONOCHROME1", "MONOCHROME2")
_HU_TYPES = ("HU", "HU_MOD", "")
_UNSPECIFIED = "US"
"""The rescale type of values without a unit, which some exporters write for HU."""


def read_dicom(folder: Path, series_uid: str | None = None) -> Scan:
    """Read one CT series: slices sorted along their normal, rescaled to int16 HU (zyx), with the full grid.

    `folder` and its subfolders contain a file per slice, or files of many frames (Enhanced CT). It may also be such a
    file, or the index of a disc (DICOMDIR). Several CT series need a choice by `series_uid`. A series of a
    tilted gantry is resampled to an upright grid (see `dicom.tilt`).

    MONOCHROME1 differs from MONOCHROME2 in display only, so that both hold the same HU.

    Raises:
        ScanError: no or several series, a slice that is not CT or has another grid, gaps, duplicates, an uneven tilt.
    """
    folder = Path(folder)
    if folder.name.upper() == "DICOMDIR" and folder.is_file():
        folder = folder.parent  # the index of a disc means the whole disc
    files, remarks = choose_series(folder, find_images(folder), series_uid)
    stack, more = _stack(folder, files)
    hu = _read_pixels(stack, is_compressed=_is_compressed(files))
    remarks = (*remarks, *more)
    scan = accept_scan(Scan(str(stack.slices[0].header.SeriesInstanceUID), hu, stack.grid, remarks), folder)
    if not stack.is_tilted:
        return scan
    hu, grid = shear_upright(hu, stack.grid, stack.shift_yx_mm)
    y, x = stack.shift_yx_mm
    remark = f"tilted gantry: slices shift by {y:.3g} mm (y) and {x:.3g} mm (x) each; resampled to an upright grid"
    return Scan(scan.series_uid, hu, grid, (*remarks, remark))


def read_stacks(folder: Path, series_uids: Collection[str]) -> dict[str, Stack]:
    """Return slices and grid of every wanted series in a folder and its subfolders; no pixels are read.

    Raises:
        ScanError: a wanted series that is not one regular volume.
    """
    folder = Path(folder)
    images = find_images(folder, is_required=False)
    wanted = sorted(set(group_series(images)) & set(series_uids))
    return {uid: _stack(folder, choose_series(folder, images, uid)[0])[0] for uid in wanted}


def list_series(folder: Path) -> dict[str, int]:
    """Return the number of DICOM files of every series in a folder and its subfolders."""
    return {uid: len(items) for uid, items in group_series(find_images(Path(folder))).items()}


def _stack(folder: Path, files: list[Slice]) -> tuple[Stack, tuple[str, ...]]:
    slices, remarks = list_frames(files)
    for item in slices:
        _check_slice(item)
    if any(_rescale_type(item) == _UNSPECIFIED for item in slices):
        remarks += ("RescaleType is US (unspecified): the rescaled values are taken for HU",)
    stack = stack_slices(folder, slices)
    check_grid(upright_grid(stack.grid, stack.shift_yx_mm), folder)
    return stack, (*remarks, *stack.remarks)


def _read_pixels(stack: Stack, *, is_compressed: bool) -> NDArray[np.int16]:
    hu = np.empty(stack.grid.shape_zyx, dtype=np.int16)
    places: dict[Path, dict[int | None, int]] = {}
    for index, item in enumerate(stack.slices):
        places.setdefault(item.path, {})[item.frame] = index

    def read(path: Path) -> None:
        for index, stored in read_stored(path, places[path]):
            hu[index] = to_hu(stack.slices[index], stored)

    if is_compressed and len(places) > 1:
        from lungpipe.datasets.dicom.encapsulated import count_threads

        with ThreadPoolExecutor(count_threads()) as pool:
            list(pool.map(read, places))
    else:
        for path in places:
            read(path)
    return hu


def _is_compressed(files: Sequence[Slice]) -> bool:
    syntax = files[0].header.file_meta.get("TransferSyntaxUID")
    return syntax is not None and syntax.is_encapsulated


def _rescale_type(item: Slice) -> str:
    """Return the unit of the rescaled values in upper case; empty if none is given."""
    return str(item.header.get("RescaleType") or "").strip().upper()


def _check_slice(item: Slice) -> None:
    header = item.header
    checks = {
        "Modality": (header.get("Modality"), ("CT",)),
        "SamplesPerPixel": (header.get("SamplesPerPixel", 1), (1,)),
        "NumberOfFrames": (int(header.get("NumberOfFrames", 1) or 1), (1,)),
        "PhotometricInterpretation": (header.get("PhotometricInterpretation"), _GRAY),
        "BitsAllocated": (header.get("BitsAllocated"), (8, 16, 32)),
        "RescaleType": (_rescale_type(item), (*_HU_TYPES, _UNSPECIFIED)),
    }
    for key, (found, expected) in checks.items():
        if found not in expected:
            wanted = " or ".join(str(value) for value in expected if value not in ("", _UNSPECIFIED))
            raise ScanError(f"{item.where}: {key}: expected {wanted}, found {found}")
    required = ("Rows", "Columns", "PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient")
    for key in (*required, "RescaleSlope", "RescaleIntercept"):
        if header.get(key) in (None, ""):
            raise ScanError(f"{item.where}: expected the element {key}, found none")
