"""Settings of a study: dataset, preprocessing, folds, evaluation, tracking and compute."""

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from lungpipe.settings.base import PositiveFloat, PositiveInt, Settings, TripleMm
from lungpipe.settings.recipe import MaskedRatingNetSettings, RecipeSettings
from lungpipe.settings.scan_limits import ScanLimits

FOLDER_NAME = r"^[A-Za-z0-9_-][A-Za-z0-9_.-]*$"
SHARED_FOLDERS = ("raw", "whole_scans", "targets", "volumes", "measures", "logs", "benchmarks", "tracking")
"""Folders of a dataset that all its studies share; no study may have their names."""
MalignancyRule = Literal["at_least_two_readers_ge_4", "mean_gt_3", "median", "exclude_3"]


class PhantomSettings(Settings):
    """The embedded phantom: how many miniature chests, and how large."""

    scans_per_subset: PositiveInt = 4
    """scans written into each subset folder"""
    extent_zyx_mm: TripleMm = (112.0, 128.0, 160.0)
    """field of view of the nominal chest, mm (an adult chest is about 320 x 300 x 380)"""
    in_plane_spacing_mm: tuple[PositiveFloat, PositiveFloat] = (0.8, 1.15)
    """range of the pixel spacing, drawn per scan"""
    slice_spacing_mm: tuple[PositiveFloat, PositiveFloat] = (1.0, 1.8)
    """range of the slice distance, drawn per scan"""
    seed: int = Field(default=2016, ge=0)
    """seed of the artificial scans; the study's own `seed` changes no scan"""
    matrix_size: PositiveInt | None = None
    """fixed in-plane matrix (512 for full-size scans); null computes the matrix from spacing and extent"""
    nodules_per_scan: PositiveFloat = 2.5
    """mean number of nodules in scans with nodules, before nodules without room are dropped"""
    noise_hu: PositiveFloat = 25.0
    """standard deviation of the correlated reconstruction noise, HU; a scan's own is 0.5 to 1.8 times that"""


class DatasetSettings(Settings):
    """Where the scans come from, in LUNA16's layout."""

    name: str = Field(default="phantom", pattern=FOLDER_NAME)
    """name of the dataset's folder in `results_dir`"""
    kind: Literal["phantom", "luna16"] = "phantom"
    """`phantom` writes artificial scans first; `luna16` reads a folder in LUNA16's layout"""
    root: str | None = None
    """folder with subset0..9 and the CSVs; `${VARIABLE:-default}` is filled from the environment"""
    lidc_xml: str | None = None
    """LIDC-IDRI reading XML (folder or zip): source of the ratings that nodule_ratings.csv in `root` does not have"""
    lidc_annotations: str | None = None
    """folder with annotations.csv and annotations_excluded.csv of the scans that `lidc_xml` describes; null: `root`"""
    whole_scans: dict[str, str] = Field(default={})
    """whole scans beside a dataset of crops: series UID and file or DICOM folder; trained on, and evaluated apart"""
    whole_scan_tables: str | None = None
    """folder with annotations.csv, annotations_excluded.csv and series.csv (patient, subset) of `whole_scans`"""
    nodules_per_litre: PositiveFloat | None = None
    """nodules per litre of lung in the scans that a scorer is for; null: as in the validation scans (0.29 in LUNA16)"""
    num_subsets: PositiveInt = 10
    """number of subset folders, which is the number of cross-validation folds"""
    phantom: PhantomSettings = PhantomSettings()
    """the artificial scans of `kind: phantom`"""

    @model_validator(mode="after")
    def _root_where_needed(self) -> "DatasetSettings":
        if self.kind == "luna16" and not self.root:
            raise ValueError("root: expected the LUNA16 folder for dataset.kind 'luna16', found nothing")
        if self.whole_scans and self.kind != "luna16":
            found = f"found {len(self.whole_scans)}"
            raise ValueError(f"whole_scans: expected none for dataset.kind {self.kind!r}, {found}")
        if self.whole_scans and not self.whole_scan_tables:
            raise ValueError("whole_scan_tables: expected the folder of the tables of whole_scans, found nothing")
        return self


