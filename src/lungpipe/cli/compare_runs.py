"""`lungpipe compare --runs`: the studies of a tracking store as MLflow's view "Studies" shows them, in the terminal."""

import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from lungpipe.services.tracking.reading import StudyRun

FIGURES = ("cpm", "cpm_low", "cpm_high", "num_scans", "malignancy_auc", "nodule_auc")
SETTINGS = ("recipe", "seed", "folds")
ASIDE = re.compile(r"name$|compute\.|recipe$|seed$|folds$")
"""Settings that change no result, or that have a row of their own."""


def compare_runs(name_a: str, name_b: str, store: str | None) -> None:
    """Print figures and settings of two studies side by side, then the other settings that differ.

    The store is `store`, else MLFLOW_TRACKING_URI, else the store below results/.

    Raises:
        TrackingError: no such store or run.
    """
    from lungpipe.services.tracking.links import DEFAULT_STORE
    from lungpipe.services.tracking.reading import find_study_run

    uri = store or os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_STORE
    a, b = (find_study_run(uri, name) for name in (name_a, name_b))
    console = Console(highlight=False)
    console.print(_table(a, b))
    different = {key: (a.params.get(key), b.params.get(key)) for key in sorted({*a.params, *b.params})}
    for key, (own, other) in different.items():
        if own != other and not ASIDE.match(key):
            line = f"{key}: {_value(own)} in {a.name}, {_value(other)} in {b.name}"
            console.print(line, soft_wrap=True, markup=False)


def _table(a: "StudyRun", b: "StudyRun") -> Table:
    table = Table(title="Studies, as MLflow's view shows them")
    table.add_column("")
    for run in (a, b):
        table.add_column(f"{run.experiment}/{run.name}", justify="right", overflow="fold")
    table.add_column("difference", justify="right")
    by_fold = sorted({key for key in (*a.metrics, *b.metrics) if key.startswith("cpm_fold")})
    for figure in (*FIGURES, *by_fold):
        table.add_row(figure, *(_number(run.metrics, figure) for run in (a, b)), _difference(a, b, figure))
    table.add_section()
    for key in SETTINGS:
        table.add_row(key, _value(a.params.get(key)), _value(b.params.get(key)), "")
    return table


def _number(metrics: Mapping[str, float], name: str) -> str:
    return format(metrics[name], _format(name)) if name in metrics else "not defined"


def _difference(a: "StudyRun", b: "StudyRun", name: str) -> str:
    is_known = name in a.metrics and name in b.metrics
    return format(b.metrics[name] - a.metrics[name], f"+{_format(name)}") if is_known else ""


def _format(name: str) -> str:
    """Return the format of a figure: counts without decimals."""
    return ".0f" if name.startswith("num_") else ".4f"


def _value(value: str | None) -> str:
    return "nothing" if value is None else value
