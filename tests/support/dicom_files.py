"""Write DICOM files of CT for tests, element by element."""

from tempfile import TemporaryDirectory

import numpy as np
import pydicom
import SimpleITK
from pydicom.dataelem import DataElement
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, RLELossless

SYNTAXES = {
    "JPEG lossless": ("1.2.840.10008.1.2.4.57", "JPEG"),
    "JPEG lossless, first order": ("1.2.840.10008.1.2.4.70", "JPEG"),
    "JPEG 2000": ("1.2.840.10008.1.2.4.90", "JPEG2000"),
    "JPEG 2000, lossy": ("1.2.840.10008.1.2.4.91", "JPEG2000"),
    "RLE": (RLELossless, ""),
    "deflated": (DeflatedExplicitVRLittleEndian, ""),
}
"""Transfer syntax of each way of compression, and the name by which SimpleITK knows the JPEGs."""

PLAIN = {
    "Modality": "CT",
    "SamplesPerPixel": 1,
    "PhotometricInterpretation": "MONOCHROME2",
    "BitsAllocated": 16,
    "BitsStored": 16,
    "HighBit": 15,
    "PixelRepresentation": 0,
}
"""What nearly every CT says of its pixels."""


def store(hu):
    """Return HU as the unsigned 16-bit pixels of a rescale intercept of -1024."""
    return (hu.astype("<i4") + 1024).astype("<u2").tobytes()


def slice_elements(index, series_uid, pixels):
    """Return the elements of slice `index` of 8 x 10 pixels, 5 mm steps along each axis."""
    return {
        "SeriesInstanceUID": series_uid,
        "Rows": 8,
        "Columns": 10,
        "PixelSpacing": [5.0, 5.0],
        "ImagePositionPatient": [0.0, 0.0, 5.0 * index],
        "ImageOrientationPatient": [1.0, 0.0, 0.0, 0.0, 1.0, 0.0],
        "RescaleSlope": 1,
        "RescaleIntercept": -1024,
        "PixelData": pixels,
    }


def write_ct(path, sop_class, instance_uid, elements):
    """Write a file of PLAIN, replaced and added to by `elements`, and return its path.

    None drops an element, a DataElement keeps its own type of value.
    """
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID = sop_class, ExplicitVRLittleEndian
    meta.MediaStorageSOPInstanceUID = instance_uid
    data = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    own = {"SOPClassUID": sop_class, "SOPInstanceUID": instance_uid}
    for key, value in (PLAIN | own | elements).items():
        if isinstance(value, DataElement):
            data.add(value)
        elif value is not None:
            setattr(data, key, value)
    data.save_as(path, enforce_file_format=True)
    return path


def compress(path, kind):
    """Compress the 16-bit pixels of a file of one slice, and return its path; `kind` is a key of SYNTAXES.

    All 16 bits are compressed, whatever BitsStored says, as encoders do that know nothing of it.
    """
    data = pydicom.dcmread(path)
    pixels = np.frombuffer(data.PixelData, "<u2").reshape(data.Rows, data.Columns)
    if kind == "RLE":
        written = data.BitsStored, data.HighBit, data.PixelRepresentation
        data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 15, 0
        data.compress(RLELossless, pixels)
        data.BitsStored, data.HighBit, data.PixelRepresentation = written
    elif kind == "deflated":
        data.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    else:
        data.file_meta.TransferSyntaxUID, compressor = SYNTAXES[kind]
        data.PixelData = encapsulate([encode(pixels, compressor)])
        data["PixelData"].is_undefined_length = True
    data.save_as(path, enforce_file_format=True)
    return path


def encode(pixels, compressor):
    """Return unsigned 16-bit pixels (yx) as SimpleITK's GDCM compresses them (JPEG: lossless; JPEG2000: reversible).

    Pixels that cannot be compressed, such as a few of them or noise, end the program: its buffer is as large as they.
    """
    with TemporaryDirectory() as folder:
        writer = SimpleITK.ImageFileWriter()
        writer.SetFileName(f"{folder}/a.dcm")
        writer.SetUseCompression(True)
        writer.SetCompressor(compressor)
        writer.Execute(SimpleITK.GetImageFromArray(pixels))
        return next(generate_frames(pydicom.dcmread(f"{folder}/a.dcm").PixelData, number_of_frames=1))
