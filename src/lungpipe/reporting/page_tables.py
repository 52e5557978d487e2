"""The tables of the page as text; the template only lays them out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from lungpipe.reporting.other_studies import OtherStudy
from lungpipe.reporting.wording import UNDEFINED, interval, number, words
from lungpipe.settings.difference import describe_differences

Summary = Mapping[str, Any]

_SCORES = {
    "model": "model",
    "max": "model: largest over candidates",
    "noisy_or": "model: noisy-OR over candidates",
    "top_mean": "model: mean of the highest candidates",
    "diameter_only": "baseline: diameter only",
}
_COUNTS = (
    "num_scans",
    "num_nodules",
    "num_candidates",
    "true_positives",
    "false_negatives",
    "false_positives",
    "ignored_on_excluded",
    "ignored_double",
    "num_over_cap",
)
_LUNG_COLUMNS = (
    "lungs_litres_median",
    "references",
    "references_not_compared",
    "lungs_dice_median",
    "lungs_dice_min",
)


@dataclass(frozen=True, slots=True)
class Table:
    """A table of text: caption, headings, rows; the first column names the row."""

    caption: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def sensitivity_table(summary: Summary) -> Table:
    """Return the sensitivities at the official rates and their mean, with intervals, beside those of the detector."""
    rows = _sensitivities(summary)
    headings: tuple[str, ...] = ("FP per scan", "Sensitivity", "95 % interval")
    if before := summary.get("before_scorer"):
        alone = _sensitivities(before)
        rows = [(*row, *other[1:]) for row, other in zip(rows, alone, strict=True)]
        gain = before["gain_of_scorer"]
        between = f"{number(gain['low'])} to {number(gain['high'])}"
        rows.append(("CPM, gain of the scorer", number(gain["difference"]), between, "", ""))
        headings = (*headings, "Detector alone", "95 % interval")
    caption = f"Sensitivity ({summary['bootstrap']['num_samples']} bootstrap samples over scans)"
    return Table(caption, headings, tuple(rows))


def _sensitivities(figures: Summary) -> list[tuple[str, ...]]:
    rows = [
        (rate, number(value), interval(figures["sensitivity_ci95"][rate]))
        for rate, value in figures["sensitivity"].items()
    ]
    return [*rows, ("CPM (mean)", number(figures["cpm"]), interval(figures["cpm_ci95"]))]


def counts_table(summary: Summary) -> Table:
    """Return the official counts of marks and nodules."""
    rows = tuple((words(name.removeprefix("num_")), str(summary[name])) for name in _COUNTS if name in summary)
    return Table("Counts by the official rules", ("", "Number"), rows)


def accuracy_table(summary: Summary) -> Table | None:
    """Return distances and diameter errors of the hits; None without hits."""
    place, diameter = summary.get("localisation"), summary.get("diameter_error")
    rows: list[tuple[str, ...]] = []
    if place:
        rows.append(("distance from centre, median", number(place["median_mm"], 2)))
        rows.append(("distance, 95th percentile", number(place["percentile95_mm"], 2)))
    if diameter:
        rows.append(("diameter, mean error", number(diameter["mean_mm"], 2)))
        rows.append(("diameter, mean absolute error", number(diameter["mean_absolute_mm"], 2)))
        rows.append(("diameter, median absolute error", number(diameter["median_absolute_mm"], 2)))
    return Table("Accuracy of the hits", ("", "mm"), tuple(rows)) if rows else None


def ranking_table(figures: Mapping[str, Any] | None, caption: str) -> Table | None:
    """Return AUC and average precision of the model beside the diameter alone; None if the study has no such figures.

    `figures` are those of nodules (malignancy_figures) or of patients (patient_figures).
    """
    if figures is None:
        return None
    rows = tuple(
        (
            label,
            number(figures[name]["auc"]),
            interval(figures[name]["auc_ci95"]),
            number(figures[name]["average_precision"]),
        )
        for name, label in _SCORES.items()
        if name in figures
    )
    return Table(caption, ("Score", "AUC", "95 % interval", "Average precision"), rows)


def malignancy_by_diameter(figures: Mapping[str, Any] | None) -> Table | None:
    """Return the malignancy AUCs within each class of diameter, in which size explains least."""
    if not figures or not figures.get("by_diameter"):
        return None
    rows = tuple(
        (
            part["name"],
            str(part["num_nodules"]),
            str(part["num_malignant"]),
            number(part["model_auc"]),
            number(part["diameter_only_auc"]),
        )
        for part in figures["by_diameter"]
    )
    return Table(
        "Malignancy within classes of diameter", ("Diameter", "Nodules", "Malignant", "AUC", "Diameter only"), rows
    )


def strata_tables(summary: Summary) -> tuple[Table, ...]:
    """Return a table for every grouping of nodules or scans of the evaluation."""
    return tuple(_strata_table(name, strata) for name, strata in summary["strata"].items() if strata)


def others_table(others: Mapping[str, OtherStudy], ours: Mapping[str, Any]) -> Table | None:
    """Return CPM and differing settings of other studies of the dataset; None if there are none.

    `ours` are the settings of the reported study, without paths and servers.
    """
    rows = tuple(
        (
            name,
            number(other.summary["cpm"]),
            interval(other.summary["cpm_ci95"]),
            str(other.summary["num_scans"]),
            describe_differences(ours, other.settings),
        )
        for name, other in others.items()
    )
    headings = ("Study", "CPM", "95 % interval", "Scans", "This study differs in")
    return Table("Other studies of this dataset", headings, rows) if rows else None


def accounting_table(accounting: pd.DataFrame) -> Table:
    """Return the accounting of the prepared scans and of the nodules in them."""
    names = [name for name in accounting.columns if name not in _LUNG_COLUMNS]
    return Table("Scans prepared, by subset", _headings(names), _cells(accounting[names]))


def lungs_table(accounting: pd.DataFrame) -> Table:
    """Return the accounting of the scans' lungs."""
    names = ["subset", *_LUNG_COLUMNS]
    shown = accounting[names].copy()
    for name in ("lungs_dice_median", "lungs_dice_min"):
        shown[name] = [None if pd.isna(value) else number(value, 4) for value in shown[name]]
    return Table("Lungs, by subset", _headings(names), _cells(shown))


def _headings(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(words(name).capitalize() for name in names)


def _cells(table: pd.DataFrame) -> tuple[tuple[str, ...], ...]:
    """Return the cells as text; missing values are named."""
    rows = table.itertuples(index=False, name=None)
    return tuple(tuple(UNDEFINED if pd.isna(value) else str(value) for value in row) for row in rows)


def _strata_table(name: str, strata: Sequence[Mapping[str, Any]]) -> Table:
    rates = tuple(strata[0]["sensitivity"])
    rows = tuple(
        (
            str(part["name"]),
            str(part["num_scans"]),
            str(part["num_nodules"]),
            str(part["num_hit"]),
            *(number(part["sensitivity"][rate]) for rate in rates),
            number(part["cpm"]),
        )
        for part in strata
    )
    headings = (words(name).capitalize(), "Scans", "Nodules", "Hit", *rates, "CPM")
    return Table(f"Sensitivity by {words(name)}, at false positives per scan", headings, rows)
