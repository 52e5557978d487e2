"""Read the files of an evaluation for the figures."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lungpipe.evaluation.froc import Froc
from lungpipe.evaluation.result_tables import MATCHES
from lungpipe.tables import read_json_object, read_table


@dataclass(frozen=True, slots=True)
class StoredEvaluation:
    """The results of an evaluation: summary, corners of the curve, its band, and the fates of marks and nodules.

    `band` holds lower and upper sensitivity (len(BAND_RATES), 2); NaN where there is no nodule. `subset_of` has every
    evaluated series in its order, `hits` the hit nodules with their labels (`hit_table`), `patients` the table
    PATIENTS.
    """

    summary: dict[str, Any]
    froc: Froc
    band: NDArray[np.float64]
    matches: pd.DataFrame
    subset_of: dict[str, int]
    hits: pd.DataFrame
    patients: pd.DataFrame

    @classmethod
    def read(cls, folder: Path) -> "StoredEvaluation":
        """Read the files of `write_study` in a folder."""
        folder = Path(folder)
        # pandas' default parser is sometimes off by one bit
        curve, band, hits = (
            pd.read_csv(folder / name, dtype=np.float64, float_precision="round_trip")
            for name in ("froc.csv", "froc_band.csv", "hits.csv")
        )
        series = pd.read_csv(folder / "series.csv", dtype={"seriesuid": "str"})
        return cls(
            summary=read_json_object(folder / "evaluation.json", "the evaluation of a study"),
            froc=Froc(*(curve[name].to_numpy() for name in ("fp_per_scan", "sensitivity", "threshold"))),
            band=band[["sensitivity_low", "sensitivity_high"]].to_numpy(),
            matches=read_table(folder / "matches.parquet", MATCHES),
            subset_of=dict(zip(series["seriesuid"], series["subset"].astype(int), strict=True)),
            hits=hits,
            patients=read_patients(folder / "patients.csv"),
        )


def read_patients(path: Path) -> pd.DataFrame:
    """Read patients.csv; the identifiers stay text."""
    texts = dict.fromkeys(("patient_id", "remark", "decided_by", "decided_series_uid"), "str")
    return pd.read_csv(path, dtype=texts, float_precision="round_trip")
