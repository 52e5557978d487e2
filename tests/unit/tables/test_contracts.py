"""Contracts: every way to break one, and what is let through."""

import numpy as np
import pandas as pd
import pytest

from lungpipe.tables import (
    CANDIDATES,
    CENTER_COLUMNS,
    EXCLUSIONS,
    HISTORY,
    NODULES,
    PATIENTS,
    QC,
    REFERENCES,
    SCORED,
    SERIES,
    Column,
    Contract,
    ContractError,
)

ALL = (CANDIDATES, EXCLUSIONS, HISTORY, NODULES, PATIENTS, QC, REFERENCES, SCORED, SERIES)
CONTRACT = Contract(
    "visits",
    {
        "name": Column("string", "who"),
        "count": Column("int64", "how often"),
        "size_mm": Column("float64", "mm", is_nullable=True),
        "is_ok": Column("bool", "whether"),
    },
    ("name", "count"),
)
GOOD = {"name": ["a", "b"], "count": [1, 2], "size_mm": [0.5, np.nan], "is_ok": [True, False]}


def with_column(**changes):
    return pd.DataFrame({**GOOD, **changes})


def test_a_good_table_comes_back_in_the_contracts_order_and_dtypes():
    table = CONTRACT.conform(pd.DataFrame(GOOD)[["is_ok", "size_mm", "count", "name"]])
    assert list(table.columns) == ["name", "count", "size_mm", "is_ok"]
    assert [str(dtype) for dtype in table.dtypes] == ["str", "int64", "float64", "bool"]
    assert table.equals(CONTRACT.conform(table))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"count": [1, 1.5]}, "table visits, column count, row 1: expected int64, found .*1.5"),
        ({"count": [1, None]}, "table visits, column count, row 1: expected int64, found nothing"),
        ({"count": [1, "many"]}, "table visits, column count: expected int64, found .*many"),
        ({"count": [1, np.inf]}, "table visits, column count: expected int64, found "),
        ({"count": ["1", "2"]}, "table visits, column count, row 0: expected int64, found '1'"),
        ({"size_mm": ["x", 1]}, "table visits, column size_mm: expected float64, found .*x"),
        ({"name": ["a", None]}, "table visits, column name, row 1: expected string, found nothing"),
        ({"is_ok": [True, None]}, "table visits, column is_ok, row 1: expected bool, found nothing"),
        ({"is_ok": [True, "no"]}, "table visits, column is_ok, row 1: expected bool, found 'no'"),
        ({"is_ok": [2, 0]}, "table visits, column is_ok, row 0: expected bool, found .*2"),
        (
            {"name": ["a", "a"], "count": [1, 1]},
            "expected one row for each .*, found two for {'name': 'a', 'count': 1}",
        ),
        ({"more": [1, 2]}, r"table visits: expected the columns \['name', .*\], found \[.*'more'\]"),
    ],
)
def test_every_violation_is_named(changes, expected):
    with pytest.raises(ContractError, match=expected):
        CONTRACT.conform(with_column(**changes))


def test_missing_and_doubled_columns_are_refused():
    table = pd.DataFrame(GOOD)
    for wrong in (table.drop(columns="count"), pd.concat([table, table[["count"]]], axis=1)):
        with pytest.raises(ContractError, match="expected the columns"):
            CONTRACT.conform(wrong)


def test_whole_numbers_in_other_kinds_are_let_through():
    table = CONTRACT.conform(with_column(count=[1.0, 2.0], size_mm=np.float32([1, 2]), is_ok=[1, 0]))
    assert table["count"].tolist() == [1, 2]
    assert table["is_ok"].tolist() == [True, False]
    assert table["size_mm"].dtype == np.float64


def test_rows_are_positions_whatever_the_index():
    twice = pd.DataFrame(GOOD).set_index(pd.Index([7, 7]))
    assert CONTRACT.conform(twice).index.tolist() == [0, 1]
    with pytest.raises(ContractError, match="column count, row 1"):
        CONTRACT.conform(with_column(count=[1, None]).set_index(pd.Index([7, 7])))
    with pytest.raises(ContractError, match=r"found two for \{'name': 'a', 'count': 1\}"):
        CONTRACT.conform(with_column(name=["a", "a"], count=[1, 1]).set_index(pd.Index([7, 7])))


def test_the_given_table_is_left_alone():
    table = with_column(count=[1.0, 2.0])
    before = table.copy()
    conformed = CONTRACT.conform(table)
    conformed.loc[:, "size_mm"] = 9.0
    pd.testing.assert_frame_equal(table, before)


@pytest.mark.parametrize("contract", ALL, ids=lambda contract: contract.name)
def test_an_empty_table_is_valid_and_keys_are_columns(contract):
    assert contract.empty().equals(contract.conform(contract.empty()))
    assert set(contract.key) <= set(contract.columns)
    assert all(column.meaning for column in contract.columns.values())


def test_places_are_zyx_mm_everywhere_and_scored_extends_candidates():
    assert CENTER_COLUMNS == ("center_z_mm", "center_y_mm", "center_x_mm")
    for contract in (NODULES, EXCLUSIONS, CANDIDATES, SCORED):
        assert [name for name in contract.columns if name in CENTER_COLUMNS] == list(CENTER_COLUMNS)
    assert list(SCORED.columns)[: len(CANDIDATES.columns)] == list(CANDIDATES.columns)


def test_a_series_uid_is_never_altered():
    uid = "1.3.6.1.4.1.14519.5.2.1.6279.6001.000100"
    table = SERIES.conform(pd.DataFrame({"series_uid": [uid], "patient_id": ["007"], "subset": [0]}))
    assert table.loc[0, ["series_uid", "patient_id"]].tolist() == [uid, "007"]
