"""The command evaluate, run as a user runs them."""

import json
import shutil
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from lungpipe.cli.main import app
from lungpipe.tables import write_digests

HEADER = "seriesuid,coordX,coordY,coordZ,"


@pytest.fixture
def files(tmp_path):
    """Two scans with a nodule each: both found by `good`, one by `poor`."""

    def write(name, text):
        (tmp_path / name).write_text(text)
        return str(tmp_path / name)

    return {
        "good": write("good.csv", f"{HEADER}probability\na,-10,-20,-30,0.9\nb,-10,-20,-31,0.8\nb,70,0,0,0.3\n"),
        "poor": write("poor.csv", f"{HEADER}probability\na,-10,-20,-30,0.9\nb,70,0,0,0.95\n"),
        "annotations": write("annotations.csv", f"{HEADER}diameter_mm\na,-10,-20,-30,6\nb,-10,-20,-30,9\n"),
        "excluded": write("excluded.csv", f"{HEADER}diameter_mm\nb,70,0,0,-1\n"),
        "series": write("series.csv", "seriesuid\na\nb\n"),
        "subsets": write("subsets.csv", "seriesuid,subset\na,0\nb,1\n"),
        "broken": write("broken.csv", f"{HEADER}probability\na,-10,-20,here,0.9\n"),
        "out": str(tmp_path / "out"),
    }


def lungpipe(*arguments):
    return CliRunner().invoke(app, list(arguments))


def evaluate(files, submission, *more):
    reference = ["--annotations", files["annotations"], "--bootstraps", "20", "--out", files["out"]]
    return lungpipe("evaluate", files[submission], *reference, *more)


def test_evaluate_shows_a_table_and_writes_four_files(files, tmp_path):
    official = ["--excluded", files["excluded"], "--series", files["series"], "--subsets", files["subsets"]]
    result = evaluate(files, "good", *official)
    assert result.exit_code == 0, result.output
    assert "CPM" in result.stdout
    assert "1.00000" in result.stdout
    assert "WARNING" not in result.output
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"evaluation.json", "froc.csv", "froc.png", "froc_band.csv", "matches.parquet"}
    report = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert (report["cpm"], report["num_scans"], report["ignored_on_excluded"]) == (1.0, 2, 1)
    assert report["bootstrap"] == {"num_samples": 20, "seed": 0, "unit": "scan", "level": 0.95}
    assert report["inputs"]["excluded"]["file"] == "excluded.csv"
    assert [part["name"] for part in report["strata"]["subset"]] == ["0", "1"]
    assert (tmp_path / "out" / "froc.png").read_bytes().startswith(b"\x89PNG")


def test_warnings_are_loud_and_on_stderr(files):
    result = evaluate(files, "good")
    assert result.exit_code == 0
    assert "WARNING missing_exclusions" in result.stderr
    assert "WARNING missing_series_list" in result.stderr
    assert "WARNING" not in result.stdout


def test_bad_input_ends_with_two_and_one_clear_message(files, tmp_path):
    result = evaluate(files, "broken")
    assert result.exit_code == 2
    expected = f"{files['broken']}, row 1 (line 2), column coordZ: expected a finite number, found 'here'"
    assert result.output == f"lungpipe: {expected}\n"
    assert not (tmp_path / "out").exists()


def test_a_missing_file_and_an_unwritable_folder_end_with_two(files, tmp_path):
    missing = lungpipe("evaluate", "none.csv", "--annotations", files["annotations"], "--out", files["out"])
    assert missing.exit_code == 2
    assert "none.csv: expected a readable CSV file" in missing.output
    files["out"] = files["good"]
    assert evaluate(files, "good").exit_code == 2


def test_compare_prints_and_writes_difference_interval_and_p(files, tmp_path):
    arguments = ["--annotations", files["annotations"], "--excluded", files["excluded"], "--series", files["series"]]
    result = lungpipe("compare", files["poor"], files["good"], *arguments, "--bootstraps", "50", "--out", files["out"])
    assert result.exit_code == 0, result.output
    assert "B minus A" in result.stdout
    report = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert (report["cpm_a"], report["cpm_b"]) == (0.5, 1.0)
    assert report["cpm_difference"]["difference"] == 0.5


def test_compare_needs_no_list_and_no_folder(files):
    result = lungpipe("compare", files["good"], files["good"], "--annotations", files["annotations"])
    assert result.exit_code == 0
    for warning in ("WARNING missing_series_list", "WARNING A: missing_exclusions", "WARNING B: missing_exclusions"):
        assert warning in result.stderr
    assert "1.0000" in result.stdout


