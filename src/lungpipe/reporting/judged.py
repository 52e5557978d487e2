"""The judge's files read back: the report, the curve and the confidence band, which no file holds."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lungpipe.evaluation.bootstrap import bootstrap_froc, interval
from lungpipe.evaluation.froc import Froc
from lungpipe.evaluation.matching import Fate, Matches
from lungpipe.evaluation.result_tables import MATCHES
from lungpipe.evaluation.verdict import BAND_RATES
from lungpipe.tables import SERIES, read_table


@dataclass(frozen=True, slots=True)
class Judged:
    """What a study's judge left: report, corners of the curve, fates of marks and nodules, and the judged series."""

    report: dict[str, Any]
    froc: Froc
    matches: pd.DataFrame
    series_uids: tuple[str, ...]

    @classmethod
    def read(cls, folder: Path, series: Path) -> "Judged":
        """Read evaluation.json, froc.csv and matches.parquet of a folder; `series` is the dataset's series table."""
        report = json.loads((Path(folder) / "evaluation.json").read_text())
        table = read_table(series, SERIES)
        curve = pd.read_csv(Path(folder) / "froc.csv", dtype=np.float64)
        return cls(
            report=report,
            froc=Froc(*(curve[name].to_numpy() for name in ("fp_per_scan", "sensitivity", "threshold"))),
            matches=read_table(Path(folder) / "matches.parquet", MATCHES),
            series_uids=tuple(table.loc[table["subset"].isin(report["folds"]), "series_uid"]),
        )

    def band(self) -> NDArray[np.float64] | None:
        """Return the judge's 95 % band (len(BAND_RATES), 2) by its own seed; None where there is no nodule.

        Raises:
            ValueError: the judge counted another number of scans.
        """
        if len(self.series_uids) != self.report["num_scans"]:
            found = f"found {len(self.series_uids)} in the folds {self.report['folds']}"
            raise ValueError(f"judged series: expected {self.report['num_scans']} as in the evaluation, {found}")
        if not self.report["num_nodules"]:
            return None
        bootstrap = self.report["bootstrap"]
        matches = restore_matches(self.matches, self.series_uids)
        rng = np.random.default_rng(bootstrap["seed"])
        return interval(bootstrap_froc(matches, bootstrap["num_samples"], rng, BAND_RATES)).T


def restore_matches(table: pd.DataFrame, series_uids: Sequence[str]) -> Matches:
    """Return the matching that a table (MATCHES contract) was written from; `series_uids` as the judge listed them."""
    listed = pd.Index(series_uids, dtype="str")
    marks, nodules = (table[table["kind"] == kind].sort_values("row") for kind in ("mark", "nodule"))
    fates = {fate.name.lower(): int(fate) for fate in Fate}
    return Matches(
        series_uids=tuple(series_uids),
        mark_scan=listed.get_indexer(pd.Index(marks["series_uid"], dtype="str")).astype(np.int64),
        mark_probability=marks["probability"].to_numpy(dtype=np.float64),
        mark_fate=marks["fate"].map(fates).to_numpy(dtype=np.int64),
        mark_nodule=marks["partner_row"].to_numpy(),
        nodule_scan=listed.get_indexer(pd.Index(nodules["series_uid"], dtype="str")).astype(np.int64),
        nodule_mark=nodules["partner_row"].to_numpy(),
        nodule_num_marks=nodules["num_marks"].to_numpy(),
        nodule_distance_mm=nodules["distance_mm"].to_numpy(dtype=np.float64),
    )
