"""Drawn chests, and a subset of them in LUNA16's layout."""

from chests import chest, draw, subset, write_reference, write_scan

__all__ = ["chest", "draw", "subset", "write_reference", "write_scan"]
