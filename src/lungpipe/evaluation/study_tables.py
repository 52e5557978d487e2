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

    def require_folds(self, folds: Collection[int], num_subsets: int) -> None:
        """Check which fold scored which scan: fold k the scans of subset k, and for its thresholds those of k + 1.

        Raises:
            ValueError: a candidate of another fold, of another subset, or of a series that the study does not have.
        """
        subset_of = dict(zip(self.series["series_uid"], self.series["subset"], strict=True))
        for name, table, step in (("scored", self.scored, 0), ("validation", self.validation, 1)):
            for series_uid, fold in table[["series_uid", "fold"]].drop_duplicates().itertuples(index=False):
                if fold not in folds:
                    expected = f"one of the folds {', '.join(map(str, sorted(folds)))}"
                    raise ValueError(
                        f"{name} candidates of series {series_uid}: expected {expected}, found fold {fold}"
                    )
                subset = (fold + step) % num_subsets
                if subset_of.get(series_uid) != subset:
                    found = f"subset {subset_of[series_uid]}" if series_uid in subset_of else "no series of the study"
                    raise ValueError(
                        f"{name} candidates of series {series_uid}, fold {fold}: expected a series of subset {subset}, "
                        f"found {found}"
                    )

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
