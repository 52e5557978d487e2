"""One scan of any format as a volume in memory, without a store."""

from collections.abc import Callable
from pathlib import Path

from lungpipe.datasets.read import read_scan
from lungpipe.preparation.volume import find_lungs, require_lungs
from lungpipe.resampling.resample import resample
from lungpipe.settings import PreprocessingSettings
from lungpipe.volumes.volume import MemoryVolume


def prepare_in_memory(
    source: Path,
    settings: PreprocessingSettings,
    series_uid: str | None = None,
    *,
    threads: int = 1,
    on_remark: Callable[[str], None] | None = None,
) -> MemoryVolume:
    """Return a scan at the settings' spacing, with the voxels and lungs that `lungpipe prepare` stores.

    `series_uid` chooses among several series of a DICOM folder. With `lung_mask: whole` no lungs are looked for, and
    the whole volume counts as lung. `on_remark` is called with each remark of the scan's reader.

    Raises:
        ScanError: a scan that cannot be read, or that shows no lungs; the message names the file.
    """
    scan = read_scan(Path(source), series_uid)
    for remark in scan.remarks:
        if on_remark is not None:
            on_remark(remark)
    grid = scan.grid.resampled(settings.spacing_zyx_mm)
    hu = resample(scan, grid, threads=threads)
    is_whole = settings.lung_mask == "whole"
    lungs = None if is_whole else require_lungs(find_lungs(hu, grid, settings), Path(source))
    return MemoryVolume(scan.series_uid, grid, hu, lungs)
