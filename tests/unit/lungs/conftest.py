"""Drawn chests whose lungs are known."""

from chests import chest, draw

__all__ = ["chest", "draw"]
