"""The store: what goes in comes out, under standard metadata, whole or not at all."""

import json
import pickle

import numpy as np
import ome_zarr_models
import pytest
import zarr

from lungpipe.geometry import Grid, Window
from lungpipe.volumes.store import VolumeError, open_volume, read_own_attributes
from lungpipe.volumes.writer import write_volume

GRID = Grid((37, 70, 81), (2.0, 1.0, 0.5), (-300.5, 10.25, -77.0))
RNG = np.random.default_rng(5)
HU = RNG.integers(-1024, 3000, GRID.shape_zyx).astype(np.int16)
LUNGS = RNG.integers(0, 3, GRID.shape_zyx).astype(np.uint8)
UID = "1.3.6.1.4.1.14519.5.2.1.6279.6001.100"


@pytest.fixture
def path(tmp_path):
    path = tmp_path / f"{UID}.ome.zarr"
    write_volume(path, HU, GRID, LUNGS, series_uid=UID, attributes={"entry": {"code": "c"}})
    return path


def test_what_goes_in_comes_out(path):
    volume = open_volume(path)
    assert volume.series_uid == UID
    assert volume.grid == GRID
    assert volume.attributes["entry"] == {"code": "c"}
    np.testing.assert_array_equal(volume.read_hu(), HU)
    np.testing.assert_array_equal(volume.read_lungs(), LUNGS)
    assert volume.read_hu().dtype == np.int16
    assert volume.read_lungs().dtype == np.uint8


@pytest.mark.parametrize(
    ("start", "shape"),
    [((5, 60, 3), (8, 8, 8)), ((-3, -3, -3), (9, 9, 9)), ((30, 64, 70), (20, 20, 20)), ((99, 0, 0), (2, 2, 2))],
)
def test_window_is_the_arrays_own(path, start, shape):
    window = Window(start, shape)
    volume = open_volume(path)
    np.testing.assert_array_equal(volume.read_hu(window), window.cut_nearest(HU))
    np.testing.assert_array_equal(volume.read_hu(window, fill=7), window.cut(HU, 7))
    np.testing.assert_array_equal(volume.read_lungs(window), window.cut(LUNGS, 0))


def test_opened_volume_travels_to_another_process(path):
    volume = pickle.loads(pickle.dumps(open_volume(path)))  # noqa: S301 - own bytes
    np.testing.assert_array_equal(volume.read_hu(Window((0, 0, 0), (4, 4, 4))), HU[:4, :4, :4])


def test_metadata_is_valid_ome_ngff(path):
    group = zarr.open_group(str(path), mode="r")
    image = ome_zarr_models.open_ome_zarr(group)
    assert type(image).__module__ == "ome_zarr_models.v05.image"
    multiscale = image.attributes.ome.multiscales[0]
    assert [axis.name for axis in multiscale.axes] == ["z", "y", "x"]
    assert {axis.unit for axis in multiscale.axes} == {"millimeter"}
    assert image.labels is not None
    assert "lungs" in image.labels.label_paths
    label = ome_zarr_models.open_ome_zarr(group["labels/lungs"])
    assert type(label).__module__ == "ome_zarr_models.v05.image_label"


def test_world_of_both_levels_by_the_standards_own_rules(path):
    levels = json.loads((path / "zarr.json").read_text())["attributes"]["ome"]["multiscales"][0]["datasets"]
    for level, shift in ((0, 0.0), (1, 0.5)):
        steps = levels[level]["coordinateTransformations"]
        assert [step["type"] for step in steps] == ["scale", "translation"]
        # voxel k of the coarse level is the middle of the fine voxels 2k and 2k + 1
        expected = GRID.to_world(np.array([3, 4, 5]) * 2**level + shift)
        np.testing.assert_allclose(np.array([3, 4, 5]) * steps[0]["scale"] + steps[1]["translation"], expected)


def test_second_level_holds_means_and_labels(path):
    group = zarr.open_group(str(path), mode="r")
    assert group["1"].shape == (19, 35, 41)
    block = HU[2:4, 4:6, 6:8].astype(float).mean()
    assert abs(group["1"][1, 2, 3] - block) <= 0.5
    assert group["labels/lungs/1"][1, 2, 3] == LUNGS[2:4, 4:6, 6:8].max()


@pytest.mark.parametrize("name", ["0/c/0/0/0", "labels/lungs/0/c/0/0/0", "1/c/0/0/0"])
@pytest.mark.parametrize("damage", ["missing", "truncated"])
def test_damaged_shard_is_found_on_opening(path, name, damage):
    content = (path / name).read_bytes()
    (path / name).unlink()
    if damage == "truncated":
        (path / name).write_bytes(content[:-1])
    with pytest.raises(VolumeError, match=f"expected {name} with {len(content)} bytes") as caught:
        open_volume(path)
    assert str(path) in str(caught.value)


def test_corrupt_chunk_names_the_store(path):
    name = path / "0/c/0/0/0"
    content = bytearray(name.read_bytes())
    content[:400] = b"\xff" * 400
    name.write_bytes(content)
    with pytest.raises(VolumeError, match=r"array 0: expected readable chunks") as caught:
        open_volume(path).read_hu()
    assert str(path) in str(caught.value)


def test_image_of_another_type_or_shape_than_the_lungs_is_refused(path):
    metadata = json.loads((path / "labels/lungs/0/zarr.json").read_text())
    metadata["shape"][0] += 1
    (path / "labels/lungs/0/zarr.json").write_text(json.dumps(metadata))
    with pytest.raises(VolumeError, match=r"expected image and lungs as .*\(37, 70, 81\).*found .*\(38, 70, 81\)"):
        open_volume(path)


@pytest.mark.parametrize("content", [None, "", "{}", '{"zarr_format": 3, "node_type": "group", "attributes": {}}'])
def test_what_is_no_store_is_refused(tmp_path, content):
    path = tmp_path / "b.ome.zarr"
    if content is not None:
        path.mkdir()
        (path / "zarr.json").write_text(content)
    for read in (open_volume, read_own_attributes):
        with pytest.raises(VolumeError, match="expected an OME-Zarr volume") as caught:
            read(path)
        assert "b.ome.zarr" in str(caught.value)
