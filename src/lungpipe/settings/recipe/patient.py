"""Settings of a patient's aggregate."""

from typing import Literal

from lungpipe.settings.base import PositiveInt, Settings


class PatientSettings(Settings):
    """From scored candidates to a patient."""

    aggregate: Literal["maximum", "noisy_or", "top_mean"] = "maximum"
    """which aggregate of nodule probability x malignancy is the patient's score; the others stand beside it"""
    num_top: PositiveInt = 3
    """candidates that `top_mean` averages"""
