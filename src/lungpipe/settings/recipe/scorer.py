"""Settings of a scorer: network, sampling, training, inference; or the detector's scores."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from lungpipe.settings.base import Fraction, PositiveFloat, PositiveInt, Settings
from lungpipe.settings.recipe.masked_rating_net import MaskedRatingNetSettings
from lungpipe.settings.recipe.networks import BlockCnnSettings, Cnn3dSettings, RatingNetSettings, ResNetSettings
from lungpipe.settings.recipe.slice_networks import SliceCnnSettings, SliceVgg16Settings
from lungpipe.settings.recipe.training import TrainingSettings

ScorerNetwork = Annotated[
    ResNetSettings
    | RatingNetSettings
    | MaskedRatingNetSettings
    | Cnn3dSettings
    | BlockCnnSettings
    | SliceCnnSettings
    | SliceVgg16Settings,
    Field(discriminator="kind"),
]
NumViews = Literal[1, 2, 4, 8, 16, 24, 48]


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
    whole_scan_fraction: Fraction = 0.25
    """in a dataset of crops and whole scans: share of a batch drawn in whole scans outside nodules"""
    has_candidates: bool = True
    """whether the detector's candidates are learned from; without them a scorer needs no detector"""


class ScoreObjectiveSettings(Settings):
    """Cross-entropy of nodule or not, and of malignancy where a nodule is rated."""

    builds: ClassVar[str] = "lungpipe.training.score_objective:ScoreObjective"
    needs: ClassVar[frozenset[str]] = frozenset({"nodule", "malignancy"})

    kind: Literal["score"] = "score"
    """cross-entropy of nodule and malignancy"""
    malignancy_weight: float = Field(default=0.5, ge=0)
    """weight of the malignancy loss relative to the nodule loss"""


class RatingObjectiveSettings(Settings):
    """Cross-entropy of nodule or not and of malignancy, and of the distributions of the readers' nine ratings."""

    builds: ClassVar[str] = "lungpipe.training.rating_objective:RatingObjective"
    needs: ClassVar[frozenset[str]] = frozenset({"nodule", "malignancy", "ratings"})

    kind: Literal["ratings"] = "ratings"
    """cross-entropy of nodule, malignancy and the nine ratings"""
    malignancy_weight: float = Field(default=0.5, ge=0)
    """weight of the malignancy loss relative to the nodule loss"""
    ratings_weight: float = Field(default=0.5, ge=0)
    """weight of the mean loss over the nine ratings relative to the nodule loss"""
    has_consensus_weights: bool = False
    """weigh each nodule by the share of readers who rated it"""


class SliceObjectiveSettings(Settings):
    """Cross-entropy of nodule or not and of malignancy, and L1 of the localiser's place and log diameter."""

    builds: ClassVar[str] = "lungpipe.training.slice_objective:SliceObjective"
    needs: ClassVar[frozenset[str]] = frozenset({"nodule", "malignancy", "place", "diameter"})

    kind: Literal["slices"] = "slices"
    """cross-entropy of nodule and malignancy, and errors of place and diameter"""
    malignancy_weight: float = Field(default=0.5, ge=0)
    """weight of the malignancy loss relative to the nodule loss"""
    place_weight: float = Field(default=1.0, ge=0)
    """weight of the mean error of y and x; an error of 10 voxels has a loss of 1"""
    diameter_weight: float = Field(default=1.0, ge=0)
    """weight of the error of the log diameter"""


ScorerObjective = Annotated[
    ScoreObjectiveSettings | RatingObjectiveSettings | SliceObjectiveSettings, Field(discriminator="kind")
]


class FineTuneSettings(Settings):
    """A second training, on nodules with a malignancy label alone; the nodule scores keep every bit."""

    steps_share: PositiveFloat = 0.5
    """optimiser steps of the fine-tuning, relative to num_steps"""
    learning_rate: PositiveFloat = 0.0003
    """peak learning rate of the fine-tuning"""


class ScorerTraining(TrainingSettings):
    """Training of a scorer."""

    objective: ScorerObjective = ScoreObjectiveSettings()
    """loss and validation score"""
    fine_tune: FineTuneSettings | None = None
    """fine-tuning of malignancy after the training, for a network with parts of its own for it; null: none"""
    has_measures: bool = False
    """malignancy also comes from a logistic regression on measures of HU and shape"""

    @property
    def num_tuning_steps(self) -> int:
        """Optimiser steps of the fine-tuning."""
        return 0 if self.fine_tune is None else max(round(self.fine_tune.steps_share * self.num_steps), 1)

    @property
    def total_steps(self) -> int:
        """Optimiser steps of one member, fine-tuning included."""
        return self.num_steps + self.num_tuning_steps


class ScorerInference(Settings):
    """How a scorer is applied to a candidate."""

    num_views: NumViews = 8
    """views averaged at test time: flips, then also turns of the axes (above 8, for cubic voxels)"""
    num_small_views: NumViews | None = None
    """views of candidates with a diameter below `small_mm`; null: `num_views`"""
    small_mm: PositiveFloat = 6.0
    """diameter below which `num_small_views` are averaged, mm"""
    patches_per_batch: PositiveInt = 32
    """patches on the device at once"""
    has_detector_odds: bool = True
    """join the odds of detector and scorer as calibrated on the validation subset; else the scorer's odds"""


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
    def _parts_fit(self) -> "TrainedScorer":
        objective = self.training.objective
        if missing := sorted(objective.needs - self.network.heads):
            expected = f"a network with the heads {', '.join(sorted(objective.needs))}"
            without = f"network {self.network.kind} without {', '.join(missing)}"
            raise ValueError(f"training.objective {objective.kind}: expected {expected}, found {without}")
        smallest, found = self.network.smallest_patch_vox, self.sampling.patch_size_vox
        if found < smallest:
            expected = f"at least {smallest} for the network {self.network.kind}"
            raise ValueError(f"sampling.patch_size_vox: expected {expected}, found {found}")
        stride = self.network.total_stride if isinstance(self.network, MaskedRatingNetSettings) else 1
        if found % stride:
            expected = f"a multiple of the total stride {stride} of network.detector"
            raise ValueError(f"sampling.patch_size_vox: expected {expected}, found {found}")
        if self.training.fine_tune is not None and not self.network.is_tunable:
            expected = "null for a network without parts of malignancy's own"
            raise ValueError(f"training.fine_tune: expected {expected}, found settings for {self.network.kind}")
        return self


class UnchangedScores(Settings):
    """No scorer: a candidate's probability is the detector's score, and there is no malignancy."""

    builds: ClassVar[str] = "lungpipe.inference.unchanged:keep_scores"

    kind: Literal["unchanged"] = "unchanged"
    """the detector's scores"""


ScorerSettings = Annotated[TrainedScorer | UnchangedScores, Field(discriminator="kind")]
