"""DICOM series of several directions, and predictions with two balls in them, made without networks."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from dicom_files import store, write_ct
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, EnhancedCTImageStorage, generate_uid

from lungpipe.candidates import MaskCrop
from lungpipe.datasets.dicom import read_dicom
from lungpipe.geometry import sphere_mask
from lungpipe.prediction.result import Candidate, PatientSummary, Prediction
from lungpipe.volumes.volume import MemoryVolume

COUNT, ROWS, COLUMNS = 40, 60, 72
DISTANCE, SPACING = 1.0, 0.8
PATIENT = {
    "PatientName": "Doe^Jane",
    "PatientID": "P7",
    "PatientBirthDate": "19500101",
    "PatientSex": "F",
    "StudyDate": "20200101",
    "StudyTime": "101500",
    "StudyID": "1",
    "AccessionNumber": "A1",
    "ReferringPhysicianName": "",
    "PatientPosition": "HFS",
}
_c, _s = np.cos(np.radians(20)), np.sin(np.radians(20))
DIRECTIONS = {
    "plain": ((1, 0, 0, 0, 1, 0), (0.0, 0.0)),
    "feet first": ((-1, 0, 0, 0, 1, 0), (0.0, 0.0)),
    "prone": ((-1, 0, 0, 0, -1, 0), (0.0, 0.0)),
    "coronal": ((1, 0, 0, 0, 0, -1), (0.0, 0.0)),
    "oblique": ((_c, 0, _s, 0, 1, 0), (0.0, 0.0)),
    "tilted": ((1, 0, 0, 0, 1, 0), (0.0, 0.3)),
    "tilted and oblique": ((_c, _s, 0, -_s, _c, 0), (0.1, -0.2)),
}
"""Orientation of rows and columns, and the shift of each slice along them, mm."""


@dataclass(frozen=True)
class Series:
    """A written series: folder, UID, and the world position (xyz) of the middle of its middle slice."""

    folder: Path
    uid: str
    middle_xyz: np.ndarray


def write_series(folder, name="plain", *, is_descending=False, **changes):
    """Write slices of a direction of DIRECTIONS; `changes` replace elements, None drops one."""
    orientation, (shift_row, shift_column) = DIRECTIONS[name]
    row, column = np.array(orientation[:3], float), np.array(orientation[3:], float)
    step = DISTANCE * np.cross(row, column) + shift_row * row + shift_column * column
    start = np.array([-31.25, 12.5, 104.75])
    study, series, frame = (generate_uid() for _ in range(3))
    hu = np.random.default_rng(0).normal(-800, 30, (COUNT, ROWS, COLUMNS)).astype(np.int16)
    hu[:, 5:20] = 40
    folder.mkdir(parents=True)
    for index in range(COUNT):
        place = COUNT - 1 - index if is_descending else index
        elements = {
            **PATIENT,
            "StudyInstanceUID": study,
            "SeriesInstanceUID": series,
            "FrameOfReferenceUID": frame,
            "SeriesNumber": 3,
            "InstanceNumber": index + 1,
            "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
            "Rows": ROWS,
            "Columns": COLUMNS,
            "PixelSpacing": [SPACING, SPACING],
            "SliceThickness": DISTANCE,
            "ImagePositionPatient": [round(float(v), 4) for v in start + place * step],
            "ImageOrientationPatient": [float(v) for v in orientation],
            "RescaleSlope": 1,
            "RescaleIntercept": -1024,
            "PixelData": store(hu[place]),
            **changes,
        }
        write_ct(folder / f"{index:03}.dcm", CTImageStorage, generate_uid(), elements)
    middle = start + (COUNT - 1) / 2 * step + SPACING * ((COLUMNS - 1) / 2 * row + (ROWS - 1) / 2 * column)
    return Series(folder, series, middle)


def predict_balls(series, count=2, **changes):
    """A prediction with balls of 14 and 12 mm in the series; `changes` replace fields of the candidates."""
    scan = read_dicom(series.folder)
    grid = scan.grid.resampled((1.0, 1.0, 1.0))
    volume = MemoryVolume(series.uid, grid, np.full(grid.shape_zyx, -800, np.int16))
    candidates, masks = [], []
    for number, (shift, diameter) in enumerate([((0, 0, 0), 14.0), ((3.5, 8.25, 10.5), 12.0)][:count], start=1):
        center = series.middle_xyz[::-1] + shift
        mask = sphere_mask(grid, center, diameter)
        box = tuple(slice(a.min(), a.max() + 1) for a in np.nonzero(mask))
        masks.append(MaskCrop(tuple(int(side.start) for side in box), mask[box]))
        fields = {
            "number": number,
            "center_zyx_mm": tuple(center),
            "slice_number": 20,
            "first_slice": 14,
            "last_slice": 27,
            "diameter_mm": diameter,
            "volume_mm3": float(mask.sum()),
            "has_mask": True,
            "detector_score": 0.9,
            "probability": 0.8,
            "malignancy": 0.25,
            "side": "left" if number == 1 else None,
        }
        candidates.append(Candidate(**{**fields, **changes}))
    return Prediction(
        series_uid=series.uid,
        scan_grid=scan.grid,
        volume=volume,
        candidates=tuple(candidates),
        masks=tuple(masks),
        patient=PatientSummary(2, 0.2, 0.3, 14.0),
        threshold=0.5,
        lungs_ml=None,
        remarks=(),
        times_s={},
        peak_memory_mib=1.0,
        was_seen_in_training=False,
    )


def write_enhanced_series(folder):
    """Write a plain series as one file of many frames (Enhanced CT), its frames from the last slice to the first."""
    study, series, frame = (generate_uid() for _ in range(3))
    start = np.array([-31.25, 12.5, 104.75])
    hu = np.random.default_rng(0).normal(-800, 30, (COUNT, ROWS, COLUMNS)).astype(np.int16)
    hu[:, 5:20] = 40
    shared = Dataset()
    shared.PixelMeasuresSequence = [_item(PixelSpacing=[SPACING, SPACING], SliceThickness=DISTANCE)]
    shared.PlaneOrientationSequence = [_item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])]
    shared.PixelValueTransformationSequence = [_item(RescaleSlope=1, RescaleIntercept=-1024, RescaleType="HU")]
    frames = []
    for index in reversed(range(COUNT)):
        group = Dataset()
        group.PlanePositionSequence = [_item(ImagePositionPatient=[start[0], start[1], start[2] + DISTANCE * index])]
        frames.append(group)
    elements = {
        **PATIENT,
        "StudyInstanceUID": study,
        "SeriesInstanceUID": series,
        "FrameOfReferenceUID": frame,
        "SeriesNumber": 3,
        "InstanceNumber": 1,
        "Rows": ROWS,
        "Columns": COLUMNS,
        "NumberOfFrames": COUNT,
        "SharedFunctionalGroupsSequence": [shared],
        "PerFrameFunctionalGroupsSequence": frames,
        "PixelData": store(hu[::-1]),
    }
    folder.mkdir(parents=True)
    write_ct(folder / "enhanced.dcm", EnhancedCTImageStorage, generate_uid(), elements)
    middle = start + np.array([SPACING * (COLUMNS - 1) / 2, SPACING * (ROWS - 1) / 2, DISTANCE * (COUNT - 1) / 2])
    return Series(folder, series, middle)


def _item(**elements):
    item = Dataset()
    for keyword, value in elements.items():
        setattr(item, keyword, value)
    return item
