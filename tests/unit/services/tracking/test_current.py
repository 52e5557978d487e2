"""The file that leads from a job to its parent run."""

import pytest

from lungpipe.services.tracking.current import CurrentRun


@pytest.mark.parametrize("plan", ["0123456789abcdef", None])
def test_a_run_survives_its_file(tmp_path, plan):
    current = CurrentRun(plan, "abc")
    current.write(tmp_path / "run.json")
    assert CurrentRun.read(tmp_path / "run.json") == current


@pytest.mark.parametrize("text", ["", "[]", '{"url": "x"}', '{"plan": 7, "commit": "x"}', "[" * 100_000])
def test_another_file_is_an_error_that_names_it(tmp_path, text):
    path = tmp_path / "run.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"run\.json: expected plan and commit"):
        CurrentRun.read(path)
