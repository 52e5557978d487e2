"""Find the lungs: a threshold, and then what is outside, what is airway, what is left and what is right."""

from lungpipe.volumes.lungs.segment import CLOSING_SHARE, segment_lungs

__all__ = ["CLOSING_SHARE", "segment_lungs"]
