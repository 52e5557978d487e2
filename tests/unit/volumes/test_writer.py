"""The draft: a store is written whole or not at all, in a handful of files."""

import hashlib
import json
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from lungpipe.geometry import Grid
from lungpipe.volumes.store import VolumeError, list_files, open_volume
from lungpipe.volumes.writer import draft_volume, write_volume

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


def test_a_scan_is_a_handful_of_files(tmp_path):
    grid = Grid((130, 257, 130))
    hu = np.full(grid.shape_zyx, 100, np.int16)
    write_volume(tmp_path / "a.ome.zarr", hu, grid, np.ones(grid.shape_zyx, np.uint8), series_uid="a", attributes={})
    assert len(list_files(tmp_path / "a.ome.zarr")) <= 20
    metadata = json.loads((tmp_path / "a.ome.zarr/0/zarr.json").read_text())
    assert metadata["chunk_grid"]["configuration"]["chunk_shape"] == [160, 288, 160]
    assert metadata["codecs"][0]["name"] == "sharding_indexed"
    assert metadata["codecs"][0]["configuration"]["chunk_shape"] == [32, 32, 32]


def test_replacing_leaves_only_the_new_store(path):
    write_volume(path, HU[:, :, ::-1].copy(), GRID, LUNGS, series_uid=UID, attributes={})
    np.testing.assert_array_equal(open_volume(path).read_hu(), HU[:, :, ::-1])
    assert [item.name for item in path.parent.iterdir()] == [path.name]


def test_failed_write_leaves_the_old_store_and_nothing_else(path, monkeypatch):
    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space"):
        write_volume(path, HU[:, :, ::-1].copy(), GRID, LUNGS, series_uid=UID, attributes={})
    np.testing.assert_array_equal(open_volume(path).read_hu(), HU)
    assert [item.name for item in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("hu", "lungs", "grid", "message"),
    [
        (HU.astype(np.int32), LUNGS, GRID, "hu: expected int16"),
        (HU[1:], LUNGS, GRID, "hu: expected int16"),
        (HU, LUNGS.astype(bool), GRID, "lungs: expected uint8"),
        (HU, LUNGS, Grid(GRID.shape_zyx, direction_zyx=((1, 0, 0), (0, -1, 0), (0, 0, 1))), "axis-aligned grid"),
    ],
)
def test_other_arrays_are_refused_and_nothing_is_written(tmp_path, hu, lungs, grid, message):
    with pytest.raises(VolumeError, match=message):
        write_volume(tmp_path / "a.ome.zarr", hu, grid, lungs, series_uid="a", attributes={})
    assert not list(tmp_path.iterdir())


def checksum(path, hu, grid, lungs):
    with draft_volume(path, grid) as draft:
        draft.write_hu(hu)
        draft.write_lungs(lungs)
        return draft.content_sha256


def test_checksum_follows_the_content_alone(tmp_path):
    path = tmp_path / "a.ome.zarr"
    first = checksum(path, HU, GRID, LUNGS)
    content = repr(GRID).encode() + HU.tobytes() + LUNGS.tobytes()
    assert first == hashlib.sha256(content).hexdigest()
    assert first == checksum(path, np.asfortranarray(HU), GRID, LUNGS.copy())
    other = HU.copy()
    other[0, 0, 0] += 1
    moved = Grid(GRID.shape_zyx, GRID.spacing_zyx_mm, (-300.5, 10.25, -77.5))
    assert len({first, checksum(path, other, GRID, LUNGS), checksum(path, HU, moved, LUNGS)}) == 3
    # none of these drafts was finished
    assert not list(tmp_path.iterdir())


def test_draft_may_be_filled_from_another_thread(tmp_path):
    path = tmp_path / "a.ome.zarr"
    with draft_volume(path, GRID) as draft, ThreadPoolExecutor(1) as beside:
        beside.submit(draft.write_hu, HU).result()
        draft.write_lungs(LUNGS)
        assert not path.exists()
        draft.finish("a", {})
    np.testing.assert_array_equal(open_volume(path).read_hu(), HU)
    assert [item.name for item in tmp_path.iterdir()] == [path.name]
