"""Copy one scan of any format into LUNA16's layout, on its native grid."""

from collections.abc import Callable
from pathlib import Path

from lungpipe.datasets.read import read_scan
from lungpipe.phantom.metaimage import write_metaimage


def import_scan(source: Path, series_uid: str, header_path: Path, *, on_remark: Callable[[str], None]) -> None:
    """Write a scan (a file or a DICOM folder) as compressed MetaImage: `header_path` (.mhd) and its voxels (.zraw).

    HU and grid are those of the scan. A DICOM folder must hold the series; other formats do not name theirs.
    `on_remark` is called with each remark of the scan's reader.

    Raises:
        ScanError: a scan that cannot be read, or a DICOM folder without the series; the message names the path.
    """
    scan = read_scan(Path(source), series_uid)
    for remark in scan.remarks:
        on_remark(remark)
    write_metaimage(scan.hu, scan.grid, header_path, is_compressed=True)
