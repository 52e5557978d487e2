"""Volumes: resampled scans with lung masks in OME-Zarr, prepared per subset; the only room that knows Zarr."""
