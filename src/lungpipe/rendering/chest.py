"""The voxels that are rendered: the box of the lungs, with everything outside the lungs made transparent."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lungpipe.geometry import Grid
from lungpipe.preparation.in_memory import prepare_in_memory
from lungpipe.rendering.transfer import TransferName
from lungpipe.settings import PreprocessingSettings
from lungpipe.terms import AIR_HU
from lungpipe.volumes.manifest import STORE_SUFFIX
from lungpipe.volumes.store import open_volume
from lungpipe.volumes.volume import Volume

MARGIN_MM = 6.0
"""Width of the border around the lungs' box."""
RIM_MM: dict[TransferName, float] = {"linear": -1.0, "gradient": 2.0, "otsu": -2.0}
"""How far the shown region reaches beyond the lungs. The gradient shows the wall of the chest as a shell. The other
functions leave out the rim of the lungs, where voxels are mixed with the wall."""
MAX_VOXELS = 24_000_000
"""A larger box is thinned out: every second voxel, every third."""


@dataclass(frozen=True, slots=True, eq=False)
class Chest:
    """HU (int16, zyx) of a box, the lungs in that box (float32, 0 or 1; None: all is shown), and the box's grid."""

    series_uid: str
    hu: NDArray[np.int16]
    lungs: NDArray[np.float32] | None
    grid: Grid

    def shown_hu(self, name: TransferName) -> NDArray[np.int16]:
        """Return the HU that a transfer function is applied to: air outside the shown region, with a soft edge."""
        if self.lungs is None:
            return self.hu
        mask = self.lungs > 0.5
        reach = RIM_MM[name] / np.asarray(self.grid.spacing_zyx_mm)
        rounds = max(1, round(float(np.abs(reach).max())))
        change = ndimage.binary_dilation if reach[0] > 0 else ndimage.binary_erosion
        weight = ndimage.gaussian_filter(change(mask, iterations=rounds).astype(np.float32), 0.7)
        return np.asarray(np.rint(AIR_HU + weight * (self.hu - np.float32(AIR_HU))), dtype=np.int16)


def open_chest(
    source: Path,
    series_uid: str | None = None,
    *,
    is_whole: bool = False,
    threads: int = 1,
    on_remark: Callable[[str], None] | None = None,
) -> Chest:
    """Return the chest of a store as it is, or of a scan of any format at 1 mm; `is_whole` looks for no lungs.

    `series_uid` chooses among several series of a DICOM folder. `on_remark` gets each remark of the scan's reader.

    Raises:
        VolumeError: a store that cannot be opened.
        ScanError: a scan that cannot be read, or that shows no lungs.
    """
    source = Path(source)
    if source.name.endswith(STORE_SUFFIX):
        return cut_chest(open_volume(source), is_whole=is_whole)
    settings = PreprocessingSettings(lung_mask="whole" if is_whole else "threshold")
    volume = prepare_in_memory(source, settings, series_uid, threads=threads, on_remark=on_remark)
    return cut_chest(volume, is_whole=is_whole)


def cut_chest(volume: Volume, *, is_whole: bool = False) -> Chest:
    """Return the box of the lungs with a margin, thinned out if it is too large; with `is_whole`, the whole volume.

    Raises:
        ValueError: a volume without lungs.
    """
    hu, grid = volume.read_hu(), volume.grid
    lungs = None if is_whole else volume.read_lungs()
    if lungs is not None and not lungs.any():
        raise ValueError(f"series {volume.series_uid}: expected a volume with lungs, found none")
    box = (slice(None), slice(None), slice(None)) if lungs is None else _lungs_box(lungs, grid)
    origin = [0 if side.start is None else side.start for side in box]
    inside = hu[box]
    step = 1
    while inside.size / step**3 > MAX_VOXELS:
        step += 1
    thin = (slice(None, None, step),) * 3
    kept = np.ascontiguousarray(inside[thin])
    depth, height, width = kept.shape
    z, y, x = grid.to_world(np.asarray(origin, dtype=np.float64))
    dz, dy, dx = (length * step for length in grid.spacing_zyx_mm)
    own = Grid((depth, height, width), (dz, dy, dx), (float(z), float(y), float(x)))
    share = None if lungs is None else (lungs[box][thin] > 0).astype(np.float32)
    return Chest(volume.series_uid, kept, share, own)


def _lungs_box(lungs: NDArray[np.uint8], grid: Grid) -> tuple[slice, slice, slice]:
    sides = []
    for axis, (size, step) in enumerate(zip(grid.shape_zyx, grid.spacing_zyx_mm, strict=True)):
        filled = np.flatnonzero((lungs > 0).any(axis=tuple(other for other in range(3) if other != axis)))
        margin = round(MARGIN_MM / step)
        sides.append(slice(max(0, int(filled[0]) - margin), min(size, int(filled[-1]) + 1 + margin)))
    z, y, x = sides
    return z, y, x
