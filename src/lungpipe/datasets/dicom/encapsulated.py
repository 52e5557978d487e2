"""Decode compressed pixels to the stored bits: the JPEG family by SimpleITK's GDCM, RLE by pydicom."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import SimpleITK
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels import iter_pixels
from pydicom.uid import MultiFrameGrayscaleWordSecondaryCaptureImageStorage as WordImage
from pydicom.uid import RLELossless


def decode_frames(data: Dataset) -> Iterator[NDArray[Any]]:
    """Yield every frame (yx) of an encapsulated dataset, in order, as whole numbers of BitsAllocated bits.

    `data` must state that all of these bits are used, unsigned.

    Raises:
        Exception: of many kinds, where the pixels cannot be decoded.
    """
    if data.file_meta.TransferSyntaxUID == RLELossless:
        yield from iter_pixels(data, raw=True)
        return
    num_frames = int(data.get("NumberOfFrames", 1) or 1)
    frames = generate_frames(data.PixelData, number_of_frames=num_frames)
    decode = partial(_decode, data)
    if num_frames == 1:
        yield from map(decode, frames)
        return
    with ThreadPoolExecutor(count_threads()) as pool:  # SimpleITK releases the interpreter's lock
        yield from pool.map(decode, frames)


def count_threads() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _decode(data: Dataset, frame: bytes) -> NDArray[Any]:
    """Decode one frame through a file, since SimpleITK reads files only.

    The file has no rescale, no sign and no unused bits, so that GDCM returns every stored bit.
    """
    single = Dataset()
    single.file_meta = FileMetaDataset()
    single.file_meta.TransferSyntaxUID = data.file_meta.TransferSyntaxUID
    single.SOPClassUID, single.SOPInstanceUID = WordImage, "1.2.3"
    single.file_meta.MediaStorageSOPClassUID, single.file_meta.MediaStorageSOPInstanceUID = WordImage, "1.2.3"
    single.Rows, single.Columns, single.NumberOfFrames = data.Rows, data.Columns, 1
    single.BitsAllocated = single.BitsStored = data.BitsAllocated
    single.HighBit, single.PixelRepresentation = data.BitsAllocated - 1, 0
    single.SamplesPerPixel, single.PhotometricInterpretation = 1, "MONOCHROME2"
    single.PixelData = encapsulate([frame])
    single["PixelData"].is_undefined_length = True
    with TemporaryDirectory(prefix="lungpipe-") as folder:
        path = Path(folder) / "frame.dcm"
        single.save_as(path, enforce_file_format=True)
        reader = SimpleITK.ImageFileReader()
        reader.SetImageIO("GDCMImageIO")
        reader.SetFileName(str(path))
        values = SimpleITK.GetArrayFromImage(reader.Execute())
    # one frame is a volume of one slice
    return values.reshape(values.shape[-2:]).view(np.dtype(f"u{values.dtype.itemsize}"))
