"""Write images, and read the grids of images, in the file formats of other tools."""

import errno
import os
import secrets
import shutil
from pathlib import Path

import numpy as np
import SimpleITK
from numpy.typing import NDArray

from lungpipe.datasets.read import is_directory
from lungpipe.datasets.scan import ScanError
from lungpipe.geometry import Grid
from lungpipe.resampling.resample import to_image
from lungpipe.tables import naming
from lungpipe.volumes.manifest import STORE_SUFFIX
from lungpipe.volumes.store import open_volume

IMAGE_ENDINGS = (".nii.gz", ".nii", ".mhd", ".mha")


def write_image(path: Path, array: NDArray[np.generic], grid: Grid, *, note: str | None = None) -> None:
    """Write an array (zyx) on its grid as MetaImage or NIfTI by the path's ending, compressed and whole.

    `note` is kept in the header of a NIfTI file (`descrip`, at most 79 characters).

    Raises:
        ValueError: another ending.
        WriteError: the disk does not take the image: SimpleITK writes half of a NIfTI file to a full disk without an
            error, so that the image is read back before it takes its name.
    """
    path = Path(path)
    if not path.name.endswith(IMAGE_ENDINGS):
        raise ValueError(f"{path}: expected an ending of {', '.join(IMAGE_ENDINGS)}, found {path.name}")
    # in a temporary folder: MetaImage writes two files, and the header names the data file
    folder = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}")
    try:
        with naming(path, folder):
            path.parent.mkdir(parents=True, exist_ok=True)
            folder.mkdir()
            image = to_image(array, grid)
            if note is not None:
                image.SetMetaData("ITK_FileNotes", note)
            _write_checked(folder / path.name, image)
            # the header last: a header without its voxels must never exist
            for written in sorted(folder.iterdir(), key=lambda item: item.name == path.name):
                with written.open("rb+") as stream:
                    os.fsync(stream.fileno())
                os.replace(written, path.with_name(written.name))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _write_checked(path: Path, image: SimpleITK.Image) -> None:
    try:
        SimpleITK.WriteImage(image, str(path), not path.name.endswith(".nii"))
        # kept in a variable: a view does not keep its image alive
        found = SimpleITK.ReadImage(str(path))
        is_equal = np.array_equal(*map(SimpleITK.GetArrayViewFromImage, (found, image)))
    except RuntimeError:
        is_equal = False
    if not is_equal:
        free = shutil.disk_usage(path.parent).free
        raise OSError(errno.EIO, f"other voxels when it is read back ({free} bytes are free on the disk)", str(path))


def read_labels(path: Path) -> tuple[NDArray[np.unsignedinteger], Grid]:
    """Return the labels of a mask (an unsigned type, zyx; 0 elsewhere) and its grid: MetaImage or NIfTI.

    Raises:
        ScanError: not an image of three dimensions, or values that are no labels (fractions, negative numbers).
    """
    try:
        image = SimpleITK.ReadImage(str(path))
    except RuntimeError as error:
        raise ScanError(f"{path}: expected a mask, found {str(error).strip().splitlines()[-1]}") from None
    labels = SimpleITK.GetArrayFromImage(image)
    if image.GetDimension() != 3 or labels.ndim != 3:
        raise ScanError(f"{path}: expected a mask of three dimensions, found {image.GetDimension()}")
    if labels.dtype.kind not in "iu" or labels.min() < 0:
        found = f"{labels.dtype} from {labels.min()} to {labels.max()}"
        raise ScanError(f"{path}: expected whole numbers from 0 on, found {found}")
    grid = Grid.from_xyz(image.GetSize(), image.GetSpacing(), image.GetOrigin(), image.GetDirection())
    return labels.astype(labels.dtype.str.replace("i", "u"), copy=False), grid


def read_reference_grid(path: Path) -> Grid:
    """Return the grid of any image: MetaImage or NIfTI of any type, a DICOM series or a store.

    Raises:
        ScanError: not an image, or not three-dimensional.
    """
    path = Path(path)
    if is_directory(path):
        if path.name.endswith(STORE_SUFFIX):
            return open_volume(path).grid
        from lungpipe.datasets.dicom import read_dicom

        return read_dicom(path).grid
    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
        if reader.GetDimension() != 3:
            raise ScanError(f"{path}: expected an image of three dimensions, found {reader.GetDimension()}")
        return Grid.from_xyz(reader.GetSize(), reader.GetSpacing(), reader.GetOrigin(), reader.GetDirection())
    except RuntimeError as error:
        raise ScanError(f"{path}: expected an image, found {str(error).strip().splitlines()[-1]}") from None
