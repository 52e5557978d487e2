"""Voxel grids, spheres and boxes in LPS millimetres; the only room where xyz becomes zyx."""

from lungpipe.geometry.boxes import Window, window_around
from lungpipe.geometry.grid import Grid
from lungpipe.geometry.spheres import DEFAULT_DIAMETER_MM, hits, radius_mm, sphere_mask

__all__ = ["DEFAULT_DIAMETER_MM", "Grid", "Window", "hits", "radius_mm", "sphere_mask", "window_around"]
