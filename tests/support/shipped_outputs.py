"""What a model finds in a small phantom and in a real crop, in float32 on one core: outputs to hold a model to."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from lungpipe.inference.detector import Detector
from lungpipe.inference.scorer import Scorer
from lungpipe.models import choose_hardware, load_model
from lungpipe.phantom import write_phantom
from lungpipe.preparation.in_memory import prepare_in_memory
from lungpipe.settings import ComputeSettings, PhantomSettings, PreprocessingSettings
from lungpipe.shipped import DETECTOR_FILE, SCORER_FILE

NUM_KEPT = 5
"""Strongest detections that are kept; the weaker ones hang on the last digits."""


def outputs_in_phantom(model: Path) -> dict[str, list[float]]:
    """Return the outputs in the first scan of a small phantom."""
    with TemporaryDirectory() as folder:
        write_phantom(Path(folder), PhantomSettings(scans_per_subset=1), 3, num_workers=1)
        [scan, *_] = sorted(Path(folder).glob("subset*/*.mhd"))
        return outputs_of(model, scan, lung_mask="threshold")


def outputs_in_crop(model: Path) -> dict[str, list[float]]:
    """Return the outputs in the first crop of real data; the folder is that of LUNGPIPE_SHARED."""
    [crop, *_] = sorted(Path(os.environ["LUNGPIPE_SHARED"], "luna16-crops", "subset0").glob("*.mhd"))
    return outputs_of(model, crop, lung_mask="whole")


def outputs_of(model: Path, source: Path, *, lung_mask: str) -> dict[str, list[float]]:
    """Return centres (z, y, x, mm), diameters (mm), scores, and the scorer's logits and malignancies, by name."""
    hardware = choose_hardware(ComputeSettings(device="cpu", precision="float32"), 1)
    detector = load_model(model / DETECTOR_FILE, expect_role="detector")
    settings = PreprocessingSettings(spacing_zyx_mm=detector.card.spacing_zyx_mm, lung_mask=lung_mask)
    volume = prepare_in_memory(source, settings)
    region = "whole" if lung_mask == "whole" else None
    found = Detector(detector, detector.card.part.inference, hardware).detect(volume, region=region)
    found = found.take(np.arange(min(NUM_KEPT, len(found))))
    outputs = {"center_zyx_mm": found.centers_zyx_mm, "diameter_mm": found.diameters_mm, "score": found.scores}
    if (model / SCORER_FILE).is_file():
        scorer = load_model(model / SCORER_FILE, expect_role="scorer")
        scores = Scorer(scorer, scorer.card.part.inference, hardware).score(
            volume, found.centers_zyx_mm, found.diameters_mm
        )
        outputs |= {"nodule_logit": scores.nodule_logits, "malignancy": scores.malignancy}
    return {name: np.asarray(values).ravel().tolist() for name, values in outputs.items()}
