"""One scan from the command line, in and out of every format."""

import json

import numpy as np
import pytest
import SimpleITK
from typer.testing import CliRunner

from lungpipe.cli.main import app
from lungpipe.datasets.read import read_scan
from lungpipe.geometry import Grid
from lungpipe.resampling.resample import to_image
from lungpipe.volumes.store import open_volume

GRID = Grid((40, 60, 80), (3.0, 2.0, 2.0), (-50.0, -60.0, -80.0))


@pytest.fixture
def scan_path(tmp_path):
    """A box of tissue with two boxes of lung, 48 x 48 x 40 mm each."""
    hu = np.full(GRID.shape_zyx, -1000, np.int16)
    hu[:, 8:52, 6:74] = 30
    hu[12:28, 18:42, 14:34] = -850
    hu[12:28, 18:42, 44:64] = -850
    path = tmp_path / "1.2.3.mhd"
    SimpleITK.WriteImage(to_image(hu, GRID), str(path))
    return path


def run(*arguments, code=0):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    return result.output


def test_store_with_lungs_at_one_millimetre(scan_path, tmp_path):
    said = run("prepare", scan_path, tmp_path / "out.ome.zarr")
    volume = open_volume(tmp_path / "out.ome.zarr")
    assert volume.series_uid == "1.2.3"
    assert volume.grid == GRID.resampled((1.0, 1.0, 1.0))
    assert "118, 119, 159 voxels" in said
    litres = np.bincount(volume.read_lungs().ravel()) / 1000
    assert litres[1] == pytest.approx(92.16, rel=0.05)
    assert litres[2] == pytest.approx(92.16, rel=0.05)


@pytest.mark.parametrize("ending", [".mhd", ".mha", ".nii", ".nii.gz"])
def test_every_image_format_comes_back(scan_path, tmp_path, ending):
    run("prepare", scan_path, tmp_path / f"out{ending}", "--spacing", 3, 2, 2)
    again = read_scan(tmp_path / f"out{ending}")
    np.testing.assert_array_equal(again.hu, read_scan(scan_path).hu)
    np.testing.assert_allclose(again.grid.to_world((1, 2, 3)), GRID.to_world((1, 2, 3)), atol=1e-4)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_like_takes_the_references_grid(scan_path, tmp_path):
    grid = Grid((10, 12, 14), (2.0, 2.0, 2.0), (-10.0, -20.0, -50.0), ((1, 0, 0), (0, -1, 0), (0, 0, 1)))
    SimpleITK.WriteImage(to_image(np.zeros(grid.shape_zyx, np.uint8), grid), str(tmp_path / "mask.nii.gz"))
    run("prepare", scan_path, tmp_path / "out.mhd", "--like", tmp_path / "mask.nii.gz")
    run("prepare", scan_path, tmp_path / "lungs.mha", "--like", tmp_path / "mask.nii.gz", "--lungs-only")
    out = read_scan(tmp_path / "out.mhd")
    np.testing.assert_allclose(out.grid.to_world((3, 4, 5)), grid.to_world((3, 4, 5)), atol=1e-4)
    lungs = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(tmp_path / "lungs.mha")))
    assert lungs.dtype == np.uint8
    # a part of the right lung alone: found on the whole scan, then cut out
    assert set(np.unique(lungs)) <= {0, 2}
    assert ((lungs == 2) == (out.hu < -350)).mean() > 0.97


def test_info_of_scan_and_store_agree(scan_path, tmp_path):
    run("prepare", scan_path, tmp_path / "out.ome.zarr", "--spacing", 3, 2, 2)
    scan = json.loads(run("info", scan_path, "--json"))
    store = json.loads(run("info", tmp_path / "out.ome.zarr", "--json"))
    assert scan["shape_zyx"] == store["shape_zyx"] == [40, 60, 80]
    assert scan["origin_zyx_mm"] == store["origin_zyx_mm"] == [-50.0, -60.0, -80.0]
    assert (scan["min_hu"], scan["max_hu"]) == (-1000, 30)
    assert scan["left_lung_ml"] == store["left_lung_ml"] == pytest.approx(92.2, rel=0.05)


