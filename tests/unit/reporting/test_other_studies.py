"""Other studies of a dataset: read as they were written, or left out with the reason."""

import shutil

import pytest

from lungpipe.evaluation.evaluate_study import write_study
from lungpipe.evaluation.result_tables import STUDY_FILES
from lungpipe.reporting.other_studies import read_other_studies
from lungpipe.tables import write_digests


@pytest.fixture(scope="module")
def written(evaluation, tables, tmp_path_factory):
    folder = tmp_path_factory.mktemp("written") / "evaluation"
    write_study(evaluation, tables, folder, rule="mean_gt_3")
    return folder


@pytest.fixture
def dataset(written, tmp_path):
    """Two reported studies of a dataset, `ours` and `seed7`."""
    for name in ("ours", "seed7"):
        shutil.copytree(written, tmp_path / name / "evaluation")
        (tmp_path / name / "settings.yaml").write_text("seed: 7\n")
    return tmp_path


def read(dataset):
    lines = []
    return read_other_studies(dataset / "ours", lines.append), lines


def test_another_study_is_read_with_its_marks(dataset, evaluation):
    others, lines = read(dataset)
    assert set(others) == {"seed7"}
    assert others["seed7"].summary["cpm"] == evaluation.summary["cpm"]
    assert len(others["seed7"].stored.matches)
    assert lines == []


@pytest.mark.parametrize("name", ["evaluation.json", "submission.csv", "series.csv", "command.txt"])
def test_a_study_with_an_edited_file_is_left_out_by_name(dataset, name):
    path = dataset / "seed7" / "evaluation" / name
    path.write_text(path.read_text() + " ")
    others, [line] = read(dataset)
    assert others == {}
    assert line.startswith(f"study seed7 is left out of the comparison: {path}: expected the content")


def test_a_study_of_an_earlier_version_has_its_figures_only(dataset, evaluation):
    (dataset / "seed7" / "evaluation" / "digests.json").unlink()
    others, lines = read(dataset)
    assert others["seed7"].stored is None
    assert others["seed7"].summary["cpm"] == evaluation.summary["cpm"]
    assert lines == []
    (dataset / "seed7" / "evaluation" / "evaluation.json").write_text("{")
    others, [line] = read(dataset)
    assert others == {}
    assert "evaluation.json: expected the evaluation of a study in JSON, found" in line


def test_a_study_that_was_never_evaluated_is_no_other_study(dataset):
    shutil.rmtree(dataset / "seed7" / "evaluation")
    assert read(dataset) == ({}, [])


def test_a_study_whose_tables_have_other_columns_is_left_out_by_name(dataset):
    folder = dataset / "seed7" / "evaluation"
    (folder / "froc.csv").write_text("rate,sensitivity\n0.125,0.5\n")
    write_digests([folder / name for name in STUDY_FILES], folder)
    others, [line] = read(dataset)
    assert others == {}
    assert line.startswith(f"study seed7 is left out of the comparison: {folder}: expected the tables of an evaluation")


def test_a_study_that_is_being_written_is_left_out_by_name(dataset):
    folder = dataset / "seed7" / "evaluation"
    (folder / "command.txt").unlink()
    others, [line] = read(dataset)
    assert others == {}
    assert "command.txt" in line