class PreprocessingSettings(Settings):
    """From a native scan to a stored volume (int16 HU) with its lung mask."""

    spacing_zyx_mm: TripleMm = (1.0, 1.0, 1.0)
    """voxel spacing of the stored volumes, mm"""
    lung_mask: Literal["threshold", "whole"] = "threshold"
    """`threshold` finds the lungs; `whole` takes the whole volume (for crops that show no whole chest)"""
    lung_threshold_hu: int = -350
    """voxels below are air or lung, HU"""
    lung_margin_mm: float = Field(default=5.0, ge=0)
    """dilation of the lung mask, so that nodules on the pleura stay inside, mm"""
    is_failure_fatal: bool = True
    """whether a scan that cannot be prepared fails the run, after all other scans were prepared"""
    scheduler_address: str | None = None
    """address of a running dask.distributed scheduler; null prepares on the job's own cores"""
    worker_memory_gib: PositiveFloat = 4.0
    """memory of one worker, GiB; a scan that needs more is refused, and so is a dask worker without this limit"""


class EvaluationSettings(Settings):
    """How results are evaluated (the official LUNA16 rules are not settings)."""

    num_bootstraps: PositiveInt = 1000
    """bootstrap samples (of scans) for every interval"""
    malignancy_rule: MalignancyRule = "mean_gt_3"
    """how the readers' ratings (1-5) become a malignancy label"""


class TrackingSettings(Settings):
    """MLflow tracking."""

    is_enabled: bool = True
    """whether stages log to MLflow"""
    uri: str | None = None
    """tracking URI; null uses MLFLOW_TRACKING_URI if set, else sqlite in `results_dir`"""


class ComputeSettings(Settings):
    """What the training and inference jobs run on."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """`auto` uses a GPU if there is one"""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """`auto` uses bfloat16 if the hardware multiplies bfloat16 natively (CUDA, AMX, AVX512-BF16)"""
    num_threads: PositiveInt = 4
    """largest number of cores that Snakemake reserves for a training or inference job; the folds share the cores"""


class TrainingScale(Settings):
    """How long and on how much a recipe's network trains in this study; null keeps the recipe's number."""

    num_steps: PositiveInt | None = None
    """optimiser steps"""
    batch_size: PositiveInt | None = None
    """patches per step"""
    num_members: PositiveInt | None = None
    """networks of the ensemble"""
    num_checks: PositiveInt | None = None
    """validations of a training"""


class ScaleSettings(Settings):
    """The size of the recipe's trainings; all other settings of a recipe are in its file."""

    detector: TrainingScale = TrainingScale()
    """training of the detector"""
    scorer: TrainingScale = TrainingScale()
    """training of the scorer"""


class ModelSettings(Settings):
    """The model that is trained on all series of the study (`snakemake final_model`), and what its card says."""

    name: str = Field(default="lungpipe-model", pattern=r"^[A-Za-z0-9_.-]+$")
    """name of the model's folder"""
    data: str = ""
    """sentences about the training data, for the model card"""
    licence: str = ""
    """licence of the training data and the attribution that the licence asks for"""
    unseen: str = ""
    """sentences about data that the model never saw, on which others may test"""
    limits: str = ""
    """sentences about what the model cannot do, or was not tested for"""
    scan_limits: ScanLimits = ScanLimits()
    """the scans that the model may judge; `lungpipe predict` refuses others"""


