"""Settings of the aggregation to patients."""

from typing import Literal

from lungpipe.settings.base import PositiveInt, Settings


class PatientSettings(Settings):
    """How scored candidates are aggregated to a patient."""

    aggregate: Literal["maximum", "noisy_or", "top_mean"] = "maximum"
    """which aggregate of nodule probability x malignancy is the patient's `malignancy`; all are reported"""
    num_top: PositiveInt = 3
    """highest candidates that `top_mean` averages; missing ones count as 0"""
