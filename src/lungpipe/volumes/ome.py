"""OME-NGFF 0.5 metadata of a volume and its lung labels: axes, and scale and translation in millimetres."""

from collections.abc import Mapping, Sequence
from typing import Any

from lungpipe.geometry import Grid

VERSION = "0.5"
NUM_LEVELS = 2
_COLORS = ((1, (60, 120, 220, 255)), (2, (220, 120, 60, 255)))


def image_attributes(grid: Grid, name: str) -> dict[str, Any]:
    """Return the attributes of the image's group: two levels, the second at half resolution."""
    return {"ome": {"version": VERSION, "multiscales": [_multiscale(grid, name)]}}


def label_attributes(grid: Grid) -> dict[str, Any]:
    """Return the attributes of the lung labels' group (1 left, 2 right) on the image's grid."""
    colors = [{"label-value": value, "rgba": list(rgba)} for value, rgba in _COLORS]
    names = [{"label-value": 1, "name": "left lung"}, {"label-value": 2, "name": "right lung"}]
    label = {"colors": colors, "properties": names, "source": {"image": "../../"}}
    return {"ome": {"version": VERSION, "multiscales": [_multiscale(grid, "lungs")], "image-label": label}}


def read_grid(attributes: Mapping[str, Any], shape_zyx: Sequence[int]) -> Grid:
    """Return the grid of level 0; raises KeyError or ValueError for metadata that this module did not write."""
    multiscale = attributes["ome"]["multiscales"][0]
    axes = [(axis["name"], axis.get("unit")) for axis in multiscale["axes"]]
    if axes != [(name, "millimeter") for name in "zyx"]:
        raise ValueError(f"expected the axes z, y, x in millimeter, found {axes}")
    steps = {step["type"]: step[step["type"]] for step in multiscale["datasets"][0]["coordinateTransformations"]}
    z, y, x = (int(n) for n in shape_zyx)
    return Grid((z, y, x), tuple(steps["scale"]), tuple(steps["translation"]))


def _multiscale(grid: Grid, name: str) -> dict[str, Any]:
    axes = [{"name": axis, "type": "space", "unit": "millimeter"} for axis in "zyx"]
    return {"name": name, "axes": axes, "datasets": [_level(grid, level) for level in range(NUM_LEVELS)]}


def _level(grid: Grid, level: int) -> dict[str, Any]:
    factor = 2**level
    # the centre of a coarse voxel is the middle of its fine voxels
    shift = [o + s * (factor - 1) / 2 for o, s in zip(grid.origin_zyx_mm, grid.spacing_zyx_mm, strict=True)]
    scale = [s * factor for s in grid.spacing_zyx_mm]
    steps = [{"type": "scale", "scale": scale}, {"type": "translation", "translation": shift}]
    return {"path": str(level), "coordinateTransformations": steps}