def test_info_in_words(scan_path):
    said = run("info", scan_path)
    assert "40, 60, 80" in said
    assert "-1000 to 30" in said
    assert "right lung" in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["out.png"], "expected an ending of .ome.zarr"),
        (["out.ome.zarr", "--lungs-only"], "expected an ending of .nii.gz"),
        (["out.mhd", "--like", "absent.mhd"], "No such file"),
        (["out.mhd", "--spacing", "0", "1", "1"], "three positive lengths"),
        (["out.mhd", "--spacing", "1", "1", "1", "--like", "absent.mhd"], "not both"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is_written(scan_path, tmp_path, arguments, message):
    before = sorted(tmp_path.iterdir())
    assert message in run("prepare", scan_path, tmp_path / arguments[0], *arguments[1:], code=2)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("command", ["info", "prepare"])
def test_missing_scan_is_named(tmp_path, command):
    out = [tmp_path / "out.mhd"] if command == "prepare" else []
    assert "absent.mhd" in run(command, tmp_path / "absent.mhd", *out, code=2)


def test_scan_without_lungs_is_refused_and_nothing_is_written(tmp_path):
    solid = np.full((20, 30, 30), 40, np.int16)
    solid[:, :5] = -1000
    SimpleITK.WriteImage(to_image(solid, Grid(solid.shape)), str(tmp_path / "head.mhd"))
    said = run("prepare", tmp_path / "head.mhd", tmp_path / "out.ome.zarr", code=2)
    assert "head.mhd: expected a chest with lungs" in said.replace("\n", " ")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["head.mhd", "head.raw"]
    run("prepare", tmp_path / "head.mhd", tmp_path / "out.ome.zarr", "--lung-mask", "whole")
    assert (open_volume(tmp_path / "out.ome.zarr").read_lungs() == 1).all()


def test_only_our_own_store_is_replaced(scan_path, tmp_path):
    other = tmp_path / "other.ome.zarr"
    other.mkdir()
    (other / "zarr.json").write_text('{"zarr_format": 3, "node_type": "group", "attributes": {}}')
    said = run("prepare", scan_path, other, "--force", code=2)
    assert "expected an OME-Zarr volume" in said
    assert [path.name for path in other.iterdir()] == ["zarr.json"]
    for _ in range(2):
        run("prepare", scan_path, tmp_path / "own.ome.zarr", "--spacing", 3, 2, 2, "--force")


def test_an_output_that_exists_is_replaced_only_by_force(scan_path, tmp_path):
    out = tmp_path / "out.mhd"
    run("prepare", scan_path, out)
    first = out.read_bytes()
    said = run("prepare", scan_path, out, "--spacing", 2, 2, 2, code=2)
    assert "--force replaces it" in " ".join(said.split())
    assert out.read_bytes() == first
    run("prepare", scan_path, out, "--spacing", 2, 2, 2, "--force")
    assert read_scan(out).grid.spacing_zyx_mm == (2.0, 2.0, 2.0)


def test_remarks_of_the_reader_go_to_stderr_and_into_json(scan_path, tmp_path):
    scan_path.with_suffix(".raw").rename(tmp_path / "1.2.3.RAW")
    remark = "voxels read from 1.2.3.RAW; the header names 1.2.3.raw"
    said = CliRunner().invoke(app, ["prepare", str(scan_path), str(tmp_path / "out.mhd")])
    assert said.exit_code == 0, said.output
    assert said.stderr == f"lungpipe: {remark}\n"
    told = CliRunner().invoke(app, ["info", str(scan_path), "--json"])
    assert json.loads(told.stdout)["remarks"] == [remark]
    assert remark in CliRunner().invoke(app, ["info", str(scan_path)]).stderr
