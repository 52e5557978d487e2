"""Small scenes whose balls say in HU where they are: to the left, to the back and to the head of the middle."""

import numpy as np

from lungpipe.geometry import Grid, sphere_mask
from lungpipe.viewer.scene import Mark, Scene

MIDDLE_ZYX_MM = (-120.0, 35.0, 18.0)
SHAPE_ZYX, SPACING_ZYX_MM = (27, 61, 75), (2.0, 1.0, 1.0)
DIAMETER_MM = 12.0
BALLS = {
    "left": ((0.0, 0.0, 20.0), 300),
    "back": ((0.0, 18.0, 0.0), 600),
    "head": ((16.0, 0.0, 0.0), 900),
}
"""Offset (zyx mm, LPS) of each ball from the middle, and its HU."""
TISSUE_HU = -850

_c, _s = np.cos(np.radians(20)), np.sin(np.radians(20))
DIRECTIONS_ZYX = {
    "plain": np.eye(3),
    "flipped left and right": np.diag([1.0, 1.0, -1.0]),
    "feet first": np.diag([-1.0, 1.0, -1.0]),
    "prone": np.diag([1.0, -1.0, -1.0]),
    # the array's axes go to the back, to the feet and to the left
    "coronal": np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]),
    "oblique": np.array([[_c, 0.0, _s], [0.0, 1.0, 0.0], [-_s, 0.0, _c]]),
}
"""Column j is the world direction (zyx) of array axis j."""


def make_grid(direction="plain", shape_zyx=SHAPE_ZYX):
    """A grid of a direction with MIDDLE_ZYX_MM in its middle."""
    matrix = DIRECTIONS_ZYX[direction]
    half = (np.array(shape_zyx) - 1) / 2 * SPACING_ZYX_MM
    origin = np.array(MIDDLE_ZYX_MM) - matrix @ half
    rows = tuple(tuple(float(value) for value in row) for row in matrix)
    return Grid(shape_zyx, SPACING_ZYX_MM, tuple(float(value) for value in origin), rows)


def ball_center(name):
    """The world position (zyx mm) of a ball."""
    return tuple(float(value) for value in np.add(MIDDLE_ZYX_MM, BALLS[name][0]))


def make_scene(direction="plain", shape_zyx=SHAPE_ZYX, **changes):
    """Three balls in tissue; candidates 1 to 3 of falling score are the balls, and the lungs are the left half."""
    grid = make_grid(direction, shape_zyx)
    hu = np.full(grid.shape_zyx, TISSUE_HU, np.int16)
    nodules = np.zeros(grid.shape_zyx, np.uint8)
    marks = []
    for number, name in enumerate(BALLS, start=1):
        center = ball_center(name)
        inside = sphere_mask(grid, np.array(center), DIAMETER_MM)
        hu[inside] = BALLS[name][1]
        nodules[inside] = number
        index = int(np.round(grid.to_index(center)[0]))
        marks.append(Mark(number, center, index + 1, 1.0 - 0.2 * number, DIAMETER_MM, 0.1 * number, "left"))
    indices = np.stack(np.meshgrid(*map(np.arange, grid.shape_zyx), indexing="ij"), axis=-1)
    lungs = (grid.to_world(indices)[..., 2] > MIDDLE_ZYX_MM[2]).astype(np.uint8)
    fields = {"lungs": lungs, "nodules": nodules, "marks": tuple(marks), "notes": ("A note.",)} | changes
    return Scene(hu, grid, grid, "0123456789ab", **fields)
