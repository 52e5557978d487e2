"""Settings of a scorer: network, sampling, training, inference; or the detector's scores."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from lungpipe.settings.base import Fraction, PositiveInt, Settings
from lungpipe.settings.recipe.networks import Cnn3dSettings, ResNetSettings
from lungpipe.settings.recipe.training import TrainingSettings

ScorerNetwork = Annotated[ResNetSettings | Cnn3dSettings, Field(discriminator="kind")]


class ScorerSampling(Settings):
    """The patches that a scorer is trained on."""

    patch_size_vox: PositiveInt = 32
    """side of the patch around a candidate, voxels"""
    max_offset_vox: int = Field(default=3, ge=0)
    """largest random shift of a training patch along each axis, voxels"""
    lung_points_per_scan: int = Field(default=24, ge=0)
    """random points in the lungs of every scan, in addition to the detector's false positives"""
    nodule_fraction: Fraction = 0.5
    """share of a batch drawn around nodules"""


class ScoreObjectiveSettings(Settings):
    """Cross-entropy of nodule or not, and of malignancy where a nodule is rated."""

    builds: ClassVar[str] = "lungpipe.training.score_objective:ScoreObjective"
    needs: ClassVar[frozenset[str]] = frozenset({"nodule", "malignancy"})

    kind: Literal["score"] = "score"
    """cross-entropy of nodule and malignancy"""
    malignancy_weight: float = Field(default=0.5, ge=0)
    """weight of the malignancy loss relative to the nodule loss"""


class ScorerTraining(TrainingSettings):
    """Training of a scorer."""

    objective: ScoreObjectiveSettings = ScoreObjectiveSettings()
    """loss and validation score"""


class ScorerInference(Settings):
    """How a scorer is applied to a candidate."""

    num_views: Literal[1, 2, 4, 8] = 8
    """flipped views averaged at test time"""
    patches_per_batch: PositiveInt = 32
    """patches on the device at once"""
    has_detector_odds: bool = True
    """use the geometric mean of the odds of detector and scorer instead of the scorer's odds"""


class TrainedScorer(Settings):
    """A network that is trained on the fold and scores candidates."""

    builds: ClassVar[str] = "lungpipe.inference.scorer:Scorer"

    kind: Literal["trained"] = "trained"
    """a trained network"""
    network: ScorerNetwork
    """the network"""
    sampling: ScorerSampling
    """training data"""
    training: ScorerTraining
    """training"""
    inference: ScorerInference
    """scoring"""

    @model_validator(mode="after")
    def _patch_fits(self) -> "TrainedScorer":
        smallest, found = self.network.smallest_patch_vox, self.sampling.patch_size_vox
        if found < smallest:
            expected = f"at least {smallest} for the network {self.network.kind}"
            raise ValueError(f"sampling.patch_size_vox: expected {expected}, found {found}")
        return self


class UnchangedScores(Settings):
    """No scorer: a candidate's probability is the detector's score, and there is no malignancy."""

    builds: ClassVar[str] = "lungpipe.inference.unchanged:keep_scores"

    kind: Literal["unchanged"] = "unchanged"
    """the detector's scores"""


ScorerSettings = Annotated[TrainedScorer | UnchangedScores, Field(discriminator="kind")]
