"""Search a volume with a detector, and score what it finds with a scorer."""

from typing import Literal

import numpy as np
import torch

from lungpipe.candidates import Detections
from lungpipe.inference.detector import Detector
from lungpipe.inference.scorer import Scorer
from lungpipe.inference.scoring import with_detector_odds
from lungpipe.models import ModelCard
from lungpipe.volumes.volume import Volume


class TwoStages:
    """A detector and a scorer, which together give each finding's probability, as in a study."""

    def __init__(self, detector: Detector, scorer: Scorer) -> None:
        """Keep both; raises ValueError for models of different spacings."""
        one, other = detector.card.spacing_zyx_mm, scorer.card.spacing_zyx_mm
        if one != other:
            raise ValueError(f"model: expected one spacing of detector and scorer (zyx, mm), found {one} and {other}")
        self.detector, self.scorer = detector, scorer

    @property
    def card(self) -> ModelCard:
        """The detector's card."""
        return self.detector.card

    def detect(self, volume: Volume, *, region: Literal["whole"] | None = None, margin_mm: float = 5.0) -> Detections:
        """Return the detector's detections (see `Detector.detect`) with the probability of both, by falling score."""
        found = self.detector.detect(volume, region=region, margin_mm=margin_mm)
        # malignancy is not asked for, so nothing is measured
        scores = self.scorer.score(volume, found.centers_zyx_mm, found.diameters_mm, least_measured=np.inf)
        logits = scores.nodule_logits
        if self.scorer.inference.has_detector_odds:
            logits = with_detector_odds(self.scorer.card, logits, found.scores)
        probabilities = torch.from_numpy(logits).sigmoid().numpy()
        scored = Detections(found.centers_zyx_mm, found.diameters_mm, probabilities, found.mask_crops)
        return scored.take(np.argsort(-probabilities, kind="stable"))
