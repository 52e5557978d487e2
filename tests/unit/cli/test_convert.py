"""The command `lungpipe convert`, run as a user runs it."""

import json

from typer.testing import CliRunner

from lungpipe.cli.main import app
from lungpipe.evaluation.submission import read_submission

RESULT = [{"image": "1.2.3.nii.gz", "box": [[1, 2, 3, 4, 5, 6]], "label_scores": [0.5], "label": [0]}]


def test_converted_predictions_are_a_submission_and_replace_nothing(tmp_path):
    (tmp_path / "fold0.json").write_text(json.dumps(RESULT))
    words = ["convert", "monai", str(tmp_path / "fold0.json"), "--out", str(tmp_path / "marks.csv")]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert "1 mark in 1 scan\n" in done.output
    assert read_submission(tmp_path / "marks.csv").iloc[0].tolist() == ["1.2.3", 3.0, 2.0, 1.0, 0.5]
    again = CliRunner().invoke(app, words)
    assert again.exit_code == 2
    assert "--force replaces it" in again.output
    assert CliRunner().invoke(app, [*words, "--force"]).exit_code == 0


def test_bad_predictions_are_one_line(tmp_path):
    (tmp_path / "fold0.json").write_text("{}")
    done = CliRunner().invoke(app, ["convert", "monai", str(tmp_path / "fold0.json"), "--out", str(tmp_path / "a.csv")])
    assert done.exit_code == 2
    assert done.output == f"lungpipe: {tmp_path / 'fold0.json'}: expected a list of scans, found none\n"
    assert not (tmp_path / "a.csv").exists()
