"""A series of six slices, 8 x 10 pixels, 5 mm apart in every direction."""

import numpy as np
import pytest
from dicom_files import store, write_ct
from pydicom.uid import CTImageStorage

HU = (np.arange(480, dtype=np.int16).reshape(6, 8, 10) * 37) % 2000 - 1000
UID = "1.2.3.4.5"


class Series:
    """Writes slices into a folder, one element changed or another."""

    hu = HU
    uid = UID

    def __init__(self, folder):
        self.folder = folder

    def write(self, index, name=None, *, folder=None, **changes):
        """Write slice `index`; `changes` replace elements, None drops one. Returns the path."""
        folder = folder or self.folder
        folder.mkdir(parents=True, exist_ok=True)
        elements = {
            "SeriesInstanceUID": UID,
            "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
            "Rows": 8,
            "Columns": 10,
            "PixelSpacing": [5.0, 5.0],
            "ImagePositionPatient": [0.0, 0.0, 5.0 * index],
            "ImageOrientationPatient": [1.0, 0.0, 0.0, 0.0, 1.0, 0.0],
            "RescaleSlope": 1,
            "RescaleIntercept": -1024,
            "PixelData": store(HU[index]),
            **changes,
        }
        instance = f"{elements['SeriesInstanceUID']}.{index}"
        return write_ct(folder / (name or f"{index}.dcm"), CTImageStorage, instance, elements)

    def write_all(self, **changes):
        """Write every slice; a change that is a function is called with the slice's index. Returns the folder."""
        for index in range(len(HU)):
            made = {key: value(index) if callable(value) else value for key, value in changes.items()}
            self.write(index, **made)
        return self.folder


@pytest.fixture
def series(tmp_path):
    return Series(tmp_path / "series")
