"""The file that leads from a stage to its parent run."""

from pathlib import Path

import pytest

from lungpipe.services.tracking import RunReference


def test_a_reference_survives_its_file(tmp_path: Path) -> None:
    reference = RunReference("sqlite:///out/mlflow.db", "1", "abc")
    reference.write(tmp_path / "run.json")
    assert RunReference.read(tmp_path / "run.json") == reference
    assert reference.is_enabled


def test_an_empty_reference_is_not_enabled(tmp_path: Path) -> None:
    RunReference().write(tmp_path / "run.json")
    assert not RunReference.read(tmp_path / "run.json").is_enabled


@pytest.mark.parametrize("text", ["", "[]", '{"url": "x"}'])
def test_another_file_is_an_error_that_names_it(tmp_path: Path, text: str) -> None:
    path = tmp_path / "run.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"run\.json: expected uri, experiment_id and run_id"):
        RunReference.read(path)
