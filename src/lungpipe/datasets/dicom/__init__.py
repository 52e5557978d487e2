"""Read a CT series from DICOM."""

from lungpipe.datasets.dicom.series import list_series, read_dicom, read_stacks

__all__ = ["list_series", "read_dicom", "read_stacks"]
