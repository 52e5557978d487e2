"""The files of a report."""

import json
from dataclasses import replace

from lungpipe.reporting.page_inputs import PageInputs
from lungpipe.reporting.report import write_report
from lungpipe.settings.difference import read_settings


def test_page_settings_and_a_shared_evaluation_without_names(page_parts, tmp_path):
    stored = page_parts["stored"]
    patient = str(stored.patients["patient_id"].iloc[0])
    warning = f"unknown_series: 1 marks were left out: 1.2.3.4 of {patient}"
    page_parts["stored"] = replace(stored, summary=stored.summary | {"warnings": [warning]})
    written = write_report(PageInputs(**page_parts), tmp_path)
    assert [path.name for path in written] == ["report.html", "settings.yaml", "evaluation.json"]
    assert read_settings(tmp_path)["seed"] == page_parts["study"]["seed"]
    shared = json.loads(written[2].read_text())
    assert shared["cpm"] == stored.summary["cpm"]
    assert shared["warnings"] == ["unknown_series: 1 marks were left out"]
