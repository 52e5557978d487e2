"""The accounting table: expected and prepared scans, their lungs, and the reason of each failure."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from lungpipe.tables import Contract, ContractError, read_table
from lungpipe.volumes.manifest import VolumeEntry

TOTAL = "total"
MEASURED = ("outside_lungs_percent", "lungs_litres_median", "lungs_dice_median", "lungs_dice_min")
"""Columns that are not counts."""


class PreparationError(RuntimeError):
    """Scans that could not be prepared, or exist twice; the message names each scan and the reason."""


def read_subsets(paths: Iterable[Path | str], contract: Contract) -> list[pd.DataFrame]:
    """Read the tables of all subsets, the first of subset 0; the contract has a column `subset`.

    Raises:
        ContractError: a table that breaks its contract, or a row of another subset; the message names the file.
    """
    tables = []
    for subset, path in enumerate(paths):
        table = read_table(Path(path), contract)
        others = table[table["subset"] != subset]
        if len(others):
            found = f"series {others['series_uid'].iloc[0]} of subset {others['subset'].iloc[0]}"
            raise ContractError(f"{path}: expected scans of subset {subset}, found {found}")
        tables.append(table)
    return tables


def account_scans(qc: Sequence[pd.DataFrame], references: Sequence[pd.DataFrame], series: pd.DataFrame) -> pd.DataFrame:
    """Return a row per subset and a total: scans expected and prepared, nodules outside volume and lungs, lung figures.

    Nodules of a scan that failed count as outside volume and lungs. Medians and the smallest Dice are taken over scans,
    in the total over all scans; without scans they are missing.

    Args:
        qc: one table per subset (QC contract).
        references: one table per subset (REFERENCES contract).
        series: every series of the dataset (SERIES contract).
    """
    compared = pd.concat(references, ignore_index=True).drop(columns="subset")
    rows = pd.concat(qc, ignore_index=True).merge(compared, on="series_uid", how="left", validate="one_to_one")
    expected = series.groupby("subset").size()
    own = {str(subset): rows[rows["subset"] == subset] for subset in expected.index} | {TOTAL: rows}
    sizes = [*expected, expected.sum()]
    return pd.DataFrame(
        {"subset": subset, "expected": int(size)} | _summarise(part)
        for (subset, part), size in zip(own.items(), sizes, strict=True)
    )


def key_figures(accounting: pd.DataFrame) -> dict[str, float]:
    """Return the total's figures that are not missing, counts under `num_<name>`, for tracking."""
    total = accounting.iloc[-1].drop("subset").dropna()
    return {name if name in MEASURED else f"num_{name}": float(value) for name, value in total.items()}


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


def refuse_doubles(entries: Iterable[VolumeEntry], series: pd.DataFrame) -> None:
    """Raise PreparationError if two series have the same volume, which could be in training and in test.

    The same for a volume of a series that the table of series does not have.

    Args:
        entries: of the manifests of all subsets.
        series: every series of the dataset (SERIES contract).
    """
    subsets = series.set_index("series_uid")["subset"]
    owners: defaultdict[str, list[str]] = defaultdict(list)
    for entry in entries:
        if entry.series_uid not in subsets.index:
            known = f"one of the {len(subsets)} series of the dataset"
            raise PreparationError(f"volume of series {entry.series_uid}: expected {known}, found another")
        owners[entry.content_sha256].append(f"subset{subsets[entry.series_uid]} {entry.series_uid}")
    doubles = [places for places in owners.values() if len(places) > 1]
    if doubles:
        raise PreparationError(
            f"expected every scan once, found {len(doubles)} under several names, with the same grid, HU and lungs;"
            " leave one of each in the dataset:\n" + "\n".join(f"  {' = '.join(places)}" for places in doubles)
        )


def _summarise(rows: pd.DataFrame) -> dict[str, int | float]:
    num_nodules, num_outside = int(rows["num_nodules"].sum()), int(rows["num_nodules_outside_lungs"].sum())
    is_refused = rows["reference_reason"].fillna("") != ""
    # counted by sides: a mask of the whole volume has no sides
    lungs_ml = rows["left_lung_ml"] + rows["right_lung_ml"]
    return {
        "prepared": int(rows["is_ok"].sum()),
        "nodules": num_nodules,
        "outside_volume": int(rows["num_nodules_outside_volume"].sum()),
        "outside_lungs": num_outside,
        "outside_lungs_percent": round(100.0 * num_outside / num_nodules, 2) if num_nodules else float("nan"),
        "lungs_litres_median": round(float(lungs_ml.median()) / 1000.0, 3),
        "references": int((rows["reference_lungs_ml"].notna() | is_refused).sum()),
        "references_not_compared": int(is_refused.sum()),
        "lungs_dice_median": round(float(rows["lungs_dice"].median()), 4),
        "lungs_dice_min": round(float(rows["lungs_dice"].min()), 4),
    }
