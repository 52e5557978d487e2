"""The files in the folder of a prediction: written by `predict`, read by `view` and by a later `predict`."""

RESULT_FILE, CANDIDATES_FILE = "result.json", "candidates.csv"
LUNGS_FILE, NODULES_FILE, OVERLAYS_FOLDER = "lungs.nii.gz", "nodules.nii.gz", "overlays"
DICOM_FOLDER, SEGMENTATION_FILE, REPORT_FILE = "dicom", "segmentation.dcm", "report.dcm"
VIEWER_FILE = "viewer.html"
