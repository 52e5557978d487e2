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
from lungpipe.settings.recipe.masked_rating_net import MaskedRatingNetSettings
from lungpipe.settings.recipe.networks import (
    BlockCnnSettings,
    CenterNetSettings,
    Cnn3dSettings,
    NetworkSettings,
    Normalisation,
    RatingNetSettings,
    ResNetSettings,
    SliceUNetSettings,
    UNetSettings,
)
from lungpipe.settings.recipe.patient import PatientSettings
from lungpipe.settings.recipe.recipe import RecipeSettings
from lungpipe.settings.recipe.scorer import (
    FineTuneSettings,
    ScorerInference,
    ScorerSampling,
    ScorerSettings,
    ScorerTraining,
    TrainedScorer,
    UnchangedScores,
)
from lungpipe.settings.recipe.slice_networks import SliceCnnSettings, SliceVgg16Settings
from lungpipe.settings.recipe.training import AugmentationSettings, TrainingSettings

__all__ = [
    "AugmentationSettings",
    "BlockCnnSettings",
    "CenterNetSettings",
    "Cnn3dSettings",
    "DetectorInference",
    "DetectorSampling",
    "DetectorSettings",
    "DetectorTraining",
    "FineTuneSettings",
    "GivenCandidates",
    "LumpDecoding",
    "MaskedRatingNetSettings",
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
    "SliceCnnSettings",
    "SliceUNetSettings",
    "SliceVgg16Settings",
    "TrainedDetector",
    "TrainedScorer",
    "TrainingSettings",
    "UNetSettings",
    "UnchangedScores",
]
