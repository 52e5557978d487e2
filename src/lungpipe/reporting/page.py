"""The report of a study: one HTML file without external resources and without names of patients or scans."""

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from lungpipe.reporting import page_tables as tables
from lungpipe.reporting.computed import computed_table, other_versions
from lungpipe.reporting.headline import headline_cards
from lungpipe.reporting.other_studies import OtherStudy
from lungpipe.reporting.wording import interval, label_rule, number, without_identifiers
from lungpipe.settings.difference import portable_settings, settings_text
from lungpipe.tables import write_text

FIGURES = {
    "froc": "FROC curve with its 95 % band. The points are the seven rates whose mean sensitivity is the CPM.",
    "candidates": "Axial patches of 48 mm from the evaluated scans, lung window, the patient's left on the right.",
    "training": "Loss and validation metrics, a line per fold. The ring marks the step whose weights were kept.",
}
"""The figures of the page with their captions."""


@dataclass(frozen=True, slots=True)
class PageInputs:
    """The content of the page.

    `summary` is evaluation.json, `study` the settings as plain data, `accounting` the table of prepared scans,
    `patients` the table of patients (counted, never listed), `figures` PNG files by name (a missing file is named as
    missing), `software` versions and commit, `command` the command that evaluates the submission again,
    `others` other studies of the dataset by name, `computed` what each job computed with.
    """

    summary: Mapping[str, Any]
    study: Mapping[str, Any]
    accounting: pd.DataFrame
    patients: pd.DataFrame
    figures: Mapping[str, Path]
    software: Mapping[str, str]
    command: str
    others: Mapping[str, OtherStudy] = field(default_factory=dict)
    computed: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


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
    summary, study = inputs.summary, inputs.study
    patient_ids = inputs.patients["patient_id"].astype(str).tolist()
    return environment.get_template("report.html").render(
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
        figures=[(name, text, data_uri(inputs.figures.get(name))) for name, text in FIGURES.items()],
        tables=_tables(inputs),
        notes=list(_malignancy_notes(inputs)),
        settings=settings_text(study),
        software={**inputs.software, **other_versions(inputs.computed, inputs.software)},
        computed=computed_table(inputs.computed),
        command=inputs.command,
        others=tables.others_table(inputs.others, portable_settings(study)),
    )


def data_uri(path: Path | None) -> str | None:
    """Return a PNG file as a data URI; None if the file does not exist."""
    if path is None or not Path(path).is_file():
        return None
    return "data:image/png;base64," + base64.b64encode(Path(path).read_bytes()).decode("ascii")


def accounting_line(accounting: pd.DataFrame) -> str:
    """Return `n of n scans prepared` from the table's row of totals."""
    total = _total(accounting)
    return f"{total['prepared']} of {total['expected']} scans prepared"


def lung_notes(accounting: pd.DataFrame) -> Iterator[str]:
    """Yield sentences about the lung mask: nodules outside the mask, and the overlap with reference masks."""
    total = _total(accounting)
    num_nodules, num_references = int(total["nodules"]), int(total["references"])
    share = f" ({total['outside_lungs_percent']:.1f} %)" if num_nodules else ""
    yield f"{total['outside_lungs']} of {num_nodules} annotated nodules{share} are outside the dilated lung mask."
    if num_references:
        num_compared = num_references - int(total["references_not_compared"])
        dice = f"Dice median {_figure(total, 'lungs_dice_median')}, smallest {_figure(total, 'lungs_dice_min')}"
        yield f"Compared with reference masks ({num_compared} of {num_references} compared): {dice}."


def is_complete(accounting: pd.DataFrame) -> bool:
    """Return whether every expected scan was prepared."""
    return bool((accounting["prepared"] == accounting["expected"]).all())


def _total(accounting: pd.DataFrame) -> pd.Series:
    return accounting.loc[accounting["subset"].astype(str) == "total"].iloc[0]


def _figure(total: pd.Series, name: str) -> str:
    return number(None if pd.isna(total[name]) else float(total[name]))


def _tables(inputs: PageInputs) -> dict[str, list[tables.Table]]:
    summary = inputs.summary
    every: dict[str, list[tables.Table | None]] = {
        "detection": [tables.sensitivity_table(summary), tables.counts_table(summary), tables.accuracy_table(summary)],
        "malignancy": [
            tables.ranking_table(summary["malignancy"], "Nodules that were hit"),
            tables.ranking_table(summary["patients"], "Patients"),
            tables.malignancy_by_diameter(summary["malignancy"]),
        ],
        "strata": [*tables.strata_tables(summary)],
        "accounting": [tables.accounting_table(inputs.accounting), tables.lungs_table(inputs.accounting)],
    }
    return {section: [table for table in found if table is not None] for section, found in every.items()}


def _malignancy_notes(inputs: PageInputs) -> Iterator[str]:
    nodules, patients = inputs.summary["malignancy"], inputs.summary["patients"]
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
    labels = inputs.patients["is_malignant"]
    counted = f"{len(labels)} stored, {int((labels == 1).sum())} malignant, {int(labels.isna().sum())} without a label"
    yield f"Patients: {counted}." if patients else f"Patients: {counted}; not defined without labels of both classes."