class ConfigSettings(Settings):
    """The settings of config.yaml and of the files in studies/: dataset, folds, recipe and scale."""

    results_dir: str = "results"
    """folder for everything that the study writes"""
    name: str | None = Field(default=None, pattern=FOLDER_NAME)
    """name of the study's folder beside those of other studies of the dataset; null takes the recipe's name"""
    seed: int = Field(default=2016, ge=0)
    """seed from which every training and the evaluation derive their own seeds"""
    folds: tuple[int, ...] = (0, 3, 7)
    """folds to run; fold k is evaluated on subset k and validated on subset k+1"""
    recipe: str = Field(default="flagship", pattern=FOLDER_NAME)
    """name of the file in recipes/ with detector, scorer and patient"""
    candidates_of: str | None = Field(default=None, pattern=FOLDER_NAME)
    """another study of the dataset, whose candidates are scored; null: the candidates of the recipe's own detector"""
    dataset: DatasetSettings = DatasetSettings()
    """the scans"""
    preprocessing: PreprocessingSettings = PreprocessingSettings()
    """volumes"""
    scale: ScaleSettings = ScaleSettings()
    """length and size of the recipe's trainings"""
    evaluation: EvaluationSettings = EvaluationSettings()
    """evaluation of results"""
    model: ModelSettings = ModelSettings()
    """the model of all series"""
    tracking: TrackingSettings = TrackingSettings()
    """MLflow"""
    compute: ComputeSettings = ComputeSettings()
    """hardware"""

    @model_validator(mode="after")
    def _name_is_free(self) -> "ConfigSettings":
        if self.study_name in SHARED_FOLDERS:
            key = "name" if self.name else "recipe"
            raise ValueError(f"{key}: expected none of the dataset's folders ({', '.join(SHARED_FOLDERS)}), found one")
        return self

    @model_validator(mode="after")
    def _candidates_are_of_another_study(self) -> "ConfigSettings":
        if self.candidates_of == self.study_name:
            raise ValueError(f"candidates_of: expected another study than this, found {self.study_name!r}")
        return self

    @model_validator(mode="after")
    def _folds_exist(self) -> "ConfigSettings":
        wrong = [fold for fold in self.folds if not 0 <= fold < self.dataset.num_subsets]
        if wrong or not self.folds or len(set(self.folds)) != len(self.folds):
            expected = f"different numbers from 0 to {self.dataset.num_subsets - 1}"
            raise ValueError(f"folds: expected {expected}, found {list(self.folds)}")
        if self.dataset.num_subsets < 3:
            raise ValueError("dataset.num_subsets: expected at least 3 (test, validation, training)")
        return self

    @property
    def dataset_dir(self) -> Path:
        """Folder of everything that depends on the dataset and its preprocessing alone."""
        return Path(self.results_dir) / self.dataset.name

    @property
    def candidates_dir(self) -> Path | None:
        """Folder of the study whose candidates are scored; None where the recipe's own are."""
        return None if self.candidates_of is None else self.dataset_dir / self.candidates_of

    @property
    def study_name(self) -> str:
        """The study's name: its own, or that of its recipe."""
        return self.name or self.recipe

    @property
    def study_dir(self) -> Path:
        """Folder of everything that depends on the study, not on dataset and preprocessing alone."""
        return self.dataset_dir / self.study_name


class StudySettings(RecipeSettings, ConfigSettings):
    """A study: dataset, folds, and a recipe at its scale."""

    @model_validator(mode="after")
    def _masks_have_a_detector(self) -> "StudySettings":
        is_without = self.detector.kind == "given" and self.candidates_of is None
        network = None if self.scorer.kind == "unchanged" else self.scorer.network
        if is_without and isinstance(network, MaskedRatingNetSettings):
            expected = "trained, or candidates_of, for the masks of the scorer's network masked_rating_net"
            raise ValueError(f"detector.kind: expected {expected}, found 'given'")
        return self


__all__ = [
    "ComputeSettings",
    "ConfigSettings",
    "DatasetSettings",
    "EvaluationSettings",
    "MalignancyRule",
    "ModelSettings",
    "PhantomSettings",
    "PreprocessingSettings",
    "ScaleSettings",
    "ScanLimits",
    "StudySettings",
    "TrackingSettings",
    "TrainingScale",
]
