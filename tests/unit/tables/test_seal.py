"""Rows that another program changed are noticed when the table is read."""

import hashlib

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from lungpipe.tables import CANDIDATES, HISTORY, SERIES, Column, Contract, ContractError, read_table, write_table
from lungpipe.tables.seal import digest_rows, seal

ROWS = pd.DataFrame(
    {
        "candidate_id": ["1.2#c0", "1.2#c1"],
        "series_uid": ["1.2", "1.2"],
        "center_z_mm": [1.0, 2.0],
        "center_y_mm": [1.0, 2.0],
        "center_x_mm": [1.0, 2.0],
        "diameter_mm": [5.0, np.nan],
        "detector_score": [0.25, np.nan],
        "fold": [0, 0],
    }
)
EDITED = r"candidates\.parquet: table candidates: expected the rows as they were written, found edited ones"


@pytest.fixture
def path(tmp_path):
    write_table(ROWS, tmp_path / "candidates.parquet", CANDIDATES)
    return tmp_path / "candidates.parquet"


def test_a_table_that_was_not_edited_is_read_without_attributes(path):
    table = read_table(path, CANDIDATES)
    pd.testing.assert_frame_equal(table, CANDIDATES.conform(ROWS))
    assert table.attrs == {}


@pytest.mark.parametrize(
    "change",
    [
        lambda table: table.assign(detector_score=[0.75, np.nan]),
        lambda table: table.assign(detector_score=[0.25, 0.5]),
        lambda table: table.iloc[:1],
        lambda table: table.iloc[::-1],
        lambda table: table.assign(series_uid="1.3"),
        lambda table: table.assign(fold=1),
    ],
    ids=["value", "filled", "row gone", "order", "text", "number"],
)
def test_rows_that_pandas_changed_are_refused(path, change):
    change(pd.read_parquet(path)).to_parquet(path, index=False)
    with pytest.raises(ContractError, match=EDITED):
        read_table(path, CANDIDATES)


def test_rows_that_pyarrow_changed_are_refused(path):
    table = pq.read_table(path)
    place = table.schema.get_field_index("detector_score")
    edited = pc.multiply(table["detector_score"], pa.scalar(0.5))
    pq.write_table(table.set_column(place, "detector_score", edited), path)
    with pytest.raises(ContractError, match=EDITED):
        read_table(path, CANDIDATES)


def test_the_same_rows_in_another_file_format_version_are_read(path):
    pq.write_table(pq.read_table(path), path, compression="none", version="1.0")
    pd.testing.assert_frame_equal(read_table(path, CANDIDATES), CANDIDATES.conform(ROWS))


def test_a_table_of_an_earlier_version_has_no_digest_and_is_read(tmp_path):
    CANDIDATES.conform(ROWS).to_parquet(tmp_path / "old.parquet", index=False)
    assert len(read_table(tmp_path / "old.parquet", CANDIDATES)) == 2


@pytest.mark.parametrize("contract", [SERIES, CANDIDATES, HISTORY])
def test_an_empty_table_has_a_digest_too(tmp_path, contract):
    write_table(contract.empty(), tmp_path / "t.parquet", contract)
    assert pd.read_parquet(tmp_path / "t.parquet").attrs["lungpipe_sha256"] == digest_rows(contract.empty())
    assert len(read_table(tmp_path / "t.parquet", contract)) == 0


def test_a_missing_text_is_no_text():
    contract = Contract("texts", {"text": Column("string", "a text", True)})
    digests = [digest_rows(contract.conform(pd.DataFrame({"text": [text]}))) for text in (None, "", "missing", "nan")]
    assert len(set(digests)) == 4
    split, whole = (contract.conform(pd.DataFrame({"text": texts})) for texts in (["a", "b"], ["a'\n'b"]))
    assert digest_rows(split) != digest_rows(whole)


def test_the_digest_by_hand_of_texts_that_repeat():
    contract = Contract("texts", {"text": Column("string", "a text", True)})
    table = contract.conform(pd.DataFrame({"text": ["b", "a", None, "b", "", "a'", "b"]}))
    text = f"7 rows\ntext {table['text'].dtype}\n" + """'b'\n'a'\nmissing\n'b'\n''\n"a'"\n'b'"""
    assert seal(table).attrs == {"lungpipe_sha256": hashlib.sha256(text.encode()).hexdigest()}
