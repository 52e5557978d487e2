"""The tables that a study is evaluated from."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from lungpipe.tables import EXCLUSIONS, NODULES, PATIENTS, SCORED, SERIES, ContractError, read_table


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
    def read(cls, paths: Mapping[str, Sequence[str] | str], *, folds: Sequence[int], num_subsets: int) -> "StudyTables":
        """Read the tables of these names, `scored` and `validation` from a file per fold; `patients` stays empty.

        Raises:
            ContractError: a table that breaks its contract, nodules or exclusions of other series, or scores of other
                series than those of the file's fold (see `require_fold`); the message names the file.
        """
        truth = {"series": SERIES, "nodules": NODULES, "exclusions": EXCLUSIONS}
        tables = {name: read_table(Path(str(paths[name])), contract) for name, contract in truth.items()}
        for name in ("nodules", "exclusions"):
            others = set(tables[name]["series_uid"]) - set(tables["series"]["series_uid"])
            if others:
                expected = f"{name} of the {len(tables['series'])} series of the study"
                raise ContractError(f"{paths[name]}: expected {expected}, found one of series {min(others)}")
        for name, step in (("scored", 0), ("validation", 1)):
            files = dict(zip(folds, map(Path, paths[name]), strict=True))
            parts = {fold: read_table(path, SCORED) for fold, path in files.items()}
            for fold, part in parts.items():
                require_fold(part, files[fold], tables["series"], fold=fold, subset=(fold + step) % num_subsets)
            tables[name] = pd.concat(parts.values(), ignore_index=True)
        return cls(patients=PATIENTS.empty(), **tables)

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


def require_fold(scored: pd.DataFrame, path: Path, series: pd.DataFrame, *, fold: int, subset: int) -> None:
    """Check that all scores (table SCORED) in a file are of one fold, and of series (table SERIES) of one subset.

    Fold k scores the scans of subset k, and for its thresholds those of subset k + 1.

    Raises:
        ContractError: a candidate of another fold, of another subset, or of a series that the study does not have.
    """
    subset_of = dict(zip(series["series_uid"], series["subset"], strict=True))
    for series_uid, found in scored[["series_uid", "fold"]].drop_duplicates().itertuples(index=False):
        place = f"{path}, series {series_uid}"
        if found != fold:
            raise ContractError(f"{place}: expected candidates of fold {fold}, found fold {found}")
        if subset_of.get(series_uid) != subset:
            known = f"subset {subset_of[series_uid]}" if series_uid in subset_of else "no series of the study"
            raise ContractError(f"{place}: expected a series of subset {subset}, found {known}")
