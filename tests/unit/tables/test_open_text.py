"""A table that unpacks to more than memory holds is refused by name, and before it is read."""

import gzip
import io
import os

import pytest

from lungpipe.tables import open_text
from lungpipe.tables.csv_input import CsvFormat, read_csv, read_texts
from lungpipe.tables.errors import InputError
from lungpipe.tables.open_text import open_bytes, read_lines

LAYOUT = CsvFormat(("seriesuid",), ("coordX",))
ROWS = b"seriesuid,coordX\n" + b"1.2,0.5\n" * 1000


@pytest.fixture
def limited(monkeypatch):
    monkeypatch.setattr(open_text, "MAX_TEXT_BYTES", 4096)
    monkeypatch.setattr(open_text, "MAX_LINE_CHARACTERS", 64)


@pytest.mark.parametrize("pack", [gzip.compress, bytes], ids=["gzip", "plain"])
def test_a_table_within_the_limits_is_read(tmp_path, pack):
    path = tmp_path / "marks.csv"
    path.write_bytes(pack(ROWS))
    assert len(read_csv(path, LAYOUT)) == 1000
    assert len(read_texts(path, ("seriesuid",))) == 1000


@pytest.mark.parametrize("pack", [gzip.compress, bytes], ids=["gzip", "plain"])
@pytest.mark.parametrize("read", [lambda path: read_csv(path, LAYOUT), lambda path: read_texts(path, ("seriesuid",))])
def test_a_table_beyond_the_limit_is_refused_by_name(limited, tmp_path, pack, read):
    path = tmp_path / "marks.csv"
    path.write_bytes(pack(ROWS))
    with pytest.raises(InputError, match=r"marks\.csv: expected at most 4096 bytes of text, found more"):
        read(path)


@pytest.mark.parametrize("start", [b"", b"seriesuid,coordX\n"], ids=["header", "row"])
def test_a_line_without_an_end_is_refused_by_name(limited, tmp_path, start):
    path = tmp_path / "marks.csv"
    path.write_bytes(gzip.compress(start + b" " * 3000))
    with pytest.raises(InputError, match=r"marks\.csv: expected lines of less than 64 characters, found more"):
        read_csv(path, LAYOUT)


def test_lines_keep_their_ends():
    assert list(read_lines(io.StringIO("a,b\r\n1\n2", newline=""), "x.csv")) == ["a,b\r\n", "1\n", "2"]


def test_a_sparse_file_is_refused_before_it_is_opened(tmp_path):
    path = tmp_path / "marks.csv"
    path.touch()
    os.truncate(path, open_text.MAX_TEXT_BYTES + 1)
    with pytest.raises(InputError, match=r"marks\.csv: expected at most \d+ bytes of text, found more"):
        open_bytes(path)


@pytest.mark.parametrize("read", ["read", "read1"])
def test_unpacked_bytes_are_counted_however_they_are_read(limited, tmp_path, read):
    path = tmp_path / "marks.csv"
    path.write_bytes(gzip.compress(ROWS))
    with open_bytes(path) as stream:
        assert len(getattr(stream, read)(1024)) == 1024
        with pytest.raises(InputError, match="at most 4096 bytes"):
            getattr(stream, read)(5000)