@pytest.fixture
def studies(files, tmp_path):
    """Two folders of studies whose submissions are `poor` and `good`."""
    names = {"annotations": "annotations.csv", "excluded": "annotations_excluded.csv", "series": "series.csv"}
    for study in ("poor", "good"):
        folder = tmp_path / study / "evaluation"
        folder.mkdir(parents=True)
        for role, name in {study: "submission.csv", **names}.items():
            shutil.copy(files[role], folder / name)
    return tmp_path


def test_compare_takes_the_folders_of_two_studies(studies, files):
    for study, seed in (("poor", 1), ("good", 7)):
        (studies / study / "settings.yaml").write_text(f"seed: {seed}\n")
    out = ["--bootstraps", "50", "--out", files["out"]]
    result = lungpipe("compare", str(studies / "poor"), str(studies / "good" / "evaluation"), *out)
    assert result.exit_code == 0, result.output
    report = json.loads((studies / "out" / "comparison.json").read_text())
    assert (report["cpm_a"], report["cpm_b"], report["num_scans"]) == (0.5, 1.0, 2)
    assert result.stdout.endswith("\nseed: 1 in A, 7 in B\n")
    assert "WARNING" not in result.output


def test_compare_takes_a_study_and_a_submission(studies, files):
    result = lungpipe("compare", str(studies / "poor"), files["good"], "--bootstraps", "50", "--out", files["out"])
    assert result.exit_code == 0, result.output
    assert json.loads((studies / "out" / "comparison.json").read_text())["cpm_b"] == 1.0


def test_compare_names_a_path_that_does_not_exist():
    refused = lungpipe("compare", "results/flagshp", "b.csv")
    assert refused.exit_code == 2
    assert "results/flagshp: expected a submission or the folder of a study, found none" in refused.output


def test_quiet_evaluation_prints_warnings_alone(files):
    quiet = evaluate(files, "good", "--quiet")
    assert (quiet.exit_code, quiet.stdout) == (0, "")
    assert "WARNING" in quiet.stderr


def test_compare_refuses_studies_of_different_scans(studies):
    series = studies / "good" / "evaluation" / "series.csv"
    series.write_text("seriesuid\na\n")
    result = lungpipe("compare", str(studies / "poor"), str(studies / "good"))
    assert result.exit_code == 2
    assert "expected evaluations of the same scans and nodules, found that" in result.output
    assert str(series) in result.output


@pytest.mark.parametrize("name", ["submission.csv", "annotations.csv", "series.csv"])
def test_compare_refuses_files_of_a_study_that_were_edited(studies, name):
    folder = studies / "good" / "evaluation"
    write_digests(folder.glob("*.csv"), folder)
    edited = folder / name
    edited.write_text(edited.read_text() + "\n")
    result = lungpipe("compare", str(studies / "poor"), str(studies / "good"))
    assert result.exit_code == 2
    assert f"{edited}: expected the content that was written with it" in result.output


def test_compare_refuses_settings_that_were_edited(studies):
    for study in ("poor", "good"):
        (studies / study / "settings.yaml").write_text("seed: [1")
    result = lungpipe("compare", str(studies / "poor"), str(studies / "good"))
    assert result.exit_code == 2
    assert f"{studies}/poor/settings.yaml: expected the settings of a study in YAML, found" in result.output


def test_compare_refuses_a_folder_without_an_evaluation_and_files_without_annotations(studies, files):
    result = lungpipe("compare", str(studies / "poor"), str(studies))
    assert result.exit_code == 2
    assert f"{studies}: expected the folder of a study or its evaluation" in result.output
    result = lungpipe("compare", files["poor"], files["good"])
    assert result.exit_code == 2
    assert "expected the annotations" in result.output


@pytest.mark.parametrize("command", ["evaluate", "compare"])
def test_help_names_every_option(command):
    result = lungpipe(command, "--help")
    assert result.exit_code == 0
    for option in ("--annotations", "--excluded", "--series", "--bootstraps", "--seed", "--out"):
        assert option in result.output


def test_the_module_is_the_command_and_its_help_loads_no_room():
    code = (
        "import runpy, sys\nsys.argv = ['lungpipe', '--help']\n"
        "try: runpy.run_module('lungpipe', run_name='__main__')\n"
        "finally: sys.stderr.write(' '.join(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "evaluate" in done.stdout
    loaded = set(done.stderr.split())
    assert "lungpipe.cli.evaluate" in loaded
    assert not loaded & {"numpy", "pandas", "torch", "matplotlib", "snakemake", "mlflow", "zarr"}


def test_evaluate_needs_no_deep_learning_and_no_imaging_library():
    code = (
        "import sys, lungpipe.evaluation.evaluate, lungpipe.evaluation.comparison, lungpipe.evaluation.malignancy\n"
        "sys.stdout.write(' '.join(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"torch", "SimpleITK", "zarr", "mlflow", "snakemake", "sklearn", "scipy", "matplotlib", "dask"}
    assert not set(done.stdout.split()) & heavy
