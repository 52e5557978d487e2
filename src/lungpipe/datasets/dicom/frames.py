"""Enhanced CT: one file with many frames, whose geometry and rescale are in functional groups (PS3.3 C.7.6.16)."""

from collections.abc import Sequence

from pydicom.dataset import Dataset

from lungpipe.datasets.dicom.slice import Slice
from lungpipe.datasets.scan import ScanError

_RESCALE = "PixelValueTransformationSequence"
_PLACES = {
    "PixelSpacing": "PixelMeasuresSequence",
    "ImagePositionPatient": "PlanePositionSequence",
    "ImageOrientationPatient": "PlaneOrientationSequence",
    "RescaleSlope": _RESCALE,
    "RescaleIntercept": _RESCALE,
    "RescaleType": _RESCALE,
}
_OWN = ("SeriesInstanceUID", "Modality", "Rows", "Columns", "SamplesPerPixel", "BitsAllocated")
NO_RESCALE = "no rescale is given: the stored values are taken for HU"


def list_frames(files: Sequence[Slice]) -> tuple[list[Slice], tuple[str, ...]]:
    """Return the frames of all files, each with a header as in a single-frame file, and remarks.

    A file without functional groups is one frame. A frame's own group overrides the shared group. If no group of any
    file has a rescale, stored values are read as HU, and the reader's tests of HU decide whether that is possible.

    Raises:
        ScanError: frames and groups of different number.
    """
    frames = [frame for item in files for frame in _frames_of(item)]
    framed = [frame for frame in frames if frame.frame is not None]
    if not framed or any(_has_rescale(frame.header) for frame in frames):
        return frames, ()
    for frame in framed:
        frame.header.RescaleSlope, frame.header.RescaleIntercept = 1, 0
    return frames, (NO_RESCALE,)


def _frames_of(item: Slice) -> list[Slice]:
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
    return [Slice(item.path, _flat(header, group, shared), frame) for frame, group in enumerate(groups)]


def _has_rescale(header: Dataset) -> bool:
    return "RescaleSlope" in header or "RescaleIntercept" in header


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
