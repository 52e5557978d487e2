"""Heat maps of a scorer at world positions of a volume."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from lungpipe.explain.feature_map import OUTPUTS, Output
from lungpipe.explain.gradcam import Method, explain_flips
from lungpipe.geometry import Grid, Window, window_around
from lungpipe.models import Hardware
from lungpipe.models.model import Model
from lungpipe.volumes.volume import Volume

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class PatchMap:
    """Heat map of one candidate on its patch (float32, zyx, not negative), the patch's grid, and the output's logit.

    Map and logit are means over the members of an ensemble and over the 8 flips of the patch. The values have no unit:
    they are compared within one map.
    """

    values: FloatArray
    grid: Grid
    logit: float

    @property
    def maximum(self) -> float:
        """Largest value; 0 if nothing in the patch raises the output."""
        return float(self.values.max())

    def relative(self) -> FloatArray:
        """Return the map divided by its largest value; a map of 0 stays 0."""
        return self.values / np.float32(self.maximum) if self.maximum > 0 else self.values

    def share_within(self, center_zyx_mm: ArrayLike, diameter_mm: float) -> float:
        """Return the share of the map's sum within a sphere (world mm); NaN for a map of 0."""
        total = float(self.values.sum())
        if total <= 0:
            return float("nan")
        z, y, x = (np.arange(side) for side in self.grid.shape_zyx)
        index = np.stack(np.meshgrid(z, y, x, indexing="ij"), axis=-1)
        offset = self.grid.to_world(index) - np.asarray(center_zyx_mm, dtype=np.float64)
        is_inside = (offset**2).sum(axis=-1) < (diameter_mm / 2.0) ** 2
        return float(self.values[is_inside].sum()) / total


def explain_candidates(
    model: Model,
    volume: Volume,
    centers_zyx_mm: ArrayLike,
    diameters_mm: ArrayLike | None = None,
    *,
    output: Output = "nodule",
    method: Method = "gradcam",
    hardware: Hardware,
) -> tuple[PatchMap, ...]:
    """Return the map of each world centre (N, 3) zyx mm, by the scorer's networks in float32.

    Networks see the patch that `Scorer.score` gives them, in its 8 flips. `diameters_mm` (N,) are NaN where unknown.
    The networks of `model` are moved to the hardware.

    Raises:
        ValueError: another output than nodule or malignancy; a model that is no scorer.
    """
    if output not in OUTPUTS:
        raise ValueError(f"output: expected one of {', '.join(OUTPUTS)}, found {output!r}")
    model.card.expect_role("scorer")
    members = [hardware.place(member).eval() for member in model.members]
    side = int(model.card.settings["sampling"]["patch_size_vox"])
    centers = np.reshape(np.asarray(centers_zyx_mm, dtype=np.float64), (-1, 3))
    diameters = np.full(len(centers), np.nan) if diameters_mm is None else np.asarray(diameters_mm, dtype=np.float64)
    return tuple(
        _explain(
            members,
            volume,
            window_around(index, (side, side, side)),
            diameter_mm=float(diameter),
            output=output,
            method=method,
            hardware=hardware,
        )
        for index, diameter in zip(volume.grid.to_index(centers), diameters, strict=True)
    )


def _explain(
    members: Sequence[torch.nn.Module],
    volume: Volume,
    window: Window,
    *,
    diameter_mm: float,
    output: Output,
    method: Method,
    hardware: Hardware,
) -> PatchMap:
    hu = torch.from_numpy(np.ascontiguousarray(volume.read_hu(window)))[None, None].to(hardware.device)
    diameter = torch.tensor([diameter_mm], dtype=torch.float32, device=hardware.device)
    found = [explain_flips(member, hu, output, diameter, method=method) for member in members]
    z, y, x = volume.grid.to_world(np.asarray(window.start_zyx_vox, dtype=np.float64))
    grid = Grid(window.shape_zyx, volume.grid.spacing_zyx_mm, (float(z), float(y), float(x)))
    values = np.stack([values for values, _ in found]).mean(axis=0, dtype=np.float32)
    return PatchMap(np.asarray(values), grid, float(np.mean([logit for _, logit in found])))
