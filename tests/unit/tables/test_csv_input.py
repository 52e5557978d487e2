"""Malformed CSV files end in an error that names file, row and column, or in a correct table."""

import gzip
import os

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from lungpipe.tables import csv_input
from lungpipe.tables.csv_input import CsvFormat, open_rows, read_csv, read_texts
from lungpipe.tables.errors import InputError

LAYOUT = CsvFormat(("seriesuid",), ("coordX", "probability"), ("note",), ("size",))
HEADER = b"seriesuid,coordX,probability\n"
EXPECTED = pd.DataFrame({"seriesuid": ["1.2", "1.3"], "coordX": [-1.5, 2e3], "probability": [0.25, 1.0]})


@pytest.fixture
def written(tmp_path):
    def write(content):
        path = tmp_path / "marks.csv"
        path.write_bytes(content)
        return path

    return write


GOOD = HEADER + b"1.2,-1.5,0.25\n1.3,2e3,1\n"


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(GOOD, id="plain"),
        pytest.param(b"\xef\xbb\xbf" + GOOD, id="byte order mark"),
        pytest.param(GOOD.replace(b"\n", b"\r\n"), id="CRLF"),
        pytest.param(b"\xef\xbb\xbf" + GOOD.replace(b"\n", b"\r\n"), id="byte order mark and CRLF"),
        pytest.param(GOOD.rstrip(b"\n"), id="no newline at the end"),
        pytest.param(GOOD.replace(b"\n", b"\n\n"), id="blank lines"),
        pytest.param(GOOD.replace(b",", b", "), id="spaces before numbers"),
        pytest.param(gzip.compress(GOOD), id="gzip"),
        pytest.param(GOOD.replace(b"seriesuid,coordX", b"SeriesUID,COORDX"), id="names in other case"),
        pytest.param(GOOD.replace(b"\n", b",\n"), id="a comma behind every row and the header"),
        pytest.param(HEADER + GOOD[len(HEADER) :].replace(b"\n", b",\n"), id="a comma behind every row"),
        pytest.param(
            HEADER + GOOD[len(HEADER) :].replace(b"\n", b" ,\n").replace(b"1.2", b'"1.2"'), id="a comma, row by row"
        ),
        pytest.param(b'"seriesuid","coordX","probability"\n"1.2","-1.5","0.25"\n"1.3","2e3","1"\n', id="quotes"),
        pytest.param(b"probability,seriesuid,coordX\n0.25,1.2,-1.5\n1,1.3,2000\n", id="columns in another order"),
        pytest.param(
            b"i,seriesuid,coordX,probability,i\nx,1.2,-1.5,.25,\n,1.3,+2000.,1,\n", id="columns it does not know"
        ),
    ],
)
def test_reads_every_well_meant_file(written, content):
    table = read_csv(written(content), LAYOUT)
    pd.testing.assert_frame_equal(table, EXPECTED, check_dtype=False)
    assert table["coordX"].dtype == np.float64


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", "expected a header.*found an empty file", id="empty file"),
        pytest.param(gzip.compress(GOOD)[:-9], "expected a readable CSV file, found: ", id="truncated gzip"),
        pytest.param(gzip.compress(GOOD)[:-9] + b"123456789", "expected a readable CSV file", id="damaged gzip"),
        pytest.param(HEADER + b"1.2,3,4,\n1.3,3,4,5\n", r"row 2 .*expected 3 cells.*found 4", id="a cell too much"),
        pytest.param(HEADER + b"1.2,3,4,\n1.3,3,4\n", r"row 2 .*expected 3 cells.*found 3", id="a comma in some rows"),
        pytest.param(
            b"seriesuid,SeriesUID,SERIESUID,coordX,probability\n1,2,3,4,5\n".replace(b"seriesuid,", b"", 1),
            r"column seriesuid: expected the columns",
            id="two names in other case",
        ),
        pytest.param(b"\n\n", "expected a header.*found an empty file", id="blank lines alone"),
        pytest.param(b"seriesuid,coordX\n1.2,3\n", r"row 0.*column probability: expected", id="missing column"),
        pytest.param(b"seriesuid,coordX,coordX,probability\n", r"column coordX.*each once", id="doubled column"),
        pytest.param(b"1.2,-1.5,0.25\n", r"column seriesuid: expected the columns", id="no header"),
        pytest.param(GOOD.replace(b",", b";"), "separated by commas, found semicolons", id="semicolons"),
        pytest.param(GOOD.replace(b",", b"\t"), "separated by commas, found tabs", id="tabs"),
        pytest.param(GOOD + b"1.4,12a,0.5\n", r"row 3 \(line 4\), column coordX.*number, found '12a'", id="text"),
        pytest.param(GOOD + b"1.4,,0.5\n", r"row 3 \(line 4\), column coordX.*number, found ''", id="empty number"),
        pytest.param(GOOD + b"1.4,1_0,0.5\n", "row 3.*column coordX.*found '1_0'", id="underscore"),
        pytest.param(GOOD + "1.4,٣,0.5\n".encode(), "row 3.*column coordX.*found", id="digits of another script"),
        pytest.param(GOOD + b"1.4,1,NaN\n", r"row 3.*column probability.*finite number, found 'NaN'", id="NaN"),
        pytest.param(GOOD + b"1.4,-inf,1\n", r"row 3.*column coordX.*finite number, found '-inf'", id="infinity"),
        pytest.param(GOOD + b"1.4,1e999,1\n", r"row 3.*column coordX.*finite number, found '1e999'", id="too large"),
        pytest.param(GOOD + b",1,0.5\n", r"row 3 \(line 4\), column seriesuid: expected a text", id="no series"),
        pytest.param(
            GOOD + b" 1.4,1,0.5\n", "row 3.*seriesuid: expected a text without blanks.*' 1.4'", id="blank before"
        ),
        pytest.param(GOOD + b"1.4\t,1,0.5\n", "row 3.*seriesuid: expected a text without blanks", id="tab behind"),
        pytest.param(GOOD + b"1.4,1\n", r"row 3 \(line 4\): expected 3 cells.*found 2", id="short row"),
        pytest.param(GOOD + b"1.4,1,5,0.5\n", r"row 3 \(line 4\): expected 3 cells.*found 4", id="decimal comma"),
        pytest.param(HEADER + b"\n\n1.4,x,1\n", r"row 1 \(line 4\), column coordX", id="row and line differ"),
        pytest.param(GOOD + b"\xff\xfe,1,1\n", "after line .*expected UTF-8 text", id="other bytes"),
        pytest.param(GOOD.decode().encode("utf-16"), "expected UTF-8 text", id="UTF-16"),
        pytest.param(GOOD + b'"1.4,1,1\n', "after line 3: expected rows of a CSV file", id="quote left open"),
    ],
)
def test_names_what_is_wrong_and_where(written, content, message):
    path = written(content)
    with pytest.raises(InputError, match=message) as caught:
        read_csv(path, LAYOUT)
    assert str(path) in str(caught.value)


