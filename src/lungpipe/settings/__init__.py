"""Typed settings, from which schema, default config and configuration page are generated."""

from lungpipe.settings.load import SettingsError, load_study, weights_files
from lungpipe.settings.recipe import RecipeSettings
from lungpipe.settings.study import (
    ComputeSettings,
    ConfigSettings,
    DatasetSettings,
    EvaluationSettings,
    ModelSettings,
    PhantomSettings,
    PreprocessingSettings,
    ScanLimits,
    StudySettings,
    TrackingSettings,
)

__all__ = [
    "ComputeSettings",
    "ConfigSettings",
    "DatasetSettings",
    "EvaluationSettings",
    "ModelSettings",
    "PhantomSettings",
    "PreprocessingSettings",
    "RecipeSettings",
    "ScanLimits",
    "SettingsError",
    "StudySettings",
    "TrackingSettings",
    "load_study",
    "weights_files",
]
