"""A whole recipe."""

from pydantic import model_validator

from lungpipe.settings.base import Settings
from lungpipe.settings.recipe.detector import DetectorSettings
from lungpipe.settings.recipe.masked_rating_net import MaskedRatingNetSettings
from lungpipe.settings.recipe.patient import PatientSettings
from lungpipe.settings.recipe.scorer import ScorerSettings


class RecipeSettings(Settings):
    """A detector, a scorer, and the aggregation to patients; a recipe file has every key."""

    detector: DetectorSettings
    """finds candidates"""
    scorer: ScorerSettings
    """scores candidates"""
    patient: PatientSettings
    """aggregates candidates to a patient"""

    @model_validator(mode="after")
    def _something_scores(self) -> "RecipeSettings":
        if self.detector.kind == "given" and self.scorer.kind == "unchanged":
            raise ValueError("scorer: expected a trained scorer for given candidates, which have no scores, found none")
        return self

    @model_validator(mode="after")
    def _masks_are_the_detectors(self) -> "RecipeSettings":
        network = None if self.scorer.kind == "unchanged" else self.scorer.network
        if not isinstance(network, MaskedRatingNetSettings):
            return self
        if network.weights_path is not None:
            expected = "null, since a study fills in the detector of each fold"
            raise ValueError(f"scorer.network.weights_path: expected {expected}, found {network.weights_path!r}")
        if self.detector.kind == "given":
            return self
        if network.detector != self.detector.network:
            raise ValueError("scorer.network.detector: expected the settings of detector.network, found others")
        if getattr(self.detector.training.objective, "mask_weight", 1.0) <= 0:
            expected = f"a trained mask for the scorer's network {network.kind}"
            raise ValueError(f"detector.training.objective.mask_weight: expected {expected}, found 0")
        return self
