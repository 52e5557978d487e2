"""Enhanced CT: one file with many frames, whose geometry and rescale lie in functional groups (PS3.3 C.7.6.16)."""

from pydicom.dataset import Dataset

from lungpipe.datasets.dicom.geometry import Slice
from lungpipe.datasets.scan import ScanError

FRAME_TAGS = ["SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"]
_PLACES = {
    "PixelSpacing": "PixelMeasuresSequence",
    "ImagePositionPatient": "PlanePositionSequence",
    "ImageOrientationPatient": "PlaneOrientationSequence",
    "RescaleSlope": "PixelValueTransformationSequence",
    "RescaleIntercept": "PixelValueTransformationSequence",
    "RescaleType": "PixelValueTransformationSequence",
}
_OWN = ("SeriesInstanceUID", "Modality", "Rows", "Columns", "SamplesPerPixel", "BitsAllocated")


def frames_of(item: Slice) -> list[Slice]:
    """Return the frames of one file, each with the header that a file of its own would have; else the file itself.

    Every frame's own group goes before the shared one.

    Raises:
        ScanError: frames and groups of different number, or values that are not HU.
    """
    header = item.header
    if "PerFrameFunctionalGroupsSequence" not in header:
        return [item]
    groups = header.PerFrameFunctionalGroupsSequence
    num_frames = int(header.get("NumberOfFrames", 1) or 1)
    if len(groups) != num_frames:
        raise ScanError(
            f"{item.path}: expected a functional group for each of {num_frames} frames, found {len(groups)}"
        )
    shared = next(iter(header.get("SharedFunctionalGroupsSequence") or []), Dataset())
    frames = [Slice(item.path, _flat(header, group, shared), frame) for frame, group in enumerate(groups)]
    for frame in frames:
        kind = frame.header.get("RescaleType", "HU")
        if kind not in ("HU", "HU_MOD"):
            raise ScanError(f"{frame.where}: RescaleType: expected HU, found {kind}")
    return frames


def _flat(header: Dataset, group: Dataset, shared: Dataset) -> Dataset:
    flat = Dataset()
    for key in (*_OWN, "PhotometricInterpretation"):
        if key in header:
            flat[key] = header[key]
    for key, sequence in _PLACES.items():
        for source in (group, shared):
            inner = next(iter(source.get(sequence) or []), Dataset())
            if key in inner:
                flat[key] = inner[key]
                break
    return flat
