"""The scene of a prediction: the voxels that the networks saw, with lungs, masks and candidates."""

from pathlib import Path

import numpy as np

from lungpipe.prediction.paint import paint_nodules
from lungpipe.prediction.privacy import digest_of_name, without_identifiers
from lungpipe.prediction.result import Candidate, Prediction
from lungpipe.viewer.scene import Mark, Scene, as_bytes, describe_voxels


def scene_of_prediction(prediction: Prediction, *, source: Path | None = None) -> Scene:
    """Return the scene of a prediction on the volume's grid.

    The scan's own voxels are gone when a prediction ends, and reading them again would take longer than the search.
    `source` is the path of the scan, which is left out of the notes.
    """
    volume = prediction.volume
    numbers = np.zeros(volume.grid.shape_zyx, dtype=np.uint16)
    paint_nodules(numbers, volume.grid, prediction.masks, volume.grid)
    notes = [f"{describe_voxels(volume.grid)} Slice numbers are the scan's own."]
    if prediction.was_seen_in_training:
        notes.append("The model was trained or validated on this scan.")
    notes += [without_identifiers(remark, source) for remark in prediction.remarks]
    return Scene(
        hu=volume.hu,
        grid=volume.grid,
        scan_grid=prediction.scan_grid,
        digest=digest_of_name(prediction.series_uid),
        lungs=volume.lungs,
        nodules=as_bytes(numbers),
        marks=tuple(_mark(candidate) for candidate in prediction.candidates),
        threshold=prediction.threshold,
        notes=tuple(notes),
    )


def _mark(candidate: Candidate) -> Mark:
    return Mark(
        number=candidate.number,
        center_zyx_mm=candidate.center_zyx_mm,
        slice_number=candidate.slice_number,
        probability=candidate.probability,
        diameter_mm=candidate.diameter_mm,
        malignancy=candidate.malignancy,
        side=candidate.side,
    )
