"""The contract of every table: columns, dtypes, units, unique keys, and columns with missing values."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from lungpipe.tables.characteristics import CHARACTERISTICS, RATING_COLUMNS

Kind = Literal["string", "int64", "float64", "bool"]


class ContractError(ValueError):
    """A table that breaks its contract; the message names table, column and row."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: kind, unit or meaning, and whether it may hold missing values."""

    kind: Kind
    meaning: str
    is_nullable: bool = False


@dataclass(frozen=True, slots=True)
class Contract:
    """Columns of a table in order, and the columns that together identify a row."""

    name: str
    columns: dict[str, Column]
    key: tuple[str, ...] = ()

    def conform(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the table with exactly the contract's columns and dtypes.

        Raises:
            ContractError: a missing or unknown column, a value of another kind, a missing value, a duplicate key.
        """
        expected, found = list(self.columns), list(table.columns)
        if len(expected) != len(found) or set(expected) != set(found):
            raise ContractError(f"table {self.name}: expected the columns {expected}, found {found}")
        numbered = table.reset_index(drop=True)
        conformed = pd.DataFrame({name: self._conform_column(name, numbered[name]) for name in expected})
        if self.key:
            doubles = conformed.duplicated(list(self.key))
            if doubles.any():
                row = conformed.loc[doubles.idxmax(), list(self.key)].to_dict()
                raise ContractError(f"table {self.name}: expected one row for each {self.key}, found two for {row}")
        return conformed

    def _conform_column(self, name: str, values: pd.Series) -> pd.Series:
        column = self.columns[name]
        missing = values.isna().to_numpy()
        if missing.any() and not column.is_nullable:
            row = int(np.argmax(missing))
            raise ContractError(f"table {self.name}, column {name}, row {row}: expected {column.kind}, found nothing")
        try:
            cast = values.astype(_dtype(column))
        except (TypeError, ValueError) as error:
            raise ContractError(f"table {self.name}, column {name}: expected {column.kind}, found {error}") from None
        # astype would cut 1.5 to 1 and turn every text into true
        is_lossy = (cast != values).to_numpy() if column.kind in ("int64", "bool") else np.zeros(len(cast), dtype=bool)
        if is_lossy.any():
            row = int(np.argmax(is_lossy))
            found = values.iloc[row]
            raise ContractError(f"table {self.name}, column {name}, row {row}: expected {column.kind}, found {found!r}")
        return cast

    def empty(self) -> pd.DataFrame:
        """Return a valid table without rows."""
        return pd.DataFrame({name: pd.Series(dtype=_dtype(column)) for name, column in self.columns.items()})


def _dtype(column: Column) -> str:
    return "str" if column.kind == "string" else column.kind


_SERIES = Column("string", "series instance UID, never altered")
_FOLD = Column("int64", "fold that evaluated the series")
CENTER_COLUMNS = ("center_z_mm", "center_y_mm", "center_x_mm")
"""World position in LPS millimetres, in array order."""
_CENTER = {name: Column("float64", f"world {name[7]}, LPS mm") for name in CENTER_COLUMNS}
_DIAMETER = Column("float64", "mm")

SERIES = Contract(
    "series",
    {
        "series_uid": _SERIES,
        "patient_id": Column("string", "patient, to keep folds apart"),
        "subset": Column("int64", "LUNA16 subset folder"),
    },
    ("series_uid",),
)

NODULES = Contract(
    "nodules",
    {
        "nodule_id": Column("string", "<series_uid>#<row within the series>"),
        "series_uid": _SERIES,
        **_CENTER,
        "diameter_mm": _DIAMETER,
        "malignancy_ratings": Column("string", "1-5, one per reader, ';' between; missing where unknown", True),
    },
    ("nodule_id",),
)

RATINGS = Contract(
    "ratings",
    {
        "nodule_id": Column("string", "nodule, as in the table of nodules"),
        **{
            RATING_COLUMNS[name]: Column("string", f"1-{highest}, one per reader, ';' between; missing: unknown", True)
            for name, highest in CHARACTERISTICS.items()
        },
    },
    ("nodule_id",),
)

EXCLUSIONS = Contract(
    "exclusions", {"series_uid": _SERIES, **_CENTER, "diameter_mm": Column("float64", "mm; -1 where unknown")}
)

FAILURES = Contract(
    "failures",
    {"series_uid": _SERIES, "reason": Column("string", "why the scan could not be prepared")},
    ("series_uid",),
)

QC = Contract(
    "qc",
    {
        "series_uid": _SERIES,
        "subset": Column("int64", "LUNA16 subset folder"),
        "is_ok": Column("bool", "whether the volume was written"),
        "reason": Column("string", "reason of a failure; empty if the volume was written"),
        "remarks": Column(
            "string", "differences between what the reader assumed and what the files say; empty if none"
        ),
        "source": Column("string", "file name of the scan"),
        "num_nodules": Column("int64", "annotated nodules"),
        "num_nodules_outside_volume": Column("int64", "annotated nodules whose centre is not in the volume"),
        "num_nodules_outside_lungs": Column("int64", "annotated nodules whose centre is not in the dilated lung mask"),
        "lungs_ml": Column("float64", "volume of the undilated lung mask, ml", True),
        "left_lung_ml": Column("float64", "of which the left lung, ml", True),
        "right_lung_ml": Column("float64", "of which the right lung, ml", True),
        "min_hu": Column("float64", "smallest stored HU", True),
        "max_hu": Column("float64", "largest stored HU", True),
    },
    ("series_uid",),
)

REFERENCES = Contract(
    "references",
    {
        "series_uid": _SERIES,
        "subset": Column("int64", "LUNA16 subset folder"),
        "lungs_dice": Column("float64", "Dice overlap with the reference mask, both lungs", True),
        "left_lung_dice": Column("float64", "the same for the left lung; missing where neither mask has it", True),
        "right_lung_dice": Column("float64", "the same for the right lung", True),
        "reference_lungs_ml": Column("float64", "volume of the reference mask's lungs, ml", True),
        "reference_reason": Column("string", "why the reference mask was not compared; empty if compared"),
    },
    ("series_uid",),
)

CANDIDATES = Contract(
    "candidates",
    {
        "candidate_id": Column("string", "<series_uid>#c<rank within the series>"),
        "series_uid": _SERIES,
        **_CENTER,
        "diameter_mm": Column("float64", "as the detector measures it, mm; missing for given candidates", True),
        "detector_score": Column("float64", "detector's probability, 0 to 1; missing for given candidates", True),
        "fold": _FOLD,
    },
    ("candidate_id",),
)

SCORED = Contract(
    "scored",
    {
        **CANDIDATES.columns,
        "probability": Column("float64", "of being a nodule, after the scorer"),
        "malignancy": Column("float64", "probability of malignancy, given a nodule; missing without a scorer", True),
    },
    ("candidate_id",),
)

RATED = Contract(
    "rated",
    {
        "nodule_id": Column("string", "nodule, as in the table of nodules"),
        "fold": Column("int64", "fold whose scorer, which never saw the nodule's patient, rated the nodule"),
        "malignancy": Column("float64", "calibrated probability of malignancy"),
        "high_malignancy": Column("float64", "probability that a reader rates malignancy 4 or 5", True),
        **{
            f"{name}_expected": Column("float64", f"expected rating of {name}, 1 to {highest}", True)
            for name, highest in CHARACTERISTICS.items()
        },
    },
    ("nodule_id",),
)

MEASURES = Contract(
    "measures",
    {
        "nodule_id": Column("string", "nodule, as in the table of nodules"),
        "border_mm": Column("float64", "distance of the centre from the nearest border of the volume"),
        "mean_hu": Column("float64", "mean HU within 0.8 x radius"),
        "low_hu": Column("float64", "10th percentile of HU within 0.8 x radius"),
        "high_hu": Column("float64", "90th percentile of HU within 0.8 x radius"),
        "deviation_hu": Column("float64", "standard deviation of HU within 0.8 x radius"),
        "calcified_share": Column("float64", "share of voxels above 200 HU within the radius"),
        "shell_hu": Column("float64", "mean HU between the radius and 4 mm outside"),
        "attached_share": Column("float64", "share of voxels above -500 HU between the radius + 1 mm and + 4 mm"),
        "tissue_mm": Column("float64", "diameter of the sphere of the connected tissue's volume"),
        "elongation": Column("float64", "longest by shortest standard deviation of the connected tissue"),
        "fill_share": Column("float64", "volume of the connected tissue by that of its enclosing sphere"),
    },
    ("nodule_id",),
)

POINTS = Contract(
    "points",
    {
        "series_uid": _SERIES,
        **_CENTER,
        "kind": Column("string", "why the point is there: nodule, lung (random) or candidate"),
        "nodule_id": Column("string", "the nodule around the point; missing outside nodules", True),
        "diameter_mm": Column("float64", "of the nodule around the point, mm; missing outside nodules", True),
        "is_nodule": Column("float64", "1 inside a nodule, 0 not; missing on an excluded finding", True),
        "malignancy": Column("float64", "label of the nodule around the point; missing if unknown", True),
        "is_crop": Column("bool", "whether the volume is a crop, all of which counts as lung"),
        "weight": Column("float64", "weight of the point in the loss"),
    },
)

PATIENTS = Contract(
    "patients",
    {
        "patient_id": Column("string", "patient"),
        "fold": _FOLD,
        "num_scans": Column("int64", "scans of the patient in the evaluated subsets"),
        "num_failed_scans": Column("int64", "of these the scans that could not be prepared"),
        "num_candidates": Column("int64", "candidates over those scans"),
        "malignancy": Column("float64", "the aggregate that the recipe's `patient` section names", True),
        "malignancy_max": Column("float64", "largest probability x malignancy over the candidates", True),
        "malignancy_noisy_or": Column("float64", "1 - product of (1 - probability x malignancy)", True),
        "malignancy_top_mean": Column("float64", "mean of the highest `num_top`; fewer candidates count as 0", True),
        "diameter_max_mm": Column("float64", "largest diameter over candidates with probability >= 0.5, else 0"),
        "is_malignant": Column("float64", "1 a malignant nodule by the rule, 0 none; missing: unrated", True),
        "remark": Column("string", "why a malignancy is missing or incomplete; empty if it is not"),
        "decided_by": Column("string", "candidate with the largest probability x malignancy", True),
        "decided_series_uid": Column("string", "its series", True),
        **{
            f"decided_{name}": Column("float64", f"its centre, world {name[7]}, LPS mm", True)
            for name in CENTER_COLUMNS
        },
        "decided_slice": Column("float64", "its slice in the stored volume, from 1", True),
        "decided_diameter_mm": Column("float64", "its diameter, mm", True),
        "decided_volume_mm3": Column("float64", "volume of the sphere of its diameter, mm3", True),
        "decided_fleischner_size": Column("string", "size class of a solid nodule, Fleischner Society 2017", True),
        "decided_lung_rads_size": Column(
            "string", "size class of a solid nodule at a first scan, Lung-RADS v2022", True
        ),
    },
    ("patient_id", "fold"),
)

HISTORY = Contract(
    "history",
    {
        "step": Column("int64", "optimiser steps taken"),
        "metric": Column("string", "name of the metric"),
        "value": Column("float64", "its value"),
    },
    ("step", "metric"),
)
