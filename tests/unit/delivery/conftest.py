"""A small drawn chest and models with random weights."""

from chest_models import chest, model, model_folder

__all__ = ["chest", "model", "model_folder"]
