"""Networks that take HU, and models: networks with a card of what they were trained on."""

from lungpipe.models.build import build_network, resolve
from lungpipe.models.card import ModelCard, Role, digest_of
from lungpipe.models.hardware import Hardware, choose_hardware, describe_hardware
from lungpipe.models.model import Model, join_models, load_model, read_card, save_model
from lungpipe.models.of_fold import load_fold_model
from lungpipe.models.side_inputs import apply_network, takes_diameter

__all__ = [
    "Hardware",
    "Model",
    "ModelCard",
    "Role",
    "apply_network",
    "build_network",
    "choose_hardware",
    "describe_hardware",
    "digest_of",
    "join_models",
    "load_fold_model",
    "load_model",
    "read_card",
    "resolve",
    "save_model",
    "takes_diameter",
]
