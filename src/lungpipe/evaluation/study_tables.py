"""The tables that a study is evaluated from."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from lungpipe.tables import EXCLUSIONS, NODULES, PATIENTS, SCORED, SERIES, read_table


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

    @classmethod
    def read(cls, paths: Mapping[str, Sequence[str] | str]) -> "StudyTables":
        """Read the tables of these names, `scored` and `validation` from a file per fold; `patients` stays empty."""
        scored, validation = (
            pd.concat([read_table(Path(path), SCORED) for path in paths[name]], ignore_index=True)
            for name in ("scored", "validation")
        )
        truth = {"series": SERIES, "nodules": NODULES, "exclusions": EXCLUSIONS}
        tables = {name: read_table(Path(str(paths[name])), contract) for name, contract in truth.items()}
        return cls(scored=scored, patients=PATIENTS.empty(), validation=validation, **tables)

    def of_subsets(self, subsets: Collection[int]) -> "StudyTables":
        """Return the tables of the given subsets."""
        return self.of_series(set(self.series.loc[self.series["subset"].isin(subsets), "series_uid"]))

    def without(self, series_uids: Collection[str]) -> "StudyTables":
        """Return the tables without the given series and their candidates; `patients` is kept."""
        rest = self.of_series(set(self.series["series_uid"]) - set(series_uids))
        scored, validation = (
            table[~table["series_uid"].isin(series_uids)].reset_index(drop=True)
            for table in (self.scored, self.validation)
        )
        return replace(rest, scored=scored, validation=validation)

    def of_series(self, series_uids: Collection[str]) -> "StudyTables":
        """Return the tables of the given series."""
        inside = {
            name: table[table["series_uid"].isin(series_uids)].reset_index(drop=True)
            for name, table in (("series", self.series), ("nodules", self.nodules), ("exclusions", self.exclusions))
        }
        return replace(self, **inside)
