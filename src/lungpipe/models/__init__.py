"""Networks that take HU, and models: networks with a card that says what they were trained on."""

from lungpipe.models.build import build_network, resolve
from lungpipe.models.hardware import Hardware, choose_hardware

__all__ = [
    "Hardware",
    "build_network",
    "choose_hardware",
    "resolve",
]
