"""DICOM objects of a prediction: a segmentation of the nodules, and a report with their measurements."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import highdicom
import numpy as np
from highdicom.content import AlgorithmIdentificationSequence, PixelMeasuresSequence
from highdicom.seg import SegmentAlgorithmTypeValues, Segmentation, SegmentationTypeValues, SegmentDescription
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian

from lungpipe import __version__
from lungpipe.export.codes import CATEGORY, LUNG, NODULE
from lungpipe.export.dicom_source import SourceSeries
from lungpipe.export.planes import label_planes
from lungpipe.export.report import Finding, make_report
from lungpipe.prediction.result import NOTICE, Prediction

MANUFACTURER, MODEL_NAME = "lungpipe", "lungpipe predict"
SEGMENTATION_SERIES, REPORT_SERIES = 9101, 9102
"""Series numbers beyond those of scanners."""


@dataclass(frozen=True, slots=True, eq=False)
class DicomObjects:
    """A segmentation, and a report that refers to the segmentation."""

    segmentation: Dataset
    report: Dataset


def make_dicom(prediction: Prediction, source: SourceSeries, digests: Sequence[str] = ()) -> DicomObjects | None:
    """Return the DICOM objects of a prediction on the slices of its own series; None without candidates.

    Candidate k is segment k. Segmentation and report share a tracking UID for each candidate. `digests` are the SHA-256
    of the model's files. Both objects name a device as their author, and say that they are for research only. The
    standard has neither a segmentation without segments nor a report without measurements.

    Raises:
        ValueError, AttributeError: a source whose elements break the standard.
    """
    if not prediction.candidates:
        return None
    labels = label_planes(source.planes, prediction.masks, prediction.volume.grid)
    findings = [
        Finding(
            candidate,
            highdicom.UID(),
            f"lungpipe nodule {candidate.number}",
            tuple(np.flatnonzero((labels == candidate.number).any(axis=(1, 2))).tolist()),
        )
        for candidate in prediction.candidates
    ]
    segmentation = _segment(labels, source, findings)
    report = make_report(findings, source, segmentation, digests, equipment=_equipment("report", REPORT_SERIES))
    return DicomObjects(segmentation, report)


def _segment(labels: NDArray[np.uint16], source: SourceSeries, findings: Sequence[Finding]) -> Segmentation:
    algorithm = AlgorithmIdentificationSequence(
        name="lungpipe", family=codes.DCM.ArtificialIntelligence, version=__version__
    )
    segments = [
        SegmentDescription(
            segment_number=finding.candidate.number,
            segment_label=f"nodule {finding.candidate.number}",
            segmented_property_category=CATEGORY,
            segmented_property_type=NODULE,
            algorithm_type=SegmentAlgorithmTypeValues.AUTOMATIC,
            algorithm_identification=algorithm,
            tracking_uid=finding.tracking_uid,
            tracking_id=finding.tracking_id,
            anatomic_regions=[LUNG],
        )
        for finding in findings
    ]
    _, spacing_y, spacing_x = source.planes[0].spacing_zyx_mm
    measures = PixelMeasuresSequence([spacing_y, spacing_x], source.slice_distance_mm, source.slice_distance_mm)
    dtype = np.uint8 if len(findings) < 256 else np.uint16
    segmentation = Segmentation(
        source_images=list(source.datasets),
        pixel_array=labels.astype(dtype),
        segmentation_type=SegmentationTypeValues.BINARY,
        segment_descriptions=segments,
        pixel_measures=measures,
        transfer_syntax_uid=ExplicitVRLittleEndian,
        content_label="NODULES",
        content_description=NOTICE,
        **_equipment("nodules", SEGMENTATION_SERIES),
    )
    segmentation.SeriesDescription = f"lungpipe nodules. {NOTICE}"
    return segmentation


def _equipment(serial: str, series_number: int) -> dict[str, Any]:
    return {
        "series_instance_uid": highdicom.UID(),
        "series_number": series_number,
        "sop_instance_uid": highdicom.UID(),
        "instance_number": 1,
        "manufacturer": MANUFACTURER,
        "manufacturer_model_name": MODEL_NAME,
        "software_versions": __version__,
        "device_serial_number": serial,
    }
