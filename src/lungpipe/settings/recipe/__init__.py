"""Settings of a recipe: a detector, a scorer and the aggregation to patients."""

from lungpipe.settings.recipe.detector import (
    DetectorInference,
    DetectorSampling,
    DetectorSettings,
    DetectorTraining,
    GivenCandidates,
    LumpDecoding,
    PeakDecoding,
    TrainedDetector,
)
from lungpipe.settings.recipe.networks import (
    CenterNetSettings,
    Cnn3dSettings,
    NetworkSettings,
    Normalisation,
    RatingNetSettings,
    ResNetSettings,
    UNetSettings,
)
from lungpipe.settings.recipe.patient import PatientSettings
from lungpipe.settings.recipe.recipe import RecipeSettings
from lungpipe.settings.recipe.scorer import (
    ScorerInference,
    ScorerSampling,
    ScorerSettings,
    ScorerTraining,
    TrainedScorer,
    UnchangedScores,
)
from lungpipe.settings.recipe.training import AugmentationSettings, TrainingSettings

__all__ = [
    "AugmentationSettings",
    "CenterNetSettings",
    "Cnn3dSettings",
    "DetectorInference",
    "DetectorSampling",
    "DetectorSettings",
    "DetectorTraining",
    "GivenCandidates",
    "LumpDecoding",
    "NetworkSettings",
    "Normalisation",
    "PatientSettings",
    "PeakDecoding",
    "RatingNetSettings",
    "RecipeSettings",
    "ResNetSettings",
    "ScorerInference",
    "ScorerSampling",
    "ScorerSettings",
    "ScorerTraining",
    "TrainedDetector",
    "TrainedScorer",
    "TrainingSettings",
    "UNetSettings",
    "UnchangedScores",
]
