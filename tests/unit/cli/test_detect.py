"""Detection from the command line: one scan in any form, a whole dataset, and what is refused."""

import shutil

import numpy as np
import pandas as pd
import pytest
from random_detector import SPACING_MM, write_random_detector, write_random_scorer
from typer.testing import CliRunner

from lungpipe.cli.main import app
from lungpipe.datasets.luna16 import list_scans
from lungpipe.evaluation.submission import read_submission
from lungpipe.tables import CENTER_COLUMNS
from lungpipe.volumes.store import open_volume

COLUMNS = ["seriesuid", "coordX", "coordY", "coordZ", "probability", "diameter_mm"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_random_detector(tmp_path_factory.mktemp("model") / "detector.safetensors")


@pytest.fixture(scope="module")
def store(scan, tmp_path_factory):
    path = tmp_path_factory.mktemp("store") / f"{scan.series_uid}.ome.zarr"
    run("prepare", scan.header_path, path, "--spacing", *SPACING_MM)
    return path


def run(*arguments, code=0):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    return result


def detect(source, out, model, *arguments, code=0):
    return run(
        "detect", source, "--out", out, "--model", model, "--device", "cpu", "--threads", 1, *arguments, code=code
    )


def said(result):
    return " ".join(result.output.replace("│", " ").split())


def test_detections_do_not_depend_on_how_a_scan_comes(dataset, scan, store, model, tmp_path):
    for source, name in ((scan.header_path, "raw"), (store, "store"), (dataset, "dataset")):
        detect(source, tmp_path / f"{name}.csv", model)
    raw, stored, both = (pd.read_csv(tmp_path / f"{name}.csv") for name in ("raw", "store", "dataset"))
    assert list(raw.columns) == COLUMNS
    assert len(raw) > 3
    assert raw["probability"].is_monotonic_decreasing
    assert (raw["diameter_mm"] > 0).all()
    pd.testing.assert_frame_equal(raw, stored)
    assert both["seriesuid"].nunique() == 2
    pd.testing.assert_frame_equal(raw, both[both["seriesuid"] == scan.series_uid].reset_index(drop=True))


def test_a_model_with_a_scorer_gives_the_probability_of_both(store, model, tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    shutil.copy(model, folder / "detector.safetensors")
    write_random_scorer(folder / "scorer.safetensors")
    detect(store, tmp_path / "both.csv", folder)
    detect(store, tmp_path / "alone.csv", folder, "--detector-only")
    detect(store, tmp_path / "file.csv", model)
    both, alone, file = (pd.read_csv(tmp_path / f"{name}.csv") for name in ("both", "alone", "file"))
    pd.testing.assert_frame_equal(alone, file)
    assert both["probability"].is_monotonic_decreasing
    places = COLUMNS[1:4]
    same = both.merge(alone, on=places)
    assert len(same) == len(both) == len(alone)
    assert (same["probability_x"] != same["probability_y"]).all()


def test_evaluate_reads_what_was_detected(scan, store, model, tmp_path):
    detect(store, tmp_path / "out.csv", model)
    marks = read_submission(tmp_path / "out.csv")
    volume = open_volume(store)
    assert set(marks["series_uid"]) == {scan.series_uid}
    assert volume.grid.contains(marks[list(CENTER_COLUMNS)].to_numpy()).all()


def test_lungs_are_searched_unless_the_whole_volume_is_asked_for(store, model, tmp_path):
    detect(store, tmp_path / "lungs.csv", model)
    detect(store, tmp_path / "whole.csv", model, "--whole-volume")
    volume = open_volume(store)
    far = []
    for name in ("lungs", "whole"):
        centers = read_submission(tmp_path / f"{name}.csv")[list(CENTER_COLUMNS)].to_numpy()
        lungs = volume.grid.to_world(np.argwhere(volume.read_lungs()))
        far.append(max(np.linalg.norm(lungs - center, axis=1).min() for center in centers))
    # the margin of 5 mm, and half the diagonal of the coarse voxel (4 mm) in which a centre may lie
    assert far[0] <= 5.0 + 4.0 * np.sqrt(3)
    assert far[1] > 5.0 + 4.0 * np.sqrt(3)


def test_a_raw_scan_may_be_searched_whole_too(scan, store, model, tmp_path):
    for source, name in ((scan.header_path, "raw"), (store, "store")):
        detect(source, tmp_path / f"{name}.csv", model, "--whole-volume")
    assert (tmp_path / "raw.csv").read_bytes() == (tmp_path / "store.csv").read_bytes()


def test_weak_detections_are_dropped(store, model, tmp_path):
    detect(store, tmp_path / "all.csv", model)
    table = pd.read_csv(tmp_path / "all.csv")
    cut = float(table["probability"].iloc[2])
    detect(store, tmp_path / "few.csv", model, "--threshold", cut)
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "few.csv"), table[table["probability"] >= cut])
    detect(store, tmp_path / "none.csv", model, "--threshold", 1.0)
    assert (tmp_path / "none.csv").read_text() == ",".join(COLUMNS) + "\n"


