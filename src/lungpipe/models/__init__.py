"""Networks, and the checkpoints that know what they were trained on."""

from lungpipe.models.checkpoint import ModelCard, load_checkpoint, read_card, save_checkpoint
from lungpipe.models.classifier import Classifier
from lungpipe.models.hardware import Hardware, choose_hardware
from lungpipe.models.segmenter import Segmenter

__all__ = [
    "Classifier",
    "Hardware",
    "ModelCard",
    "Segmenter",
    "choose_hardware",
    "load_checkpoint",
    "read_card",
    "save_checkpoint",
]