def test_names_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match=r"none\.csv: expected a readable CSV file, found: No such file"):
        read_csv(tmp_path / "none.csv", LAYOUT)
    with pytest.raises(InputError, match="expected a readable CSV file"):
        read_csv(tmp_path, LAYOUT)
    # nobody writes into the pipe: opening it would wait for ever
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(InputError, match=r"pipe\.csv: expected a readable CSV file, found: a pipe"):
        read_csv(tmp_path / "pipe.csv", LAYOUT)


def test_a_header_alone_is_a_table_without_rows(written):
    for content in (HEADER, HEADER.rstrip(b"\n")):
        table = read_csv(written(content), LAYOUT)
        assert list(table.columns) == ["seriesuid", "coordX", "probability"]
        assert len(table) == 0
        assert table["coordX"].dtype == np.float64


def test_optional_columns_are_read_where_they_are_and_checked_too(written):
    path = written(b"seriesuid,coordX,probability,note,size\n1.2,1,1,,3\n1.3,1,1,x,4\n")
    table = read_csv(path, LAYOUT)
    assert table["note"].tolist() == ["", "x"]
    assert table["size"].tolist() == [3.0, 4.0]
    with pytest.raises(InputError, match=r"row 1.*column size"):
        read_csv(written(b"seriesuid,coordX,probability,size\n1.2,1,1,big\n"), LAYOUT)


def test_series_are_never_altered(written):
    table = read_csv(written(HEADER + b"1.20,1,1\n007,1,1\nnan,1,1\na b,1,1\n"), LAYOUT)
    assert table["seriesuid"].tolist() == ["1.20", "007", "nan", "a b"]


def test_every_digit_is_kept(written):
    values = np.random.default_rng(0).uniform(-500, 500, 200)
    rows = "".join(f"s,{value!r},0.1\n" for value in values.tolist())
    assert (read_csv(written(HEADER + rows.encode()), LAYOUT)["coordX"].to_numpy() == values).all()


def test_both_ways_of_reading_agree(written, monkeypatch):
    rng = np.random.default_rng(1)
    rows = "".join(f"s{i},{x!r},{p!r}\n" for i, (x, p) in enumerate(rng.normal(size=(500, 2)).tolist()))
    path = written(HEADER + rows.encode())
    fast = read_csv(path, LAYOUT)
    monkeypatch.setattr(csv_input, "_read_fast", _give_up)
    pd.testing.assert_frame_equal(read_csv(path, LAYOUT), fast)


def _give_up(*_):
    raise pa.ArrowInvalid("not well-formed")


def test_rows_come_with_the_number_of_their_line(written):
    assert list(open_rows(written(b"a,b\n\n1,2\n"))) == [(1, ["a", "b"]), (3, ["1", "2"])]


def test_texts_come_without_blanks_and_with_the_number_of_their_line(written):
    table = read_texts(written(b"a, b ,c\n1, 2 ,3\n\n4,,5\n"), ("b", "a"))
    assert table.to_numpy().tolist() == [["2", "1", 2], ["", "4", 4]]
    assert table["line"].dtype == np.int64


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a,b\n1\n", r"row 1 \(line 2\): expected 2 cells as in the header, found 1"),
        (b"a,c\n", "column b: expected the columns a, b, each once, found a, c"),
        (b"a;b\n", "expected columns separated by commas, found semicolons"),
    ],
)
def test_texts_are_read_as_strictly(written, content, message):
    with pytest.raises(InputError, match=message):
        read_texts(written(content), ("a", "b"))


@pytest.mark.slow
def test_ten_million_rows_are_read_and_a_wrong_last_row_is_found(written):
    path = written(HEADER)
    block = b"1.3.6.1.4.1.14519.5.2.1.6279.6001.100225287222365663678666836860,-128.699,0.5\n" * 100_000
    with path.open("ab") as stream:
        for _ in range(100):
            stream.write(block)
    assert len(read_csv(path, LAYOUT)) == 10_000_000
    with path.open("ab") as stream:
        stream.write(b"1.2,nothing,0.5\n")
    with pytest.raises(InputError, match=r"row 10000001 .*column coordX.*'nothing'"):
        read_csv(path, LAYOUT)
