"""What MLflow's pages show first: views of an experiment, with links to them, and the headline of a study's run.

MLflow (3.17) keeps a named view of the list of runs as a tag of the experiment: JSON with a name, times, and as `state`
the JSON of filter, order, columns and widths (pixels). The menu "Views" lists such views, and a link opens one.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

VIEW_TAG = "mlflow.sharedViewState."
NOTE_TAG = "mlflow.note.content"
STUDIES, FOLDS, TRAININGS = "studies", "folds", "trainings"
"""Keys of the views."""
STUDY_TAG = "lungpipe.study"
"""Tag of a nested run: the name of its study, or `volumes`."""
PARAMS = ("params.`recipe`", "params.`seed`")
"""Columns of a study's settings."""
_TIMES = ("createdAt", "updatedAt")
_HEADLINE = {
    "CPM": "cpm",
    "AUC, nodule or not": "nodule_auc",
    "AUC, malignant or not, nodules": "malignancy_auc",
    "the same by the diameter alone": "malignancy_auc_diameter_only",
    "AUC, malignant or not, patients": "patient_auc",
    "the same by the diameter alone, patients": "patient_auc_diameter_only",
}
"""Titles of the headline, and metrics. The bounds of a metric's interval are metrics that end in `_low` and `_high`."""
_FIRST_PICTURE = "froc.png"
_WIDTH = 72
_WIDTH_OF_LETTER = 8
_WIDTH_OF_MARGINS = 30


def experiment_tags(experiment: str, folds: Sequence[int], time_ms: int) -> dict[str, str]:
    """Return the tags of an experiment (given by its id): its views, and a description that links to them.

    `folds` are the folds that the view of folds compares. `time_ms` is the time of the views, milliseconds since 1970.
    """
    studies = "params.recipe LIKE '%'"  # a nested run has no params, and that of the volumes has no recipe
    by_fold = [f"cpm_fold{fold}" for fold in folds]
    views = {
        STUDIES: _view("Studies", studies, ["cpm", "cpm_low", "cpm_high", "num_scans", "malignancy_auc"], PARAMS),
        FOLDS: _view("Folds", studies, [*by_fold, "cpm"], PARAMS),
        TRAININGS: _view(
            "Trainings",
            "tags.`lungpipe.stage` LIKE 'train_%'",
            ["score", "training_loss", "validation_loss"],
            ["tags.`lungpipe.study`", "tags.`lungpipe.fold`"],
        ),
    }
    tags = {f"{VIEW_TAG}{key}": json.dumps(view | dict.fromkeys(_TIMES, time_ms)) for key, view in views.items()}
    links = ", ".join(f"[{view['name']}]({view_link(experiment, key)})" for key, view in views.items())
    return tags | {NOTE_TAG: f"Compare: {links}"}


def viewed_folds(tags: Mapping[str, str]) -> set[int]:
    """Return the folds that the view of folds compares, of an experiment's tags; empty without such a view."""
    return {int(fold) for fold in re.findall(r"metrics\.`cpm_fold(\d+)`", tags.get(f"{VIEW_TAG}{FOLDS}", ""))}


def run_link(experiment: str, run_id: str) -> str:
    """Return the address of a run behind that of the server."""
    return f"#/experiments/{experiment}/runs/{run_id}"


def view_link(experiment: str, key: str = STUDIES) -> str:
    """Return the address of a view behind that of the server."""
    return f"#/experiments/{experiment}/runs?workflowType=machine_learning&viewStateShareKey={key}"


def run_note(note: str, run_id: str, metrics: Mapping[str, float], files: Iterable[str]) -> str:
    """Return the description of a study's run: figures, pictures (png among `files`; the FROC curve first), `note`."""
    # a list: MLflow's pages set the columns of a table without a gap
    figures = [_line(title, name, metrics) for title, name in _HEADLINE.items() if name in metrics]
    if figures:
        figures.append("")
    shown = sorted((name for name in files if name.endswith(".png")), key=lambda name: name != _FIRST_PICTURE)
    pictures = [f"![{name}](get-artifact?path={name}&run_uuid={run_id})" for name in shown]
    return "\n".join([*figures, *(f"{picture}\n" for picture in pictures), note])


def _line(title: str, name: str, metrics: Mapping[str, float]) -> str:
    bounds = [metrics[bound] for bound in (f"{name}_low", f"{name}_high") if bound in metrics]
    interval = " to ".join(f"{bound:.3f}" for bound in bounds)
    return f"- {title}: **{metrics[name]:.3f}**" + (f" (95 % interval {interval})" if interval else "")


def _view(name: str, runs: str, metrics: Sequence[str], others: Sequence[str]) -> dict[str, Any]:
    columns = [*(f"metrics.`{metric}`" for metric in metrics), *others]
    state = {
        "searchFilter": runs,
        "orderByKey": columns[0],
        "orderByAsc": False,
        "selectedColumns": columns,
        # widths count only for columns with a place in the order
        "columnOrder": columns,
        "columnWidths": {column: _width(column) for column in columns},
    }
    return {"name": name, "state": json.dumps(state)}


def _width(column: str) -> int:
    """Return a column's width in pixels, in which its name can be read."""
    return max(_WIDTH, _WIDTH_OF_LETTER * len(column.split("`")[1]) + _WIDTH_OF_MARGINS)
