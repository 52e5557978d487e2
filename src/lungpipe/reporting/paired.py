"""Paired differences between the reported study and other studies, on the scans that both evaluated."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lungpipe.evaluation.comparison import compare_submissions
from lungpipe.evaluation.stored_matches import read_matches
from lungpipe.reporting.evaluation_files import StoredEvaluation
from lungpipe.reporting.page_tables import Table
from lungpipe.reporting.wording import interval, number


@dataclass(frozen=True, slots=True)
class Paired:
    """The scans that two studies have in common, and the comparison (`compare_submissions`).

    The comparison is None without common scans, and for other nodules in these scans.
    """

    num_scans: int
    comparison: Mapping[str, Any] | None


def pair(ours: StoredEvaluation, theirs: StoredEvaluation) -> Paired:
    """Compare two evaluations on their common scans: differences are ours minus theirs."""
    common = sorted(set(ours.subset_of) & set(theirs.subset_of))
    if not common:
        return Paired(0, None)
    a, b = (read_matches(each.matches, common) for each in (theirs, ours))
    if a.num_nodules != b.num_nodules:
        return Paired(len(common), None)
    bootstrap = ours.summary["bootstrap"]
    comparison = compare_submissions(a, b, num_bootstraps=bootstrap["num_samples"], seed=bootstrap["seed"])
    return Paired(len(common), comparison)


def paired_table(paired: Mapping[str, Paired]) -> Table | None:
    """Return CPM of both and their difference with interval and p for every other study; None without studies."""
    rows = tuple(_row(name, one) for name, one in paired.items())
    headings = ("Study", "Scans of both", "CPM there", "CPM here", "Here minus there", "95 % interval", "p")
    return Table("Paired differences on the same scans", headings, rows) if rows else None


def _row(name: str, paired: Paired) -> tuple[str, ...]:
    figures = paired.comparison
    if figures is None:
        return (name, str(paired.num_scans), *[number(None)] * 5)
    change = figures["cpm_difference"]
    return (
        name,
        str(paired.num_scans),
        number(figures["cpm_a"]),
        number(figures["cpm_b"]),
        _signed(change["difference"]),
        interval((change["low"], change["high"])),
        number(change["p_value"]),
    )


def _signed(value: float | None) -> str:
    return number(None) if value is None or not np.isfinite(value) else f"{value:+.3f}"
