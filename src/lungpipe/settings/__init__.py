"""Typed settings: the one truth from which schema, default config and configuration page are generated."""

from lungpipe.settings.load import SettingsError, load_study
from lungpipe.settings.recipe import CandidateSettings, ClassifierSettings, SegmenterSettings
from lungpipe.settings.study import (
    ComputeSettings,
    DatasetSettings,
    EvaluationSettings,
    PhantomSettings,
    PreprocessingSettings,
    StudySettings,
    TrackingSettings,
)

__all__ = [
    "CandidateSettings",
    "ClassifierSettings",
    "ComputeSettings",
    "DatasetSettings",
    "EvaluationSettings",
    "PhantomSettings",
    "PreprocessingSettings",
    "SegmenterSettings",
    "SettingsError",
    "StudySettings",
    "TrackingSettings",
    "load_study",
]
