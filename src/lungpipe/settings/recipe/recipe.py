"""A whole recipe."""

from pydantic import model_validator

from lungpipe.settings.base import Settings
from lungpipe.settings.recipe.detector import DetectorSettings
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
