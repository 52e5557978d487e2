"""Convert one scan of any format to a store or an image with its lungs; describe a scan or a store."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lungpipe.datasets.read import read_scan
from lungpipe.datasets.scan import Scan
from lungpipe.geometry import Grid
from lungpipe.lungs.measures import side_volumes
from lungpipe.preparation.image_files import IMAGE_ENDINGS, read_reference_grid, write_image
from lungpipe.preparation.memory import count_cores
from lungpipe.preparation.volume import fill_draft, find_lungs, require_lungs
from lungpipe.resampling.resample import resample, resample_labels
from lungpipe.settings import PreprocessingSettings
from lungpipe.volumes.manifest import STORE_SUFFIX
from lungpipe.volumes.store import open_volume, read_own_attributes
from lungpipe.volumes.writer import draft_volume

NUM_STAGES = 3
"""Read, resample, and find lungs while writing."""


@dataclass(frozen=True, slots=True)
class Output:
    """The output of one scan: path (.ome.zarr, .mhd, .mha, .nii, .nii.gz), reference image of the grid, lungs or HU."""

    path: Path
    like: Path | None = None
    is_lungs_only: bool = False

    def check(self) -> None:
        """Raise ValueError for an ending that does not fit the output, or a store that lungpipe did not write."""
        is_store = self.path.name.endswith(STORE_SUFFIX)
        allowed = IMAGE_ENDINGS if self.is_lungs_only else (STORE_SUFFIX, *IMAGE_ENDINGS)
        if not self.path.name.endswith(allowed) or (self.is_lungs_only and is_store):
            raise ValueError(f"{self.path}: expected an ending of {', '.join(allowed)}, found {self.path.name}")
        if is_store and self.path.exists():
            read_own_attributes(self.path)  # a store of another program is not replaced


def prepare_scan(
    source: Path,
    output: Output,
    settings: PreprocessingSettings,
    series_uid: str | None = None,
    *,
    on_remark: Callable[[str], None] | None = None,
    on_stage: Callable[[str, int, int], None] = lambda name, num_done, num_stages: None,
) -> Grid:
    """Prepare one scan of any format and return the grid of the output.

    `on_remark` is called with each remark of the scan's reader, such as skipped files. With a reference image, lungs
    are found on the scan's own grid, since the reference may show only a part of the chest. `on_stage` is called at
    the beginning of each stage with its name, the number of stages done, and the number of all.

    Raises:
        ValueError: a scan, reference or output that cannot be used (ScanError, VolumeError among them).
    """
    output.check()
    source = Path(source)
    on_stage("read", 0, NUM_STAGES)
    scan = read_scan(source, series_uid)
    for remark in scan.remarks:
        if on_remark is not None:
            on_remark(remark)
    grid = scan.grid.resampled(settings.spacing_zyx_mm) if output.like is None else read_reference_grid(output.like)
    on_stage("resample", 1, NUM_STAGES)
    hu = resample(scan, grid, threads=count_cores())

    def find() -> NDArray[np.uint8]:
        if output.like is None:
            return require_lungs(find_lungs(hu, grid, settings), source)
        native = require_lungs(find_lungs(scan.hu, scan.grid, settings), source)
        return resample_labels(native, scan.grid, grid)

    on_stage("find lungs, write", 2, NUM_STAGES)
    if output.is_lungs_only:
        write_image(output.path, find(), grid)
    elif output.path.name.endswith(STORE_SUFFIX):
        with draft_volume(output.path, grid) as draft:
            fill_draft(draft, hu, find, lambda: None)
            draft.finish(scan.series_uid, {})
    else:
        write_image(output.path, hu, grid)
    return grid


def describe(path: Path, settings: PreprocessingSettings, series_uid: str | None = None) -> dict[str, Any]:
    """Return the properties of a scan or store: series, grid (zyx, mm), HU range, ml of each lung, remarks.

    Raises:
        ValueError: a path that is neither a scan nor a store (ScanError, VolumeError).
    """
    path = Path(path)
    if path.name.endswith(STORE_SUFFIX):
        volume = open_volume(path)
        scan, lungs = Scan(volume.series_uid, volume.read_hu(), volume.grid), volume.read_lungs()
    else:
        scan = read_scan(path, series_uid)
        lungs = find_lungs(scan.hu, scan.grid, settings)
    left_ml, right_ml = side_volumes(lungs, scan.grid)
    return {
        "series_uid": scan.series_uid,
        **asdict(scan.grid),
        "min_hu": int(scan.hu.min()),
        "max_hu": int(scan.hu.max()),
        "left_lung_ml": round(left_ml, 1),
        "right_lung_ml": round(right_ml, 1),
        "remarks": list(scan.remarks),
    }
