"""Find the nodules of one scan with a loaded model."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lungpipe.candidates import Detections, MaskCrop
from lungpipe.datasets.scan import Scan
from lungpipe.geometry import Grid
from lungpipe.geometry.slices import slice_number
from lungpipe.inference.scorer import LEAST_PROBABLE
from lungpipe.inference.scoring import with_detector_odds
from lungpipe.lungs.measures import side_volumes
from lungpipe.patients.aggregate import COUNTED_PROBABILITY, noisy_or
from lungpipe.prediction.limits import check_lungs, check_slices
from lungpipe.prediction.model import LoadedModel
from lungpipe.prediction.paint import NoduleMask, mask_of, span_on
from lungpipe.prediction.result import Candidate, PatientSummary, Prediction, Side
from lungpipe.prediction.sides import side_of
from lungpipe.prediction.source import open_source
from lungpipe.prediction.stages import Stages, peak_memory_mib
from lungpipe.preparation.volume import find_lungs
from lungpipe.resampling.resample import resample
from lungpipe.settings import PreprocessingSettings
from lungpipe.tables import CHARACTERISTICS
from lungpipe.volumes.volume import MemoryVolume

DEFAULT_THRESHOLD = 0.5
"""A candidate of this probability is as likely a nodule as not."""


@dataclass(frozen=True, slots=True, eq=False)
class _Scores:
    probability: NDArray[np.float64]
    malignancy: NDArray[np.float64] | None
    ratings: NDArray[np.float64] | None = None


def predict(
    source: Path | str | Scan,
    *,
    model: LoadedModel,
    threshold: float = DEFAULT_THRESHOLD,
    series_uid: str | None = None,
    is_whole: bool = False,
    on_stage: Callable[[str], None] | None = None,
) -> Prediction:
    """Return the nodules of a scan.

    `source` is a path (.mhd, .mha, .nii, .nii.gz, a DICOM folder or file, a .zip, a store), or a `Scan` (an array in
    memory becomes one by `make_scan`). Candidates below `threshold` are left out. `series_uid` chooses a series of a
    DICOM folder. With `is_whole` the whole volume is searched instead of the lungs, and neither lungs nor slices are
    required: for scans that show only a part of the chest. `on_stage` is called with the name of each stage.

    Raises:
        RefusedScanError: a scan that cannot be read, or that the model must not judge (see `ScanLimits`).
        ValueError: a threshold outside 0 to 1.
    """
    if not 0.0 <= threshold <= 1.0:
        raise ValueError(f"threshold: expected a probability from 0 to 1, found {threshold}")
    stages, name = Stages(on_stage), "scan" if isinstance(source, Scan) else str(source)
    with stages.stage("read"):
        opened = open_source(source, series_uid, model.detector.card.spacing_zyx_mm)
    scan_grid = opened.grid
    remarks = opened.remarks if isinstance(opened, Scan) else ()
    if not is_whole:
        remarks += check_slices(scan_grid, model.detector.card.limits, name)
    volume = _prepare(opened, model, stages, is_whole=is_whole)
    del opened  # the native voxels are not needed any more
    if not is_whole:
        check_lungs(volume.read_lungs(), volume.grid, model.detector.card.limits, name)
    with stages.stage("detect"):
        region: Literal["whole"] | None = "whole" if is_whole else None
        found = model.detector.detect(volume, region=region, margin_mm=PreprocessingSettings().lung_margin_mm)
    with stages.stage("score"):
        scores = _score(model, volume, found)
    with stages.stage("measure"):
        candidates, masks = _measure(found, scores, threshold, volume=volume, scan_grid=scan_grid)
        left_ml, right_ml = side_volumes(volume.read_lungs(), volume.grid)
    return Prediction(
        series_uid=volume.series_uid,
        scan_grid=scan_grid,
        volume=volume,
        candidates=candidates,
        masks=masks,
        patient=_summarise(found, scores),
        threshold=threshold,
        lungs_ml={"left": round(left_ml, 1), "right": round(right_ml, 1)} if volume.lungs is not None else None,
        remarks=remarks,
        times_s=stages.times_s,
        peak_memory_mib=peak_memory_mib(),
        was_seen_in_training=model.has_seen(volume.series_uid),
    )


def _prepare(opened: Scan | MemoryVolume, model: LoadedModel, stages: Stages, *, is_whole: bool) -> MemoryVolume:
    if isinstance(opened, MemoryVolume):
        return replace(opened, lungs=None) if is_whole else opened
    settings = PreprocessingSettings(spacing_zyx_mm=model.detector.card.spacing_zyx_mm)
    grid = opened.grid.resampled(settings.spacing_zyx_mm)
    with stages.stage("resample"):
        hu = resample(opened, grid, threads=model.threads)
    if is_whole:
        return MemoryVolume(opened.series_uid, grid, hu)
    with stages.stage("find lungs"):
        return MemoryVolume(opened.series_uid, grid, hu, find_lungs(hu, grid, settings))


def _score(model: LoadedModel, volume: MemoryVolume, found: Detections) -> _Scores:
    if model.scorer is None or not len(found):
        return _Scores(found.scores, None if model.scorer is None else np.zeros(0))
    scores = model.scorer.score(volume, found.centers_zyx_mm, found.diameters_mm, least_measured=LEAST_PROBABLE)
    logits = scores.nodule_logits
    if model.scorer.inference.has_detector_odds:
        logits = with_detector_odds(model.scorer.card, logits, found.scores)
    return _Scores(1.0 / (1.0 + np.exp(-logits)), scores.malignancy, scores.expected_ratings)


def _measure(
    found: Detections, scores: _Scores, threshold: float, *, volume: MemoryVolume, scan_grid: Grid
) -> tuple[tuple[Candidate, ...], tuple[MaskCrop, ...]]:
    rows = np.argsort(-scores.probability, kind="stable")
    rows = rows[scores.probability[rows] >= threshold]
    masks = [_mask(volume.grid, found, int(row)) for row in rows]
    candidates = tuple(
        _candidate(number, int(row), found, scores, mask=mask, volume=volume, scan_grid=scan_grid)
        for number, (row, mask) in enumerate(zip(rows, masks, strict=True), start=1)
    )
    return candidates, tuple(mask.crop for mask in masks)


def _mask(grid: Grid, found: Detections, row: int) -> NoduleMask:
    crop = None if found.mask_crops is None else found.mask_crops[row]
    return mask_of(crop, grid, found.centers_zyx_mm[row], float(found.diameters_mm[row]))


def _candidate(
    number: int,
    row: int,
    found: Detections,
    scores: _Scores,
    *,
    mask: NoduleMask,
    volume: MemoryVolume,
    scan_grid: Grid,
) -> Candidate:
    center = found.centers_zyx_mm[row]
    z, y, x = (float(value) for value in center)
    first, last = span_on(scan_grid, mask.crop, volume.grid)
    own_slice = slice_number(scan_grid, center)
    side: Side | None = None if volume.lungs is None else side_of(volume.lungs, volume.grid, center)
    return Candidate(
        number=number,
        center_zyx_mm=(z, y, x),
        slice_number=own_slice,
        first_slice=min(int(first[0]) + 1, own_slice),
        last_slice=max(int(last[0]) + 1, own_slice),
        diameter_mm=float(found.diameters_mm[row]),
        volume_mm3=float(np.count_nonzero(mask.crop.mask) * volume.grid.voxel_volume_mm3),
        has_mask=mask.is_of_network,
        detector_score=float(found.scores[row]),
        probability=float(scores.probability[row]),
        malignancy=None if scores.malignancy is None else float(scores.malignancy[row]),
        side=side,
        ratings=None if scores.ratings is None else _named_ratings(scores.ratings[row]),
    )


def _named_ratings(ratings: NDArray[np.float64]) -> Mapping[str, float]:
    return {name: float(value) for name, value in zip(CHARACTERISTICS, ratings, strict=True)}


def _summarise(found: Detections, scores: _Scores) -> PatientSummary:
    counted = found.diameters_mm[scores.probability >= COUNTED_PROBABILITY]
    risk = None if scores.malignancy is None else scores.probability * scores.malignancy
    return PatientSummary(
        num_candidates=len(found),
        malignancy_max=None if risk is None else float(risk.max(initial=0.0)),
        malignancy_noisy_or=None if risk is None else noisy_or(risk),
        diameter_max_mm=float(counted.max(initial=0.0)),
    )
