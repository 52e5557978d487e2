"""Heat maps from the command line: on the scan's own grid, in pictures, and inside the rendering."""

import numpy as np
import pandas as pd
import pytest
import SimpleITK
from chests import write_mhd
from PIL import Image
from random_detector import write_random_detector, write_random_scorer
from typer.testing import CliRunner

from lungpipe.cli.main import app
from lungpipe.export.bundle import Wishes, bundle_model
from lungpipe.geometry import Grid

UID = "1.2.3"
GRID = Grid((40, 60, 60), (2.5, 1.5, 1.5), (-200.0, 10.0, 90.0), ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, -1.0)))
"""Anisotropic, away from the origin, and flipped along x."""
NODULE = (20, 30, 40)


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    rng = np.random.default_rng(0)
    hu = rng.normal(-850, 30, GRID.shape_zyx)
    offset = (np.stack(np.indices(GRID.shape_zyx), axis=-1) - NODULE) * GRID.spacing_zyx_mm
    hu[np.linalg.norm(offset, axis=-1) < 6] = 40
    return write_mhd(tmp_path_factory.mktemp("scan"), UID, hu.astype(np.int16), GRID).header_path


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    write_random_detector(folder / "detector.safetensors")
    write_random_scorer(folder / "scorer.safetensors")
    return folder


@pytest.fixture
def candidates(tmp_path):
    z, y, x = GRID.to_world(NODULE)
    rows = [f"{UID},{x},{y},{z},12,0.7,0.9", f"{UID},{x - 20},{y + 8},{z - 10},-1,0.9,0.2", f"8.8,{x},{y},{z},12,1,1"]
    path = tmp_path / "candidates.csv"
    path.write_text("\n".join(["seriesuid,coordX,coordY,coordZ,diameter_mm,probability,malignancy", *rows]) + "\n")
    return path


def run(scan, candidates, model, out, *words):
    arguments = [scan, "--candidates", candidates, "--model", model, "--out", out, "--threads", "1", *words]
    return CliRunner().invoke(app, ["explain", *map(str, arguments)])


def test_the_map_is_on_the_scans_own_grid_around_the_candidates(scan, candidates, model, tmp_path):
    out = tmp_path / "explained"
    done = run(scan, candidates, model, out, "--device", "cpu")
    assert done.exit_code == 0, done.output
    assert done.output.strip() == f"{out}: Grad-CAM of nodule for 2 candidates"
    image = SimpleITK.ReadImage(str(out / "gradcam.nii.gz"))
    assert image.GetSize() == GRID.size_xyz
    np.testing.assert_allclose(image.GetOrigin(), GRID.origin_xyz_mm, atol=1e-3)
    np.testing.assert_allclose(image.GetDirection(), GRID.direction_xyz, atol=1e-6)
    heat = SimpleITK.GetArrayFromImage(image)
    assert heat.dtype == np.float32
    assert heat.min() == 0
    assert 0.8 < heat.max() <= 1
    # a patch has 16 voxels of 2 mm
    table = pd.read_csv(out / "explanation.csv")
    centers = GRID.to_index(table[["coordZ", "coordY", "coordX"]].to_numpy())
    hot = np.argwhere(heat > 0)
    reach = np.abs((hot[:, None] - centers) * GRID.spacing_zyx_mm).max(axis=-1).min(axis=1)
    assert reach.max() < 16 + 2


def test_the_scorer_may_be_in_a_bundle(scan, candidates, model, tmp_path):
    bundle = tmp_path / "model.lungpipe"
    bundle_model(model, bundle, Wishes(has_programs=False))
    for name, source in (("folder", model), ("bundle", bundle)):
        done = run(scan, candidates, source, tmp_path / name, "--device", "cpu")
        assert done.exit_code == 0, done.output
    tables = [(tmp_path / name / "explanation.csv").read_bytes() for name in ("folder", "bundle")]
    assert tables[0] == tables[1]


def test_the_table_has_the_most_probable_candidate_first(scan, candidates, model, tmp_path):
    out = tmp_path / "explained"
    assert run(scan, candidates, model, out, "--output", "malignancy").exit_code == 0
    table = pd.read_csv(out / "explanation.csv")
    assert table["probability"].tolist() == [0.9, 0.7]
    assert set(table["output"]) == {"malignancy"}
    assert (table["map_maximum"] >= 0).all()
    # LUNA16's negative diameter is unknown
    assert table["share_in_nodule"].isna().tolist() == [True, False]
    assert table["share_of_patch"][1] == pytest.approx(np.pi / 6 * 12**3 / 32**3)
    names = {path.name for path in out.iterdir()}
    assert names == {"explanation.csv", "gradcam.nii.gz", "candidate-01.png", "candidate-02.png"}
    assert Image.open(out / "candidate-02.png").size[0] > 700


def test_the_method_names_table_pictures_and_map(scan, candidates, model, tmp_path):
    out = tmp_path / "explained"
    done = run(scan, candidates, model, out, "--method", "hirescam")
    assert done.output.strip() == f"{out}: HiResCAM of nodule for 2 candidates"
    assert set(pd.read_csv(out / "explanation.csv")["method"]) == {"hirescam"}
    assert (out / "hirescam.nii.gz").is_file()
    assert not (out / "gradcam.nii.gz").exists()


def test_the_scene_shows_the_map_inside_the_rendering(scan, candidates, model, tmp_path):
    out = tmp_path / "explained"
    done = run(scan, candidates, model, out, "--scene", "--whole-volume", "--most", "1", "--quiet")
    assert (done.exit_code, done.output) == (0, "")
    pixels = np.asarray(Image.open(out / "scene.png").convert("RGB")).astype(int)[:640]
    is_hot = (pixels[..., 0] > 180) & (pixels[..., 2] < pixels[..., 0] - 80)
    assert is_hot.sum() > 50
    assert len(pd.read_csv(out / "explanation.csv")) == 1


def test_refusals_leave_nothing(scan, candidates, model, tmp_path):
    out = tmp_path / "explained"
    lines = candidates.read_text().splitlines()
    candidates.write_text("\n".join([lines[0], f"{UID},999,10,-200,12,0.5,0.5"]) + "\n")
    done = run(scan, candidates, model, out)
    assert done.exit_code == 2
    assert "row 1: expected a position inside the scan, found (999.0, 10.0, -200.0) mm" in done.output
    candidates.write_text("\n".join([lines[0], lines[3]]) + "\n")
    done = run(scan, candidates, model, out)
    assert f"expected rows of the series {UID}, found none in 1 rows" in done.output
    done = run(scan, candidates, model / "detector.safetensors", out)
    assert done.exit_code == 2
    assert "expected a scorer, found a detector" in done.output
    assert not out.exists()


def test_another_folder_is_not_replaced(scan, candidates, model, tmp_path):
    out = tmp_path / "mine"
    out.mkdir()
    (out / "note.txt").write_text("mine")
    done = run(scan, candidates, model, out, "--force")
    assert done.exit_code == 2
    assert "expected an earlier result to replace, found files without explanation.csv" in done.output
    assert [path.name for path in out.iterdir()] == ["note.txt"]
