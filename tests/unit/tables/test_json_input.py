"""JSON files of the project are read, or refused by name."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from lungpipe.tables import IrregularFileError, read_json, read_json_object
from lungpipe.tables.errors import InputError
from lungpipe.tables.json_input import build_checked, parse_json


@dataclass(frozen=True)
class Place:
    """One field of every kind that is checked."""

    name: str | None
    step: int
    is_open: bool = True
    counts: dict[str, int] | None = None
    rest: Mapping[str, Any] | None = None


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


def test_too_deep_a_nesting_is_a_value_error():
    assert parse_json(b"[[1]]") == [[1]]
    with pytest.raises(ValueError, match="nested too deeply"):
        parse_json("[" * 100_000)


def test_an_object_becomes_a_dataclass():
    content = {"name": None, "step": 3, "counts": {"fold": 1}, "rest": {"a": [1], "b": None}}
    assert build_checked(Place, content) == Place(None, 3, True, {"fold": 1}, {"a": [1], "b": None})


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ([1], "list instead of an object"),
        ({"name": "a"}, "step"),
        ({"name": "a", "step": 1, "other": 2}, "other"),
        ({"name": 7, "step": 1}, "7 for name"),
        ({"name": "a", "step": "1"}, "'1' for step"),
        ({"name": "a", "step": True}, "True for step"),
        ({"name": "a", "step": 1.5}, "1.5 for step"),
        ({"name": "a", "step": 1, "is_open": 1}, "1 for is_open"),
        ({"name": "a", "step": 1, "counts": {"fold": "1"}}, "for counts"),
        ({"name": "a", "step": 1, "rest": []}, "for rest"),
    ],
)
def test_an_object_of_another_form_is_a_type_error_that_names_the_key(content, found):
    with pytest.raises(TypeError, match=found):
        build_checked(Place, content)
