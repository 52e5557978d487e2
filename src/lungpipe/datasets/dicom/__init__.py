"""Read a CT series from DICOM."""

from lungpipe.datasets.dicom.series import list_series, read_dicom

__all__ = ["list_series", "read_dicom"]
