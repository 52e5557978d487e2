"""Write DICOM files of CT for tests, element by element."""

from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

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


def write_ct(path, sop_class, instance_uid, elements):
    """Write a file of PLAIN, replaced and added to by `elements`, and return its path; None drops an element."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID = sop_class, ExplicitVRLittleEndian
    meta.MediaStorageSOPInstanceUID = instance_uid
    data = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    own = {"SOPClassUID": sop_class, "SOPInstanceUID": instance_uid}
    for key, value in (PLAIN | own | elements).items():
        if value is not None:
            setattr(data, key, value)
    data.save_as(path, enforce_file_format=True)
    return path
