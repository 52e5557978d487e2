"""Volume renderings from the command line."""

import sys

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from lungpipe.cli.main import app
from lungpipe.geometry import Grid
from lungpipe.volumes.writer import write_volume

UID = "1.2.3"


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Two balls of lung in tissue, with a nodule."""
    shape = (30, 30, 60)
    hu, lungs = np.full(shape, 30, np.int16), np.zeros(shape, np.uint8)
    index = np.stack(np.indices(shape), axis=-1)
    for label, x in ((1, 44), (2, 16)):
        lungs[np.linalg.norm(index - (15, 15, x), axis=-1) < 11] = label
    hu[lungs > 0] = -850
    hu[np.linalg.norm(index - (15, 15, 44), axis=-1) < 3] = 50
    path = tmp_path_factory.mktemp("store") / "a.ome.zarr"
    write_volume(path, hu, Grid(shape, (2.0, 2.0, 2.0)), lungs, series_uid=UID, attributes={})
    return path


@pytest.fixture
def candidates(tmp_path):
    path = tmp_path / "candidates.csv"
    path.write_text(
        "seriesuid,coordX,coordY,coordZ,diameter_mm,probability,malignancy\n"
        f"{UID},88,30,30,12,0.9,0.8\n{UID},32,30,30,8,0.2,0.1\n"
    )
    return path


def run(*words):
    return CliRunner().invoke(app, ["render", *map(str, words), "--threads", "1", "--size", "96"])


def test_a_picture_with_nodules_and_the_histogram(store, candidates, tmp_path):
    out = tmp_path / "a.png"
    words = (store, "--candidates", candidates, "--out", out, "--transfer", "otsu", "--histogram", tmp_path / "h.png")
    done = run(*words)
    assert done.exit_code == 0, done.output
    # the candidate below the threshold of 0.5 is left out
    assert done.output.strip() == f"{out}: opaque above Otsu's threshold, -412 HU   1 nodule"
    pixels = np.asarray(Image.open(out).convert("RGB")).astype(int)
    is_red = (pixels[:96, :, 0] > 150) & (pixels[:96, :, 2] < 90)
    assert np.argwhere(is_red)[:, 1].mean() > 48
    assert Image.open(tmp_path / "h.png").size[0] > 500


def test_a_turn(store, tmp_path):
    done = run(store, "--out", tmp_path / "a.gif", "--frames", "3", "--quiet")
    assert (done.exit_code, done.output) == (0, "")
    with Image.open(tmp_path / "a.gif") as found:
        assert found.n_frames == 3


def test_the_whole_volume_needs_no_lungs(store, tmp_path):
    done = run(store, "--out", tmp_path / "a.png", "--whole-volume", "--transfer", "gradient")
    assert done.exit_code == 0, done.output


def test_refusals_leave_nothing(store, candidates, tmp_path):
    out = tmp_path / "a.jpg"
    done = run(store, "--out", out)
    assert done.exit_code == 2
    assert "expected an ending of .png, .gif, .mp4, found a.jpg" in done.output
    (tmp_path / "a.png").write_text("mine")
    assert "--force replaces it" in run(store, "--out", tmp_path / "a.png").output.replace("\n", " ")
    candidates.write_text(candidates.read_text().replace(UID, "9.9"))
    done = run(store, "--out", tmp_path / "b.png", "--candidates", candidates)
    assert done.exit_code == 2
    assert f"expected rows of the series {UID}, found none in 2 rows" in done.output
    assert {path.name for path in tmp_path.iterdir()} == {"a.png", "candidates.csv"}


def test_without_vtk_the_extra_is_named(store, tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name.startswith(("vtkmodules", "lungpipe.rendering"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "vtkmodules", None)
    done = run(store, "--out", tmp_path / "a.png")
    assert done.exit_code == 2
    assert "expected the packages of the extra viz (pip install -e '.[viz]'), found no VTK" in done.output
