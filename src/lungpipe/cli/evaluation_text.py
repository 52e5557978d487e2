"""Print evaluation results: tables to stdout, warnings to stderr."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

_COUNTS = (
    "num_scans",
    "num_nodules",
    "num_candidates",
    "true_positives",
    "false_positives",
    "false_negatives",
    "ignored_on_excluded",
    "ignored_double",
)


def print_evaluation(summary: Mapping[str, Any], out_dir: Path, source: str) -> None:
    """Print the figures of an evaluation and the folder of its files; `source` says where the list of scans is from."""
    console = Console(highlight=False)
    scans = f"{summary['num_scans']} scans {source}"
    console.print(f"false positives are divided by {scans}; {summary['num_nodules']} nodules", soft_wrap=True)
    samples = summary["bootstrap"]["num_samples"]
    curve = Table(title=f"Sensitivity, 95 % interval of {samples} bootstrap samples over scans")
    for heading in ("false positives per scan", "sensitivity", "95 % interval"):
        curve.add_column(heading, justify="right")
    for rate, sensitivity in summary["sensitivity"].items():
        curve.add_row(rate, _number(sensitivity), _interval(summary["sensitivity_ci95"][rate]))
    curve.add_section()
    curve.add_row("CPM", _number(summary["cpm"], 5), _interval(summary["cpm_ci95"]), style="bold")
    console.print(curve)
    for name in _COUNTS:
        console.print(f"{name.replace('_', ' '):>22}  {summary[name]}")
    for name, strata in summary["strata"].items():
        console.print(_strata_table(name, strata))
    console.print(f"written to {out_dir}", soft_wrap=True)


def print_comparison(summary: Mapping[str, Any], name_a: str, name_b: str) -> None:
    """Print the figures of a comparison."""
    console = Console(highlight=False)
    for letter, name in (("a", name_a), ("b", name_b)):
        cpm, bounds = _number(summary[f"cpm_{letter}"], 5), _interval(summary[f"cpm_ci95_{letter}"])
        console.print(f"{letter.upper()}: CPM {cpm} ({bounds})  {name}", soft_wrap=True)
    table = Table(title=f"B minus A on the same {summary['num_scans']} scans, paired bootstrap over scans")
    for heading in ("false positives per scan", "difference", "95 % interval", "p"):
        table.add_column(heading, justify="right")
    for rate, row in (*summary["sensitivity_difference"].items(), ("CPM", summary["cpm_difference"])):
        bounds = _interval((row["low"], row["high"]))
        table.add_row(rate, _number(row["difference"]), bounds, _number(row["p_value"]))
    console.print(table)


def _strata_table(name: str, strata: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(title=f"By {name}")
    for heading in (name, "nodules", "hit by any mark", "mean sensitivity"):
        table.add_column(heading, justify="left" if heading == name else "right")
    for row in strata:
        table.add_row(row["name"], str(row["num_nodules"]), str(row["num_hit"]), _number(row["cpm"]))
    return table


def print_warnings(warnings: Sequence[str]) -> None:
    """Print warnings to stderr."""
    console = Console(stderr=True, highlight=False)
    for text in warnings:
        console.print(f"WARNING {text}", style="bold red", soft_wrap=True, markup=False)


def _number(value: float | None, digits: int = 4) -> str:
    return "not defined" if value is None else f"{value:.{digits}f}"


def _interval(bounds: Sequence[float | None]) -> str:
    return f"{_number(bounds[0])} to {_number(bounds[1])}"
