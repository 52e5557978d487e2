import json
import sys

import pytest
import typer

from lungpipe.cli.errors import refusing


@pytest.mark.parametrize("error", [KeyError("wrong key"), FileNotFoundError(2, "No such file", "a.csv")])
def test_named_errors_and_unreadable_files_become_one_message_and_exit_two(error, capsys):
    with pytest.raises(typer.Exit) as caught, refusing(KeyError):
        raise error
    assert caught.value.exit_code == 2
    assert capsys.readouterr().err == f"lungpipe: {error}\n"


def test_an_error_nobody_named_is_a_defect_and_stays_visible():
    with pytest.raises(ZeroDivisionError), refusing(KeyError):
        raise ZeroDivisionError


def test_json_that_is_nested_too_deeply_is_named(tmp_path, monkeypatch, capsys):
    metadata = tmp_path / "1.2.ome.zarr" / "zarr.json"
    metadata.parent.mkdir()
    metadata.write_text("[" * 100_000)
    monkeypatch.setattr(sys, "argv", ["lungpipe", "detect", str(metadata.parent), "--out", "new.csv"])
    with pytest.raises(typer.Exit) as caught, refusing(ValueError):
        json.loads(metadata.read_text())
    assert caught.value.exit_code == 2
    assert capsys.readouterr().err == f"lungpipe: {metadata}: expected JSON, found JSON that is nested too deeply\n"


def test_a_recursion_without_deep_json_is_a_defect_and_stays_visible(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["lungpipe", "detect", str(tmp_path)])
    with pytest.raises(RecursionError), refusing(ValueError):
        raise RecursionError
