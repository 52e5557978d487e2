"""A series of six slices, 8 x 10 pixels, 5 mm apart in every direction."""

import numpy as np
import pytest
from dicom_files import store, write_ct
from pydicom.uid import CTImageStorage

HU = (np.arange(480, dtype=np.int16).reshape(6, 8, 10) * 37) % 2000 - 1000
UID = "1.2.3.4.5"


class Series:
    """Writes slices into a folder, one element changed or another."""

    uid = UID

    def __init__(self, folder, hu=HU):
        self.folder, self.hu = folder, hu

    def write(self, index, name=None, *, folder=None, **changes):
        """Write slice `index`; `changes` replace elements, None drops one. Returns the path."""
        folder = folder or self.folder
        folder.mkdir(parents=True, exist_ok=True)
        elements = {
            "SeriesInstanceUID": UID,
            "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
            "Rows": self.hu.shape[1],
            "Columns": self.hu.shape[2],
            "PixelSpacing": [5.0, 5.0],
            "ImagePositionPatient": [0.0, 0.0, 5.0 * index],
            "ImageOrientationPatient": [1.0, 0.0, 0.0, 0.0, 1.0, 0.0],
            "RescaleSlope": 1,
            "RescaleIntercept": -1024,
            "PixelData": store(self.hu[index]),
            **changes,
        }
        instance = f"{elements['SeriesInstanceUID']}.{index}"
        return write_ct(folder / (name or f"{index}.dcm"), CTImageStorage, instance, elements)

    def write_all(self, **changes):
        """Write every slice; a change that is a function is called with the slice's index. Returns the folder."""
        for index in range(len(self.hu)):
            made = {key: value(index) if callable(value) else value for key, value in changes.items()}
            self.write(index, **made)
        return self.folder


@pytest.fixture
def series(tmp_path):
    return Series(tmp_path / "series")


@pytest.fixture
def large_series(tmp_path):
    """48 x 64 pixels that vary little from one to the next: GDCM's encoder fails where nothing can be compressed."""
    z, y, x = np.ogrid[:6, :48, :64]
    hu = (30 * z + 9 * y + 11 * x - 900).astype(np.int16)
    return Series(tmp_path / "series", hu)