def test_progress_is_told_unless_quiet(dataset, scan, model, tmp_path):
    told = detect(dataset, tmp_path / "a.csv", model, "--threshold", 1.0)
    assert f"2 of 2, {scan.series_uid}: 0 detections" in told.stdout
    assert told.stdout.endswith("a.csv: 0 detections in 2 of 2 scans\n")
    assert detect(dataset, tmp_path / "b.csv", model, "--quiet").output == ""


def test_a_scan_that_fails_is_named_at_the_end_and_the_others_are_done(dataset, scan, model, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(dataset, copy)
    broken = list_scans(copy, 0)[0]
    broken.data_path.write_bytes(b"short")
    result = detect(copy, tmp_path / "out.csv", model, code=1)
    assert f"1 of 2, {broken.series_uid}: failed" in result.stdout
    assert result.stdout.endswith("detections in 1 of 2 scans\n")
    assert f"lungpipe: {broken.series_uid}: {broken.data_path}: expected" in result.stderr
    assert set(pd.read_csv(tmp_path / "out.csv")["seriesuid"]) == {scan.series_uid}


def test_scans_that_the_model_learned_from_are_remarked(scan, store, tmp_path):
    model = write_random_detector(tmp_path / "seen.safetensors", saw=(scan.series_uid,))
    result = detect(store, tmp_path / "out.csv", model)
    assert "lungpipe: the model was trained or validated on 1 of 1 scans" in result.stderr


def test_an_output_that_exists_is_replaced_only_by_force(store, model, tmp_path):
    out = tmp_path / "out.csv"
    out.write_text("mine")
    assert "--force replaces it" in said(detect(store, out, model, code=2))
    assert out.read_text() == "mine"
    detect(store, out, model, "--force")
    assert out.read_text().startswith("seriesuid,")


def test_without_a_model_the_message_says_how_to_train_one(store, tmp_path, monkeypatch):
    monkeypatch.setattr("lungpipe.shipped.SHIPPED_MODEL", "none")
    text = said(run("detect", store, "--out", tmp_path / "out.csv", code=2))
    assert "this lungpipe has none in its package" in text
    assert "snakemake --cores 8" in text


def test_the_model_in_the_package_is_used_without_another(store, model, tmp_path, monkeypatch):
    shutil.copy(model, tmp_path / "detector.safetensors")
    monkeypatch.setattr("lungpipe.shipped.SHIPPED_MODEL", str(tmp_path))
    run("detect", store, "--out", tmp_path / "shipped.csv", "--device", "cpu", "--threads", 1)
    detect(store, tmp_path / "file.csv", model)
    detect(store, tmp_path / "folder.csv", tmp_path)
    shipped = (tmp_path / "shipped.csv").read_bytes()
    assert shipped == (tmp_path / "file.csv").read_bytes() == (tmp_path / "folder.csv").read_bytes()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "none.safetensors"}, "none.safetensors"),
        ({"model": "text.safetensors"}, "text.safetensors: expected a model in safetensors"),
        ({"source": "none.mhd"}, "none.mhd"),
        ({"source": "subsets"}, "subsets: expected scans (.mhd or .mha) in the subset folders, found none"),
        ({"device": "tpu"}, "device: expected auto, cpu or gpu:<number>, found 'tpu'"),
        ({"device": "gpu:99"}, "device: expected a GPU for 'gpu:99'"),
    ],
    ids=["no-model-file", "no-model", "no-scan", "no-scans", "device", "gpu"],
)
def test_bad_input_is_one_message_and_no_output(store, model, tmp_path, change, message):
    (tmp_path / "text.safetensors").write_text("some text that is no model")
    (tmp_path / "subsets" / "subset0").mkdir(parents=True)
    chosen = {"source": store, "model": model, "device": "cpu"}
    chosen |= {name: value if name == "device" else tmp_path / value for name, value in change.items()}
    command = ["detect", chosen["source"], "--out", tmp_path / "out.csv", "--model", chosen["model"]]
    result = run(*command, "--device", chosen["device"], code=2)
    assert message in result.stderr
    assert "Traceback" not in result.output
    assert not (tmp_path / "out.csv").exists()


def test_a_store_of_another_spacing_is_refused(scan, model, tmp_path):
    path = tmp_path / "coarse.ome.zarr"
    run("prepare", scan.header_path, path, "--spacing", 3, 2, 2)
    result = detect(path, tmp_path / "out.csv", model, code=2)
    assert "coarse.ome.zarr: expected the model's spacing 2, 2, 2 mm (zyx), found 3, 2, 2" in result.stderr
