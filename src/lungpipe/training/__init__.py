"""Training loops: one generic, and what the segmenter and the classifier each add."""

from lungpipe.training.fit_classifier import fit_classifier
from lungpipe.training.fit_segmenter import fit_segmenter
from lungpipe.training.loop import Fit, Log, Task, fit

__all__ = ["Fit", "Log", "Task", "fit", "fit_classifier", "fit_segmenter"]
