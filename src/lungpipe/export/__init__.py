"""Predictions for other programs: DICOM segmentations and structured reports."""
