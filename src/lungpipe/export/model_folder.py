"""A model as a folder: detector, scorer and model card, each file whole, with the study's figures on the cards."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from lungpipe.bundles.manifest import CARD_FILE
from lungpipe.evaluation.evaluate_study import headline
from lungpipe.evaluation.whole_scans import whole_scan_figures
from lungpipe.export.model_card import CardFacts, model_card
from lungpipe.models import Model, Role, load_model, save_model
from lungpipe.models.stored import FILES
from lungpipe.settings import ModelSettings
from lungpipe.tables import write_text

MAX_BYTES = 20 * 2**20
"""Largest size of the model files together: they are part of the Python package."""
FIGURES_PREFIX = "cross_validated_"


class ModelFolderError(ValueError):
    """A model that cannot be packed; the message names the file, what was expected and what was found."""


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """The evaluation of the study's folds: the summary in evaluation.json, and the table of whole scans.

    `malignancy_rule` is the study's setting of how ratings become labels.
    """

    summary: Mapping[str, Any]
    whole_scans: pd.DataFrame
    malignancy_rule: str | None = None

    def figures(self) -> dict[str, float]:
        """Return the figures for the cards, each with FIGURES_PREFIX."""
        figures = headline(dict(self.summary)) | whole_scan_figures(self.whole_scans)
        return {f"{FIGURES_PREFIX}{name}": value for name, value in figures.items()}


def write_model_folder(models: Mapping[Role, Path], folder: Path, about: ModelSettings, evidence: Evidence) -> None:
    """Write detector.safetensors, scorer.safetensors (where there is one) and MODEL_CARD.md into `folder`.

    `models` are the files of `detector` and, if there is one, `scorer`; their cards get the figures of
    the evidence, the rule of malignancy, and the limits of scans in `about`.

    Raises:
        ModelFolderError: a model of another role or of a fold, or models larger than MAX_BYTES together.
    """
    loaded = {role: _completed(role, path, about, evidence) for role, path in models.items()}
    size = sum(Path(path).stat().st_size for path in models.values())
    if size > MAX_BYTES:
        raise ModelFolderError(f"{folder}: expected at most {MAX_BYTES / 2**20:g} MiB, found {size / 2**20:.1f} MiB")
    for role, model in loaded.items():
        save_model(Path(folder) / FILES[role], model)
    facts = CardFacts(about, {role: model.card for role, model in loaded.items()}, evidence.summary)
    write_text(Path(folder) / CARD_FILE, model_card(facts, evidence.whole_scans))


def _completed(role: Role, path: Path, about: ModelSettings, evidence: Evidence) -> Model:
    model = load_model(path)
    if model.card.role != role or model.card.fold is not None:
        found = f"{model.card.role} of {'all series' if model.card.fold is None else f'fold {model.card.fold}'}"
        raise ModelFolderError(f"{path}: expected a {role} of all series, found a {found}")
    card = replace(
        model.card,
        figures={**model.card.figures, **evidence.figures()},
        limits=about.scan_limits,
        malignancy_rule=evidence.malignancy_rule,
    )
    return replace(model, card=card)
