"""The files of a study's report: the page, the settings that can change a result, and figures to share."""

from pathlib import Path

from lungpipe.reporting.page import write_page
from lungpipe.reporting.page_inputs import PageInputs
from lungpipe.reporting.wording import without_identifiers
from lungpipe.settings.difference import SETTINGS_FILE, settings_text
from lungpipe.tables import write_json, write_text

PAGE = "report.html"
SHARED = "tracking/evaluation.json"
"""A copy of evaluation.json without names of series and patients, which may leave the results folder."""


def write_report(inputs: PageInputs, study_dir: Path) -> list[Path]:
    """Write page, settings and the shared evaluation into a study's folder, each whole; return their paths."""
    summary = inputs.stored.summary
    patients = inputs.stored.patients["patient_id"].astype(str).tolist()
    warnings = [without_identifiers(text, patients) for text in summary["warnings"]]
    write_page(inputs, study_dir / PAGE)
    write_text(study_dir / SETTINGS_FILE, settings_text(inputs.study))
    write_json(study_dir / SHARED, {**summary, "warnings": warnings})
    return [study_dir / PAGE, study_dir / SETTINGS_FILE, study_dir / SHARED]
