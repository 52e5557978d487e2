"""The headline of the page: each figure with its interval, counts and baseline."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lungpipe.reporting.wording import UNDEFINED, interval, label_rule, number
from lungpipe.terms import counted

Figures = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Card:
    """One figure of the headline and the lines below."""

    title: str
    value: str
    lines: tuple[str, ...]


def headline_cards(summary: Figures, malignancy_rule: str) -> tuple[Card, ...]:
    """Return the CPM with its number of scans, and the AUCs of nodules and patients with the diameter's."""
    rule = f"label: {label_rule(malignancy_rule)}"
    patients = summary["patients"] or {}
    noisy_or = f"noisy-OR: {_auc(patients, 'noisy_or')}"
    return (
        _cpm_card(summary),
        _nodule_card(summary["nodule_auc"]),
        _malignancy_card("AUC, malignant nodule", summary["malignancy"] or {}, "model", (rule,)),
        _malignancy_card("AUC, malignant patient", patients, "score", (noisy_or, rule)),
    )


def _cpm_card(summary: Figures) -> Card:
    lines = (
        f"95 %: {interval(summary['cpm_ci95'])}",
        f"divides by {counted(summary['num_scans'], 'scan')}",
        counted(summary["num_nodules"], "nodule"),
    )
    return Card("CPM", number(summary["cpm"]), lines)


def _nodule_card(figures: Figures) -> Card:
    lines = (
        f"95 %: {interval(figures['auc_ci95'])}",
        f"{counted(figures['num_nodules'], 'hit')}, {counted(figures['num_false_positives'], 'false positive')}",
    )
    return Card("AUC, nodule or not", number(figures["auc"]), lines)


def _malignancy_card(title: str, figures: Figures, score: str, notes: tuple[str, ...]) -> Card:
    bounds = figures[score]["auc_ci95"] if score in figures else None
    lines = (f"95 %: {interval(bounds)}", f"diameter only: {_auc(figures, 'diameter_only')}", *notes)
    return Card(title, _auc(figures, score), lines)


def _auc(figures: Figures, score: str) -> str:
    return number(figures[score]["auc"]) if score in figures else UNDEFINED
