"""JSON files of the project are read, or refused by name."""

import os

import pytest

from lungpipe.tables import IrregularFileError, read_json, read_json_object
from lungpipe.tables.errors import InputError


def test_content_is_that_of_the_file(tmp_path):
    path = tmp_path / "charts.json"
    path.write_text('[{"title": "Größe"}]', encoding="utf-8")
    assert read_json(path, "charts") == [{"title": "Größe"}]
    path.write_text('{"cpm": 0.5}')
    assert read_json_object(path, "an evaluation") == {"cpm": 0.5}


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe{}", b'{"cpm": 0.5', b"[" * 100_000])
def test_no_json_is_refused_by_name(tmp_path, content):
    path = tmp_path / "charts.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"charts\.json: expected the charts in JSON, found "):
        read_json(path, "the charts")


def test_another_content_than_an_object_is_refused_by_name(tmp_path):
    path = tmp_path / "evaluation.json"
    path.write_text("[1]")
    with pytest.raises(InputError, match=r"evaluation\.json: expected an evaluation as a JSON object, found list"):
        read_json_object(path, "an evaluation")


def test_no_file_and_no_regular_file_are_refused_by_name(tmp_path):
    with pytest.raises(FileNotFoundError, match="missing"):
        read_json(tmp_path / "missing", "charts")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(IrregularFileError, match="pipe: expected a file, found a pipe"):
        read_json(tmp_path / "pipe", "charts")
