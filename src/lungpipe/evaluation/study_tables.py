"""The tables that a study is evaluated from."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace

import pandas as pd

from lungpipe.tables import SCORED


@dataclass(frozen=True, slots=True, eq=False)
class StudyTables:
    """Over all folds that ran: scored candidates, patients, the truth of the dataset, and scored validation candidates.

    `scored` and `validation` (contract SCORED) name in `fold` whose networks scored them. `validation` is used
    to choose thresholds, and never evaluated.
    """

    scored: pd.DataFrame
    patients: pd.DataFrame
    series: pd.DataFrame
    nodules: pd.DataFrame
    exclusions: pd.DataFrame
    validation: pd.DataFrame = field(default_factory=SCORED.empty)

    def of_subsets(self, subsets: Collection[int]) -> "StudyTables":
        """Return the tables of the given subsets."""
        return self.of_series(set(self.series.loc[self.series["subset"].isin(subsets), "series_uid"]))

    def of_series(self, series_uids: Collection[str]) -> "StudyTables":
        """Return the tables of the given series."""
        inside = {
            name: table[table["series_uid"].isin(series_uids)].reset_index(drop=True)
            for name, table in (("series", self.series), ("nodules", self.nodules), ("exclusions", self.exclusions))
        }
        return replace(self, **inside)
