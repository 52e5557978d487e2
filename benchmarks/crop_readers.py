"""One volume in several formats, and how each of them gives up a crop (int16, zyx)."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
import SimpleITK
import zarr
from numpy.typing import NDArray

from lungpipe.geometry import Grid, Window
from lungpipe.volumes.store import open_volume
from lungpipe.volumes.writer import write_volume

Crop = NDArray[np.int16]
PIPELINES = ("zarr.core.codec_pipeline.BatchedCodecPipeline", "zarrs.ZarrsCodecPipeline")
# names of their own: of x.nii and x.nii.gz in one folder SimpleITK reads x.nii, whichever it is asked for
STORE, PACKED, PLAIN, ARRAY = "store.ome.zarr", "packed.nii.gz", "plain.nii", "array.npy"


@dataclass(frozen=True, slots=True)
class CropReader:
    """Reads one window; `mib` is the size of what it reads from, of the image's full resolution alone."""

    read: Callable[[Window], Crop]
    mib: float


def write_formats(folder: Path, hu: NDArray[np.int16], grid: Grid) -> None:
    """Write one volume (int16, zyx) in every format."""
    lungs = np.zeros(hu.shape, np.uint8)
    write_volume(folder / STORE, hu, grid, lungs, series_uid="volume", attributes={})
    np.save(folder / ARRAY, hu)
    affine = np.diag([*grid.spacing_xyz_mm, 1.0])
    for name in (PACKED, PLAIN):
        nibabel.save(nibabel.Nifti1Image(hu.T, affine), folder / name)


def list_readers(folder: Path) -> dict[str, CropReader]:
    """Return the readers by name, ours (opened once) first."""
    store, packed, plain, array = (folder / name for name in (STORE, PACKED, PLAIN, ARRAY))
    once = open_volume(store)
    plain_zarr, rust_zarr = (_open_zarr(store / "0", pipeline) for pipeline in PIPELINES)
    image = nibabel.load(plain)
    mapped = np.load(array, mmap_mode="r")
    reads: dict[str, tuple[Callable[[Window], Crop], Path]] = {
        "ours, opened once": (once.read_hu, store / "0"),
        "ours, opened per crop": (lambda window: open_volume(store).read_hu(window), store / "0"),
        "ours through zarr, opened once": (lambda w: plain_zarr[_slices(w)], store / "0"),
        "ours through zarr with zarrs, opened once": (lambda w: rust_zarr[_slices(w)], store / "0"),
        ".nii.gz, SimpleITK, per crop": (lambda window: _read_sitk(packed, window), packed),
        ".nii.gz, nibabel, per crop": (lambda window: _slice_nifti(nibabel.load(packed), window), packed),
        ".nii, nibabel, opened once": (lambda window: _slice_nifti(image, window), plain),
        ".nii, nibabel, per crop": (lambda window: _slice_nifti(nibabel.load(plain), window), plain),
        ".npy, loaded per crop": (lambda window: np.load(array)[_slices(window)].copy(), array),
        ".npy, mapped once": (lambda window: np.array(mapped[_slices(window)]), array),
        ".npy, mapped per crop": (lambda w: np.array(np.load(array, mmap_mode="r")[_slices(w)]), array),
    }
    return {name: CropReader(read, _size_mib(path)) for name, (read, path) in reads.items()}


def _slices(window: Window) -> tuple[slice, ...]:
    return tuple(slice(a, a + n) for a, n in zip(window.start_zyx_vox, window.shape_zyx, strict=True))


def _open_zarr(path: Path, pipeline: str) -> "zarr.Array":
    # an array keeps the codecs that it was opened with
    with zarr.config.set({"codec_pipeline.path": pipeline, "threading.max_workers": 1}):
        return zarr.open_array(path, mode="r")


def _read_sitk(path: Path, window: Window) -> Crop:
    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(str(path))
    reader.SetExtractIndex(window.start_zyx_vox[::-1])
    reader.SetExtractSize(window.shape_zyx[::-1])
    return SimpleITK.GetArrayFromImage(reader.Execute())


def _slice_nifti(image: nibabel.Nifti1Image, window: Window) -> Crop:
    return np.ascontiguousarray(image.dataobj[_slices(window)[::-1]].T)


def _size_mib(path: Path) -> float:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(item.stat().st_size for item in files if item.is_file()) / 2**20
