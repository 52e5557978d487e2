"""From scored candidates to patients."""

from lungpipe.patients.aggregate import aggregate_patients

__all__ = ["aggregate_patients"]
