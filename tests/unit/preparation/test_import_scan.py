"""A scan of any format becomes MetaImage in LUNA16's layout, with the same HU at the same places."""

import numpy as np
import pytest
from dicom_files import store, write_ct
from pydicom.uid import CTImageStorage

from lungpipe.datasets.metaimage import read_metaimage
from lungpipe.datasets.read import read_scan
from lungpipe.datasets.scan import ScanError
from lungpipe.preparation.import_scan import import_scan

HU = (np.arange(480, dtype=np.int16).reshape(6, 8, 10) * 37) % 2000 - 1000


@pytest.fixture
def series(tmp_path):
    """Six slices of a scan whose x runs against the world's."""
    for index, plane in enumerate(HU):
        elements = {
            "SeriesInstanceUID": "1.2.3",
            "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
            "Rows": 8,
            "Columns": 10,
            "PixelSpacing": [5.0, 4.0],
            "ImagePositionPatient": [30.0, -7.5, 5.0 * index],
            "ImageOrientationPatient": [-1.0, 0.0, 0.0, 0.0, 1.0, 0.0],
            "RescaleSlope": 1,
            "RescaleIntercept": -1024,
            "PixelData": store(plane),
        }
        write_ct(tmp_path / f"{index}.dcm", CTImageStorage, f"1.2.3.{index}", elements)
    return tmp_path


def test_hu_and_grid_are_those_of_the_scan(series):
    header = series / "out" / "subset7" / "1.2.3.mhd"
    import_scan(series, "1.2.3", header, on_remark=[].append)
    copy, scan = read_metaimage(header), read_scan(series)
    np.testing.assert_array_equal(copy.hu, scan.hu)
    assert copy.grid == scan.grid
    # slice 2, row 3, column 4: z = 2 * 5, y = -7.5 + 3 * 5, x = 30 - 4 * 4
    index = np.round(copy.grid.to_index((10.0, 7.5, 14.0))).astype(int)
    assert copy.hu[tuple(index.reshape(3))] == HU[2, 3, 4]
    assert copy.series_uid == "1.2.3"
    assert sorted(path.name for path in header.parent.iterdir()) == ["1.2.3.mhd", "1.2.3.zraw"]


def test_the_same_scan_gives_the_same_bytes(series):
    headers = [series / name / "1.2.3.mhd" for name in ("a", "b")]
    for header in headers:
        import_scan(series, "1.2.3", header, on_remark=[].append)
    for ending in (".mhd", ".zraw"):
        one, two = (header.with_suffix(ending).read_bytes() for header in headers)
        assert one == two


def test_a_folder_of_another_series_is_refused_and_writes_nothing(series):
    with pytest.raises(ScanError, match=r"expected series 9\.9, found 1\.2\.3"):
        import_scan(series, "9.9", series / "out" / "9.9.mhd", on_remark=[].append)
    assert not (series / "out").exists()
