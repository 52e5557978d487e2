"""Stored volumes with their lungs in OME-Zarr, and the manifest of a subset; the only room that imports Zarr."""
