"""The model card: a page in Markdown about a model of all series of a study, written from the cards of its files."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from lungpipe.evaluation.whole_scans import FP_COUNTS
from lungpipe.models import ModelCard
from lungpipe.settings import ModelSettings, ScanLimits

RESEARCH_ONLY = "Research use only. Not a medical device: it must not guide the care of a patient."
RATINGS_NOT_CANCER = (
    "Malignancy is agreement with readers' ratings (1 to 5) on CT, never a diagnosis of cancer: the training data has "
    "no pathology for most nodules."
)


@dataclass(frozen=True, slots=True, eq=False)
class CardFacts:
    """Settings of the model, the cards of its files by role, and the evaluation of the folds (evaluation.json)."""

    about: ModelSettings
    cards: Mapping[str, ModelCard]
    summary: Mapping[str, Any]


def model_card(facts: CardFacts, whole_scans: pd.DataFrame) -> str:
    """Return the page; `whole_scans` is the table of `evaluation.whole_scans`, empty without such scans."""
    about = facts.about
    sections: dict[str, list[str | None]] = {
        "Training data": [about.data or None, *_seen_lines(facts)],
        "What it never saw": [about.unseen or None],
        "Cross-validated figures": [*_figure_lines(facts)],
        "Whole scans": [*_whole_lines(whole_scans)],
        "Training": [*_training_lines(facts)],
        "Limits": [about.limits or None, _scan_limits(about.scan_limits), RATINGS_NOT_CANCER],
        "Licence and attribution": [about.licence or None],
    }
    lines = [f"# {about.name}", "", f"**{RESEARCH_ONLY}**", "", *_use_lines(facts)]
    for title, content in sections.items():
        # a blank line is kept: Markdown ends a paragraph with it
        if filled := [line for line in content if line is not None]:
            lines += ["", f"## {title}", "", *filled]
    return "\n".join(lines) + "\n"


def _use_lines(facts: CardFacts) -> Iterator[str]:
    roles = " and ".join(f"a {role}" for role in facts.cards)
    spacing = ", ".join(f"{step:g}" for step in facts.cards["detector"].spacing_zyx_mm)
    yield f"Finds lung nodules in a CT of the chest: {roles} (safetensors), which read HU at {spacing} mm (z, y, x)."
    yield "Loading a file runs no code of it. `lungpipe detect` and `lungpipe.load_model(FOLDER)` read this folder."


def _seen_lines(facts: CardFacts) -> Iterator[str]:
    card = facts.cards["detector"]
    yield f"Trained on {len(card.training_series)} series of {len(card.patients)} patients. The files name both by the"
    yield "SHA-256 digests of their identifiers: lungpipe warns when it searches a scan that the model saw."


def _figure_lines(facts: CardFacts) -> Iterator[str]:
    summary = facts.summary
    folds = ", ".join(map(str, summary["folds"]))
    yield "This model leaves no series for a test. The figures are those of models of the same recipe, each trained"
    yield f"without the subset that it was evaluated on (folds {folds}): {summary['num_scans']} volumes with"
    yield f"{summary['num_nodules']} nodules, intervals by bootstrap over volumes. False positives are counted per"
    yield "volume. In a dataset of crops a volume is a crop: the figures do not compare with those of whole scans."
    yield ""
    yield "| figure | value | 95 % interval |"
    yield "|---|---|---|"
    yield _row("CPM", summary["cpm"], summary["cpm_ci95"])
    for rate, value in summary["sensitivity"].items():
        yield _row(f"sensitivity at {rate} false positives per volume", value, summary["sensitivity_ci95"][rate])
    malignancy = summary.get("malignancy")
    if malignancy is not None:
        for name, title in (("model", "malignancy AUC"), ("diameter_only", "malignancy AUC of the diameter alone")):
            yield _row(title, malignancy[name]["auc"], malignancy[name].get("auc_ci95"))
    if (errors := summary.get("localisation")) and errors.get("median_mm") is not None:
        yield f"| median distance from the annotated centre | {errors['median_mm']:.2f} mm | |"


def _scan_limits(limits: ScanLimits) -> str:
    return (
        f"`lungpipe predict` refuses scans with slices more than {limits.thickest_mm:g} mm apart, with fewer than "
        f"{limits.min_slices} slices, or with less than {limits.min_lungs_ml:g} ml of lung."
    )


def _row(title: str, value: float | None, interval: Any) -> str:
    between = f"{interval[0]:.3f} to {interval[1]:.3f}" if interval and None not in interval else ""
    return f"| {title} | {'' if value is None else f'{value:.3f}'} | {between} |"


def _whole_lines(table: pd.DataFrame) -> Iterator[str]:
    if table.empty:
        return
    total = table.sum(numeric_only=True)
    probable, false_positives = int(total["num_hits_probable"]), int(total["num_false_positives_probable"])
    yield f"{len(table)} whole scans with {int(total['num_nodules'])} nodules, each searched by models that never saw"
    yield f"its patient. {probable} nodules and {false_positives} false positives have a probability of at least 0.5."
    yield ""
    yield "| nodules | " + " | ".join(f"found above all but {count} false positives" for count in FP_COUNTS) + " |"
    yield "|---|" + "---|" * len(FP_COUNTS)
    for row in table.to_dict("records"):
        hits = " | ".join(str(int(row[f"hits_at_{count}_fp"])) for count in FP_COUNTS)
        yield f"| {int(row['num_nodules'])} | {hits} |"


def _training_lines(facts: CardFacts) -> Iterator[str]:
    yield "Every series was trained on, and none chose the weights: each network was kept after the median of the steps"
    yield "at which the folds' networks were best on their validation series."
    yield ""
    yield "| file | recipe | network | members | steps | batch |"
    yield "|---|---|---|---|---|---|"
    for role, card in facts.cards.items():
        network, training = card.settings["network"]["kind"], card.settings["training"]
        steps = ", ".join(map(str, sorted(set(card.best_steps))))
        yield f"| {role} | {card.recipe} | {network} | {len(card.best_steps)} | {steps} | {training['batch_size']} |"
