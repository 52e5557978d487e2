"""The accounting table: n of n scans, and what became of each that failed."""

from collections.abc import Sequence

import pandas as pd


class PreparationError(RuntimeError):
    """Scans that could not be prepared; the message names each with its reason."""


def account_scans(qc: Sequence[pd.DataFrame], series: pd.DataFrame) -> pd.DataFrame:
    """Return a row per subset and a total: scans expected and prepared, nodules and where they lie.

    Args:
        qc: one table per subset (QC contract).
        series: every series of the dataset (SERIES contract).
    """
    rows = pd.concat(qc, ignore_index=True)
    expected = series.groupby("subset").size()
    table = pd.DataFrame(
        {
            "expected": expected,
            "prepared": rows.groupby("subset")["is_ok"].sum(),
            "nodules": rows.groupby("subset")["num_nodules"].sum(),
            "outside_volume": rows.groupby("subset")["num_nodules_outside_volume"].sum(),
            "outside_lungs": rows.groupby("subset")["num_nodules_outside_lungs"].sum(),
        }
    )
    table = table.reindex(expected.index).fillna(0).astype(int)
    table.index = table.index.astype(str)
    table.loc["total"] = table.sum()
    return table.rename_axis("subset").reset_index()


def refuse_failures(qc: Sequence[pd.DataFrame]) -> None:
    """Raise PreparationError if any scan could not be prepared."""
    rows = pd.concat(qc, ignore_index=True)
    failed = rows[~rows["is_ok"]]
    if len(failed):
        lines = [f"  subset{row.subset} {row.series_uid} ({row.source}): {row.reason}" for row in failed.itertuples()]
        raise PreparationError(
            f"expected {len(rows)} prepared scans, found {len(rows) - len(failed)}; "
            "set preprocessing.is_failure_fatal to false to go on without these:\n" + "\n".join(lines)
        )
