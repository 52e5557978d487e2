"""A CT written as one DICOM series per transfer syntax, with the same voxels."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pydicom
import SimpleITK
from numpy.typing import NDArray
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from lungpipe.datasets.scan import Scan

PLAIN = "plain"
SERIES_UID = "1.2.3"
INTERCEPT = -1024


def _plain(data: FileDataset) -> None:
    """Leave the pixels as they are."""


def _deflated(data: FileDataset) -> None:
    data.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian


def _by_pydicom(syntax: str) -> Callable[[FileDataset], None]:
    return lambda data: data.compress(syntax)


def _by_gdcm(syntax: str, compressor: str) -> Callable[[FileDataset], None]:
    def run(data: FileDataset) -> None:
        pixels = np.frombuffer(data.PixelData, "<u2").reshape(data.Rows, data.Columns)
        with TemporaryDirectory() as folder:
            writer = SimpleITK.ImageFileWriter()
            writer.SetFileName(f"{folder}/slice.dcm")
            writer.SetUseCompression(True)
            writer.SetCompressor(compressor)
            writer.Execute(SimpleITK.GetImageFromArray(pixels))
            written = pydicom.dcmread(f"{folder}/slice.dcm")
        data.file_meta.TransferSyntaxUID = syntax
        data.PixelData = encapsulate([next(generate_frames(written.PixelData, number_of_frames=1))])
        data["PixelData"].is_undefined_length = True

    return run


SYNTAXES: dict[str, Callable[[FileDataset], None]] = {
    PLAIN: _plain,
    "deflated": _deflated,
    "RLE": _by_pydicom(RLELossless),
    "JPEG lossless": _by_gdcm(JPEGLosslessSV1, "JPEG"),
    "JPEG-LS": _by_pydicom(JPEGLSLossless),
    "JPEG 2000": _by_gdcm(JPEG2000Lossless, "JPEG2000"),
}
"""What turns a file of plain pixels into one of each transfer syntax."""


def write_series(scan: Scan, folder: Path, num_slices: int) -> dict[str, Path]:
    """Write the first slices of a scan once for each of SYNTAXES; return the folders by syntax."""
    for name, change in SYNTAXES.items():
        (folder / name).mkdir()
        for index, plane in enumerate(scan.hu[:num_slices]):
            data = _slice(plane, scan.grid.spacing_zyx_mm, index)
            change(data)
            data.save_as(folder / name / f"{index:04d}.dcm", enforce_file_format=True)
    return {name: folder / name for name in SYNTAXES}


def _slice(plane: NDArray[np.int16], spacing_zyx_mm: tuple[float, float, float], index: int) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID = CTImageStorage, ExplicitVRLittleEndian
    meta.MediaStorageSOPInstanceUID = f"{SERIES_UID}.{index + 1}"
    data = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    data.SOPClassUID, data.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
    data.SeriesInstanceUID, data.Modality, data.ImageType = SERIES_UID, "CT", ["ORIGINAL", "PRIMARY", "AXIAL"]
    data.Rows, data.Columns = plane.shape
    data.PixelSpacing = [round(step, 6) for step in spacing_zyx_mm[1:]]
    data.ImagePositionPatient = [0.0, 0.0, round(spacing_zyx_mm[0] * index, 6)]
    data.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    data.SamplesPerPixel, data.PhotometricInterpretation, data.PixelRepresentation = 1, "MONOCHROME2", 0
    data.BitsAllocated, data.BitsStored, data.HighBit = 16, 16, 15
    data.RescaleSlope, data.RescaleIntercept, data.RescaleType = 1, INTERCEPT, "HU"
    data.PixelData = (plane.astype("<i4") - INTERCEPT).astype("<u2").tobytes()
    data["PixelData"].VR = "OW"
    return data
