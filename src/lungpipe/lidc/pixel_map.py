"""Map pixels of readings to world positions, by the scan's header or by LUNA16's list of the readers' marks.

A reading has z in mm, but x and y in pixels. Pixel spacing and origin are in the scan's header. Without a scan,
`annotations_excluded.csv` is used. The file lists every point that a reader marked (diameter -1), in the order of the
reading, so a straight line through pairs of row and mark gives spacing and origin. The line must fit all pairs, or the
map is refused.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from lungpipe.geometry import Grid
from lungpipe.lidc.outlines import check_upright
from lungpipe.lidc.xml import Reading
from lungpipe.tables import CENTER_COLUMNS

MAX_RESIDUAL_MM = 0.01
"""Largest distance (mm) of a row from the line; pairs agree within 10^-9 mm, and a pixel is at least 0.4 mm."""
MAX_Z_RESIDUAL_MM = 0.11
"""Readings and headers round z differently: by 0.001 mm, and in one mark of one series by 0.1 mm."""
NOMINAL_SPACING_MM = 0.7
"""Typical pixel spacing (mm) of a chest CT, used to compare outlines if the spacing is unknown."""


@dataclass(frozen=True, slots=True)
class PixelMap:
    """World mm of a reading's pixels: `offset + scale x pixel` for y and x; z is mm already.

    `source` names the source of the map; only z is valid in a `nominal` map.
    """

    scale_yx_mm: tuple[float, float]
    offset_yx_mm: tuple[float, float]
    source: Literal["scan", "exclusions", "nominal"]

    @classmethod
    def from_grid(cls, grid: Grid) -> "PixelMap":
        """Use the geometry of the scan; raises ValueError for a scan whose axes are oblique."""
        direction = check_upright(grid).direction_zyx
        _, spacing_y, spacing_x = grid.spacing_zyx_mm
        _, origin_y, origin_x = grid.origin_zyx_mm
        scale = (spacing_y * round(direction[1][1]), spacing_x * round(direction[2][2]))
        return cls(scale, (origin_y, origin_x), "scan")

    @classmethod
    def nominal(cls) -> "PixelMap":
        """Return a map that is only used to compare outlines of one reading with each other."""
        return cls((NOMINAL_SPACING_MM, NOMINAL_SPACING_MM), (0.0, 0.0), "nominal")

    def to_world(self, points: ArrayLike) -> NDArray[np.float64]:
        """Map points (..., 3) of z mm, y and x pixels to world zyx mm."""
        scale, offset = (1.0, *self.scale_yx_mm), (0.0, *self.offset_yx_mm)
        return np.asarray(points, dtype=np.float64) * np.asarray(scale) + np.asarray(offset)


def fit_pixel_map(reading: Reading, exclusions: pd.DataFrame) -> PixelMap | None:
    """Return the map that carries a reading's point marks onto the series' excluded findings without diameter.

    Pixels are square and both axes run the same way (so do all 888 scans of LUNA16), so that two marks at different
    pixels suffice.

    Returns None if there are fewer than two different marks, another number of rows, or a row more than 0.01 mm off the
    line.
    """
    table = exclusions.loc[exclusions["diameter_mm"] < 0, list(CENTER_COLUMNS)]
    marks = np.array([(point.z_mm, point.y_vox, point.x_vox) for point in reading.points], dtype=float).reshape(-1, 3)
    world = table.to_numpy(dtype=float)
    if len(marks) != len(world) or len(np.unique(marks[:, 1:], axis=0)) < 2:
        return None
    spread, moved = marks[:, 1:] - marks[:, 1:].mean(axis=0), world[:, 1:] - world[:, 1:].mean(axis=0)
    scale = float((spread * moved).sum() / np.square(spread).sum())
    offset_y, offset_x = (world[:, 1:] - scale * marks[:, 1:]).mean(axis=0).tolist()
    fitted = PixelMap((scale, scale), (offset_y, offset_x), "exclusions")
    residual = np.abs(fitted.to_world(marks) - world).max(axis=0)
    is_exact = bool((residual <= (MAX_Z_RESIDUAL_MM, MAX_RESIDUAL_MM, MAX_RESIDUAL_MM)).all())
    return fitted if is_exact and scale != 0 else None
