"""Tables on disk: always valid."""

import numpy as np
import pandas as pd
import pytest

from lungpipe.tables import SERIES, ContractError, read_table, write_csv, write_table

TABLE = pd.DataFrame({"subset": [0, 1], "series_uid": ["1.1", "1.2"], "patient_id": ["A", "B"]})


def test_a_table_comes_back_and_equal_tables_are_equal_bytes(tmp_path):
    for name in ("one", "two"):
        write_table(TABLE, tmp_path / f"{name}.parquet", SERIES)
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()
    pd.testing.assert_frame_equal(read_table(tmp_path / "one.parquet", SERIES), SERIES.conform(TABLE))
    write_table(SERIES.empty(), tmp_path / "none.parquet", SERIES)
    assert len(read_table(tmp_path / "none.parquet", SERIES)) == 0


def test_an_invalid_table_is_not_written_and_the_old_one_stays(tmp_path):
    path = tmp_path / "series.parquet"
    write_table(TABLE, path, SERIES)
    before = path.read_bytes()
    with pytest.raises(ContractError, match="table series"):
        write_table(TABLE.assign(series_uid="1.1"), path, SERIES)
    assert path.read_bytes() == before
    with pytest.raises(ContractError):
        write_table(TABLE.drop(columns="subset"), tmp_path / "new.parquet", SERIES)
    assert [item.name for item in tmp_path.iterdir()] == ["series.parquet"]


def test_an_invalid_file_is_named_when_it_is_read(tmp_path):
    path = tmp_path / "foreign.parquet"
    TABLE.drop(columns="patient_id").to_parquet(path)
    with pytest.raises(ContractError, match=r"foreign\.parquet: table series: expected the columns"):
        read_table(path, SERIES)


def test_a_csv_keeps_every_digit_and_leaves_unknown_values_empty(tmp_path):
    path = tmp_path / "marks.csv"
    write_csv(pd.DataFrame({"series_uid": ["1.1", "1.2"], "x_mm": [0.1 + 0.2, np.nan]}, index=[7, 9]), path)
    assert path.read_bytes() == b"series_uid,x_mm\n1.1,0.30000000000000004\n1.2,\n"
    assert [item.name for item in tmp_path.iterdir()] == ["marks.csv"]
