"""The report of a study: one HTML file without external resources and without names of patients or scans."""

import base64
import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from lungpipe.reporting import page_tables as tables
from lungpipe.reporting.accounting_lines import accounting_line, is_complete, lung_notes
from lungpipe.reporting.computed import computed_table, other_versions
from lungpipe.reporting.headline import headline_cards
from lungpipe.reporting.page_inputs import PageInputs
from lungpipe.reporting.paired import pair, paired_table
from lungpipe.reporting.patient_table import patients_table
from lungpipe.reporting.stage_times import stages_table
from lungpipe.reporting.viewer_pages import FOLDER, page_name
from lungpipe.reporting.whole_scan_table import whole_scans_table
from lungpipe.reporting.wording import interval, label_rule, number, without_identifiers
from lungpipe.settings.difference import portable_settings, settings_text
from lungpipe.tables import write_text

SECTIONS = {
    "detection": "Detection",
    "groups": "Groups",
    "ranking": "Nodule or not",
    "malignancy": "Malignancy",
    "patients": "Patients",
    "findings": "Found, missed, mistaken",
    "studies": "Other studies",
    "training": "Training",
    "accounting": "Scans and lungs",
    "resources": "Time and memory",
    "origin": "How it was made",
}
"""The sections of the page by their anchors, in their order, with the words of the links at the top."""
GALLERIES = {
    "hits": ("Hits", "highest probability first"),
    "misses": ("Missed nodules", "largest first"),
    "false_positives": ("False positives", "highest probability first"),
}


def write_page(inputs: PageInputs, path: Path) -> None:
    """Write the report as one HTML file, atomically."""
    write_text(Path(path), render_page(inputs))


def render_page(inputs: PageInputs) -> str:
    """Return the report as HTML; figures that a study does not have are named as not defined."""
    environment = Environment(
        loader=PackageLoader("lungpipe.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    summary, study, origin = inputs.stored.summary, inputs.study, inputs.origin
    patient_ids = inputs.stored.patients["patient_id"].astype(str).tolist()
    style, script = _template_text("report.css"), _template_text("report.js")
    return environment.get_template("report.html").render(
        style=style,
        script=script,
        script_digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii"),
        sections=_sections(inputs),
        dataset=study["dataset"]["name"],
        recipe=study["recipe"],
        name=study["name"] or study["recipe"],
        num_scans=summary["num_scans"],
        accounting_line=accounting_line(inputs.accounting),
        lung_notes=list(lung_notes(inputs.accounting)),
        is_complete=is_complete(inputs.accounting),
        folds=f"{len(summary['folds'])} of {study['dataset']['num_subsets']} folds evaluated",
        fold_names=", ".join(map(str, summary["folds"])),
        warnings=[without_identifiers(text, patient_ids) for text in summary["warnings"]],
        # `whole` is for crops, which show no chest with lungs
        is_crops=study["preprocessing"]["lung_mask"] == "whole",
        cards=headline_cards(summary, study["evaluation"]["malignancy_rule"]),
        charts=_charts(inputs),
        galleries=[(*GALLERIES[each["kind"]], each) for each in inputs.pictures["findings"]],
        slices=inputs.pictures["patients"],
        viewers={scan: f"{FOLDER}/{page_name(scan)}" for scan in inputs.viewers},
        sliced={each["number"] for each in inputs.pictures["patients"]["shown"]},
        tables=_tables(inputs),
        patients=patients_table(inputs.stored.patients, inputs.stored.matches, inputs.series),
        notes=list(_malignancy_notes(inputs)),
        settings=settings_text(study),
        origin=origin,
        software={**origin.software, **other_versions(origin.computed, origin.software)},
        command=inputs.command,
    )


def _template_text(name: str) -> str:
    return (resources.files("lungpipe.reporting") / "templates" / name).read_text(encoding="utf-8")


def _sections(inputs: PageInputs) -> dict[str, str]:
    """Return the sections that this study has."""
    return {name: text for name, text in SECTIONS.items() if name != "studies" or inputs.others}


def _charts(inputs: PageInputs) -> dict[str, list[Mapping[str, Any]]]:
    """Return the charts by section."""
    charts: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for chart in inputs.charts:
        charts[chart["section"]].append(chart)
    return charts


def _tables(inputs: PageInputs) -> dict[str, list[tables.Table]]:
    summary = inputs.stored.summary
    ours = portable_settings(inputs.study)
    pairs = {name: pair(inputs.stored, one.stored) for name, one in inputs.others.items() if one.stored is not None}
    every: Mapping[str, list[tables.Table | None]] = {
        "detection": [
            tables.sensitivity_table(summary),
            tables.counts_table(summary),
            tables.accuracy_table(summary),
            whole_scans_table(inputs.whole_scans),
        ],
        "malignancy": [
            tables.ranking_table(summary["malignancy"], "Nodules that were hit"),
            tables.ranking_table(summary["patients"], "Patients"),
            tables.malignancy_by_diameter(summary["malignancy"]),
        ],
        "groups": [*tables.strata_tables(summary)],
        "studies": [paired_table(pairs), tables.others_table(inputs.others, ours)],
        "accounting": [tables.accounting_table(inputs.accounting), tables.lungs_table(inputs.accounting)],
        "resources": [stages_table(inputs.origin.jobs)],
        "origin": [computed_table(inputs.origin.computed)],
    }
    return {section: [table for table in found if table is not None] for section, found in every.items()}


def _malignancy_notes(inputs: PageInputs) -> Iterator[str]:
    summary = inputs.stored.summary
    nodules, patients = summary["malignancy"], summary["patients"]
    rule = label_rule(inputs.study["evaluation"]["malignancy_rule"])
    yield f"Labelled malignant: {rule} (readers rate from 1 to 5)."
    if nodules is None:
        yield "Nodules: not defined; the nodules that were hit do not have labels of both classes."
    else:
        difference = nodules["auc_difference"]
        bounds = interval((difference["low"], difference["high"]))
        yield f"Nodules: {nodules['num_nodules']} hit and labelled, {nodules['num_malignant']} of them malignant."
        yield f"AUC of the model minus that of the diameter: {number(difference['difference'])}, 95 %: {bounds}."
        model = nodules["model"]
        yield f"Brier score {number(model['brier'])}, expected calibration error {number(model['ece'])}."
    labels = inputs.stored.patients["is_malignant"]
    counted = f"{len(labels)} stored, {int((labels == 1).sum())} malignant, {int(labels.isna().sum())} without a label"
    yield f"Patients: {counted}." if patients else f"Patients: {counted}; not defined without labels of both classes."
