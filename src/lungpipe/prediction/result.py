"""The result of a prediction: candidates, the scan's geometry, and masks on the scan's own grid."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from lungpipe.candidates import MaskCrop
from lungpipe.geometry import Grid
from lungpipe.prediction.paint import paint_nodules
from lungpipe.resampling.resample import resample_labels
from lungpipe.volumes.volume import MemoryVolume

NOTICE: Final = "Research use only, not a medical device"
"""Part of every output."""
Side = Literal["left", "right"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """One possible nodule.

    number: 1 for the most probable candidate; the label in the nodule mask. center_zyx_mm: world position, LPS mm.
    slice_number: the slice of the scan that holds the centre, counted from 1 along the first axis of the scan's array;
    first_slice and last_slice: the slices that the mask reaches. diameter_mm, volume_mm3: by the networks, and of the
    mask. has_mask: whether the network gave a mask; without one the mask is a ball of the diameter. detector_score,
    probability: of being a nodule, by the detector alone and by detector and scorer. malignancy: probability of
    malignancy given a nodule, None without a scorer. side: the lung that holds the centre or is nearest to it, None
    where no lung is near. ratings: expected rating by a reader (1 to 5, calcification to 6) of each of LIDC-IDRI's nine
    characteristics, given a nodule; None if the scorer does not rate.
    """

    number: int
    center_zyx_mm: tuple[float, float, float]
    slice_number: int
    first_slice: int
    last_slice: int
    diameter_mm: float
    volume_mm3: float
    has_mask: bool
    detector_score: float
    probability: float
    malignancy: float | None
    side: Side | None
    ratings: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True)
class PatientSummary:
    """All candidates of the scan in a few figures, as studies aggregate patients.

    Candidates below the threshold count, too. malignancy_max and malignancy_noisy_or combine probability x malignancy;
    None without a scorer. diameter_max_mm: of candidates with a probability of at least 0.5, else 0.
    """

    num_candidates: int
    malignancy_max: float | None
    malignancy_noisy_or: float | None
    diameter_max_mm: float


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """What lungpipe found in one scan.

    series_uid: as the scan's files give it. scan_grid: the scan's own grid; of a DICOM series of a tilted gantry, the
    upright grid onto which the series was resampled. volume: HU and lung labels (1 left, 2 right) at the model's
    spacing. candidates: at least as probable as `threshold`, by falling probability. masks: of each candidate, on the
    volume's grid. remarks: sentences for the user. times_s: wall time of each stage, seconds. peak_memory_mib: largest
    memory of the process so far.
    """

    series_uid: str
    scan_grid: Grid
    volume: MemoryVolume = field(repr=False)
    candidates: tuple[Candidate, ...]
    masks: tuple[MaskCrop, ...] = field(repr=False)
    patient: PatientSummary
    threshold: float
    lungs_ml: Mapping[Side, float] | None
    remarks: tuple[str, ...]
    times_s: Mapping[str, float]
    peak_memory_mib: float
    was_seen_in_training: bool

    notice: str = NOTICE

    def lung_mask(self) -> NDArray[np.uint8]:
        """Return the lung labels (uint8, zyx; 1 left, 2 right) on the scan's own grid; all 1 where none were sought."""
        return resample_labels(self.volume.read_lungs(), self.volume.grid, self.scan_grid)

    def nodule_mask(self) -> NDArray[np.uint16]:
        """Return the candidates' numbers (uint16, zyx; 0 elsewhere) on the scan's own grid.

        Every candidate has at least one voxel. Where two overlap, the more probable one is kept.
        """
        labels = np.zeros(self.scan_grid.shape_zyx, dtype=np.uint16)
        paint_nodules(labels, self.scan_grid, self.masks, self.volume.grid)
        return labels
