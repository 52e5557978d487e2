"""A DICOM structured report (TID 1500) with one measurement group (TID 1411) for each candidate."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import highdicom
from highdicom.seg import Segmentation
from highdicom.sr import (
    AlgorithmIdentification,
    Comprehensive3DSR,
    DeviceObserverIdentifyingAttributes,
    FindingSite,
    Measurement,
    MeasurementReport,
    ObservationContext,
    ObserverContext,
    ReferencedSegment,
    SourceImageForSegmentation,
    TrackingIdentifier,
    VolumetricROIMeasurementsAndQualitativeEvaluations,
)
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from lungpipe import __version__
from lungpipe.export.codes import (
    CATEGORY,
    CERTAINTY,
    CT_OF_CHEST,
    CUBIC_MILLIMETRE,
    DIAMETER,
    LUNG,
    MALIGNANCY,
    MILLIMETRE,
    NODULE,
    PERCENT,
    RATINGS,
    SCORE,
    SIDES,
    VOLUME,
)
from lungpipe.export.dicom_source import SourceSeries
from lungpipe.prediction.result import NOTICE, Candidate


@dataclass(frozen=True, slots=True)
class Finding:
    """A candidate, the identifiers by which segmentation and report track the candidate, and its slices.

    `slices` are the planes of the source (from 0) on which the candidate has pixels.
    """

    candidate: Candidate
    tracking_uid: str
    tracking_id: str
    slices: tuple[int, ...]


def make_report(
    findings: Sequence[Finding],
    source: SourceSeries,
    segmentation: Segmentation,
    digests: Sequence[str],
    *,
    equipment: dict[str, Any],
) -> Dataset:
    """Return the report of at least one finding; `digests`: see `make_dicom`."""
    device = DeviceObserverIdentifyingAttributes(
        uid=highdicom.UID(),
        name="lungpipe",
        manufacturer_name=equipment["manufacturer"],
        model_name=equipment["manufacturer_model_name"],
        serial_number=equipment["device_serial_number"],
    )
    observer = ObserverContext(observer_type=codes.DCM.Device, observer_identifying_attributes=device)
    report = MeasurementReport(
        observation_context=ObservationContext(observer_device_context=observer),
        procedure_reported=CT_OF_CHEST,
        imaging_measurements=[_group(finding, source, segmentation, digests) for finding in findings],
        title=codes.DCM.ImagingMeasurementReport,
    )
    known = ("series_instance_uid", "series_number", "sop_instance_uid", "instance_number", "manufacturer")
    written = Comprehensive3DSR(
        evidence=[*_shown(findings, source), segmentation],
        content=report[0],
        is_complete=True,
        is_final=False,
        is_verified=False,
        **{name: equipment[name] for name in known},
    )
    written.SeriesDescription = f"lungpipe report. {NOTICE}"
    return written


def _group(
    finding: Finding, source: SourceSeries, segmentation: Segmentation, digests: Sequence[str]
) -> VolumetricROIMeasurementsAndQualitativeEvaluations:
    candidate = finding.candidate
    laterality = None if candidate.side is None else SIDES[candidate.side]
    return VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(uid=finding.tracking_uid, identifier=finding.tracking_id),
        referenced_segment=ReferencedSegment(
            segmentation.SOPClassUID,
            segmentation.SOPInstanceUID,
            candidate.number,
            source_images=_images(finding, source),
        ),
        finding_category=CATEGORY,
        finding_type=NODULE,
        finding_sites=[FindingSite(anatomic_location=LUNG, laterality=laterality)],
        algorithm_id=AlgorithmIdentification("lungpipe", __version__, parameters=[NOTICE, *digests]),
        measurements=_measurements(candidate),
    )


def _shown(findings: Sequence[Finding], source: SourceSeries) -> list[Dataset]:
    """Return the files of the slices that hold findings: highdicom reads every file that is named as evidence."""
    if len(source.datasets) == 1:
        return list(source.datasets)
    shown = sorted({index for finding in findings for index in finding.slices})
    return [source.datasets[index] for index in shown] or list(source.datasets)


def _images(finding: Finding, source: SourceSeries) -> list[SourceImageForSegmentation]:
    if len(source.datasets) == 1:
        [dataset], frames = source.datasets, [index + 1 for index in finding.slices]
        return [SourceImageForSegmentation(dataset.SOPClassUID, dataset.SOPInstanceUID, frames)]
    images = [source.datasets[index] for index in finding.slices]
    return [SourceImageForSegmentation(image.SOPClassUID, image.SOPInstanceUID) for image in images]


def _measurements(candidate: Candidate) -> list[Measurement]:
    values = [
        (DIAMETER, candidate.diameter_mm, MILLIMETRE),
        (VOLUME, candidate.volume_mm3, CUBIC_MILLIMETRE),
        (CERTAINTY, 100.0 * candidate.probability, PERCENT),
    ]
    if candidate.malignancy is not None:
        values.append((MALIGNANCY, 100.0 * candidate.malignancy, PERCENT))
    ratings = candidate.ratings or {}
    values += [(name, ratings[key], SCORE) for key, name in RATINGS.items() if key in ratings]
    return [Measurement(name=name, value=round(value, 4), unit=unit) for name, value, unit in values]
