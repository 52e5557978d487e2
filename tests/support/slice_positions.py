"""Series of forty slices of 8 x 10 pixels with any positions."""

import numpy as np
from dicom_files import store

COUNT = 40
PLANES = [((37 * np.arange(80) + 113 * index) % 2000 - 1000).astype(np.int16).reshape(8, 10) for index in range(COUNT)]


def write(series, position, count=COUNT, **changes):
    """Write slices with the texts of `position(index)` as positions; `changes` replace elements. Returns the folder."""
    for index in range(count):
        made = {"ImagePositionPatient": [str(number) for number in position(index)], "PixelData": store(PLANES[index])}
        series.write(0, f"{index}.dcm", **made, **changes)
    return series.folder


def fixed(number, decimals):
    """Write a number with so many decimals."""
    return f"{number:.{decimals}f}"
