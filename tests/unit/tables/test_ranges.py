"""Values that no table of a study can hold are refused where it is written and where it is read."""

import numpy as np
import pandas as pd
import pytest

from lungpipe.tables import (
    CANDIDATES,
    EXCLUSIONS,
    NODULES,
    PATIENTS,
    POINTS,
    RATED,
    SCORED,
    SERIES,
    ContractError,
    read_table,
    write_table,
)

CENTER = {"center_z_mm": 1.0, "center_y_mm": -2.0, "center_x_mm": 3.0}
CANDIDATE = {
    "candidate_id": "1.2#c0",
    "series_uid": "1.2",
    **CENTER,
    "diameter_mm": 5.0,
    "detector_score": 0.5,
    "fold": 0,
}
ROWS = {
    "series": (SERIES, {"series_uid": "1.2", "patient_id": "P1", "subset": 0}),
    "nodules": (
        NODULES,
        {"nodule_id": "1.2#0", "series_uid": "1.2", **CENTER, "diameter_mm": 5.0, "malignancy_ratings": "4;5"},
    ),
    "exclusions": (EXCLUSIONS, {"series_uid": "1.2", **CENTER, "diameter_mm": -1.0}),
    "candidates": (CANDIDATES, CANDIDATE),
    "scored": (SCORED, {**CANDIDATE, "probability": 1.0, "malignancy": 0.0}),
    "rated": (
        RATED,
        {
            **{name: np.nan for name, column in RATED.columns.items() if column.is_nullable},
            "nodule_id": "1.2#0",
            "fold": 0,
            "malignancy": 1.0,
            "high_malignancy": 0.0,
            "malignancy_expected": 5.0,
            "calcification_expected": 6.0,
        },
    ),
    "points": (
        POINTS,
        {
            "series_uid": "1.2",
            **CENTER,
            "kind": "nodule",
            "nodule_id": "1.2#0",
            "diameter_mm": 5.0,
            "is_nodule": 1.0,
            "malignancy": 0.5,
            "is_crop": False,
            "weight": 1.0,
        },
    ),
    "patients": (
        PATIENTS,
        {
            **{name: np.nan for name, column in PATIENTS.columns.items() if column.is_nullable},
            "patient_id": "P1",
            "fold": 0,
            "num_scans": 1,
            "num_failed_scans": 0,
            "num_candidates": 0,
            "remark": "",
            "malignancy_max": 0.0,
            "malignancy_noisy_or": 1.0,
            "diameter_max_mm": 0.0,
            "is_malignant": np.nan,
        },
    ),
}


def table(name, **changes):
    contract, row = ROWS[name]
    return contract, pd.DataFrame([{**row, **changes}])


@pytest.mark.parametrize("name", ROWS)
def test_values_on_the_limits_are_allowed(name):
    contract, rows = table(name)
    assert len(contract.conform(rows)) == 1


@pytest.mark.parametrize(
    ("name", "column", "value", "expected"),
    [
        ("series", "subset", -1, "at least 0"),
        ("series", "series_uid", " 1.2", "a text that matches"),
        ("series", "series_uid", "", "a text that matches"),
        ("nodules", "diameter_mm", 0.0, "a value above 0"),
        ("nodules", "diameter_mm", np.inf, "a value above 0"),
        ("nodules", "center_x_mm", -np.inf, "finite numbers"),
        ("nodules", "malignancy_ratings", "0;5", r"a text that matches \[1-5\]"),
        ("nodules", "malignancy_ratings", "4;6", r"a text that matches \[1-5\]"),
        ("nodules", "malignancy_ratings", "4,5", r"a text that matches \[1-5\]"),
        ("exclusions", "diameter_mm", -2.0, "at least -1"),
        ("candidates", "diameter_mm", -5.0, "a value above 0"),
        ("candidates", "detector_score", 1.01, "0 to 1"),
        ("candidates", "fold", -2, "at least -1"),
        ("scored", "probability", 1.5, "0 to 1"),
        ("scored", "probability", -0.1, "0 to 1"),
        ("scored", "malignancy", 3.0, "0 to 1"),
        ("rated", "fold", -1, "at least 0"),
        ("rated", "malignancy", 1.5, "0 to 1"),
        ("rated", "high_malignancy", -0.1, "0 to 1"),
        ("rated", "malignancy_expected", 5.5, "1 to 5"),
        ("rated", "texture_expected", 0.5, "1 to 5"),
        ("points", "is_nodule", 2.0, "0 to 1"),
        ("points", "malignancy", 4.0, "0 to 1"),
        ("points", "weight", -1.0, "at least 0"),
        ("patients", "num_scans", -1, "at least 0"),
        ("patients", "malignancy_noisy_or", 1.1, "0 to 1"),
        ("patients", "is_malignant", -1.0, "0 to 1"),
    ],
)
def test_a_value_beyond_the_limits_names_table_column_and_row(tmp_path, name, column, value, expected):
    contract, rows = table(name, **{column: value})
    problem = rf"table {name}, column {column}, row 0: expected {expected}"
    with pytest.raises(ContractError, match=problem):
        write_table(rows, tmp_path / "t.parquet", contract)
    assert not list(tmp_path.iterdir())
    # by another program
    rows.to_parquet(tmp_path / "t.parquet")
    with pytest.raises(ContractError, match=rf"t\.parquet: {problem}"):
        read_table(tmp_path / "t.parquet", contract)


@pytest.mark.parametrize("column", ["diameter_mm", "detector_score"])
def test_missing_values_have_no_limits(column):
    contract, rows = table("candidates", **{column: np.nan})
    assert contract.conform(rows)[column].isna().all()
    with pytest.raises(ContractError, match="column probability, row 0: expected float64, found nothing"):
        SCORED.conform(table("scored", probability=np.nan)[1])


def test_damaged_pages_are_refused_and_named(tmp_path):
    contract, row = ROWS["scored"]
    rows = pd.DataFrame([{**row, "candidate_id": f"1.2#c{number}"} for number in range(200)])
    write_table(rows, tmp_path / "t.parquet", contract)
    content, rng = (tmp_path / "t.parquet").read_bytes(), np.random.default_rng(0)
    num_refused = 0
    for _ in range(60):
        damaged, place = bytearray(content), int(rng.integers(len(content) * 8))
        damaged[place // 8] ^= 1 << (place % 8)
        (tmp_path / "t.parquet").write_bytes(damaged)
        try:
            found = read_table(tmp_path / "t.parquet", contract)
        except ContractError as error:
            num_refused += "t.parquet: " in str(error)
            continue
        # a bit of the file's notes that no value depends on
        pd.testing.assert_frame_equal(found, rows)
    assert num_refused > 20
