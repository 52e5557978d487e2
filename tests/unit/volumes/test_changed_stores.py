"""Stores that were edited, renamed, damaged or replaced: noticed where they are read, and never mixed."""

import json
import shutil
import threading

import numpy as np
import pytest

from lungpipe.geometry import Grid, Window
from lungpipe.tables import WriteError
from lungpipe.volumes import place
from lungpipe.volumes.store import VolumeError, check_metadata, open_volume
from lungpipe.volumes.writer import write_volume

GRID = Grid((40, 45, 50), (1.0, 1.0, 1.0), (5.0, 6.0, 7.0))
RNG = np.random.default_rng(3)
HU = RNG.integers(-1000, 900, GRID.shape_zyx).astype(np.int16)
LUNGS = RNG.integers(0, 3, GRID.shape_zyx).astype(np.uint8)
UID = "1.2.3"


def write(path, hu=HU, lungs=LUNGS, grid=GRID):
    write_volume(path, hu, grid, lungs, series_uid=UID, attributes={})


@pytest.fixture
def path(tmp_path):
    path = tmp_path / f"{UID}.ome.zarr"
    write(path)
    return path


@pytest.mark.parametrize("name", ["0", "labels/lungs/0"])
def test_every_flipped_bit_of_the_voxels_is_found(path, name):
    shards = [file for file in (path / name).rglob("*") if file.is_file() and file.name != "zarr.json"]
    for _ in range(30):
        shard = shards[int(RNG.integers(len(shards)))]
        content = shard.read_bytes()
        place = int(RNG.integers(len(content) * 8))
        damaged = bytearray(content)
        damaged[place // 8] ^= 1 << (place % 8)
        shard.write_bytes(damaged)
        with pytest.raises(VolumeError, match=rf"array {name}: expected readable chunks"):
            read_all(path)
        shard.write_bytes(content)
    read_all(path)


def read_all(path):
    volume = open_volume(path, UID)
    return volume.read_hu(), volume.read_lungs()


def edit_scale(metadata):
    metadata["attributes"]["ome"]["multiscales"][0]["datasets"][0]["coordinateTransformations"][0]["scale"][0] = 2.0


def edit_origin(metadata):
    steps = metadata["attributes"]["ome"]["multiscales"][0]["datasets"][0]["coordinateTransformations"]
    steps[1]["translation"][2] += 0.5


def edit_series(metadata):
    metadata["attributes"]["lungpipe"]["series_uid"] = "1.2.4"


def drop_digest(metadata):
    del metadata["attributes"]["lungpipe"]["metadata_sha256"]


@pytest.mark.parametrize("edit", [edit_scale, edit_origin, edit_series, drop_digest])
def test_edited_metadata_of_the_group_are_refused(path, edit):
    file = path / "zarr.json"
    metadata = json.loads(file.read_text())
    edit(metadata)
    file.write_text(json.dumps(metadata))
    for check in (open_volume, check_metadata):
        with pytest.raises(VolumeError, match="expected metadata with the digest of their writing") as caught:
            check(path)
        assert str(path) in str(caught.value)


@pytest.mark.parametrize("name", ["0", "labels/lungs/0"])
def test_edited_metadata_of_an_array_are_refused(path, name):
    file = path / name / "zarr.json"
    content = file.read_text()
    edited = content.replace('"fill_value": -1024', '"fill_value": -1023').replace('"fill_value": 0', '"fill_value": 1')
    assert len(edited) == len(content)
    assert edited != content
    file.write_text(edited)
    with pytest.raises(VolumeError, match="expected metadata with the digest"):
        open_volume(path)


def test_a_renamed_store_is_still_the_volume_of_its_own_series(path):
    other = path.with_name("1.2.4.ome.zarr")
    path.rename(other)
    assert open_volume(other).series_uid == UID
    with pytest.raises(VolumeError, match=rf"{other}: expected the volume of series 1\.2\.4, found that of 1\.2\.3"):
        open_volume(other, "1.2.4")


def test_a_store_that_is_replaced_is_read_no_further(path):
    old = open_volume(path)
    first = old.read_hu(Window((0, 0, 0), (4, 4, 4)))
    np.testing.assert_array_equal(first, HU[:4, :4, :4])
    write(path, hu=HU + 1)
    for read in (old.read_hu, old.read_lungs, lambda: old.read_hu(Window((0, 0, 0), (4, 4, 4)))):
        with pytest.raises(VolumeError, match="expected the store that was opened, found that it was replaced"):
            read()
    np.testing.assert_array_equal(open_volume(path).read_hu(), HU + 1)


def test_a_store_that_is_removed_is_not_read_as_air(path):
    old = open_volume(path)
    place.remove_folder(path)
    assert not list(path.parent.iterdir())
    with pytest.raises(VolumeError, match="replaced or removed"):
        old.read_hu()


@pytest.mark.parametrize("has_exchange", [True, False])
def test_readers_see_the_old_or_the_new_and_never_both(path, monkeypatch, has_exchange):
    if not has_exchange:
        monkeypatch.setattr(place, "_exchange", lambda one, two: False)
    is_over, seen, refused = threading.Event(), [], []

    def read():
        while not is_over.is_set():
            try:
                hu, lungs = read_all(path)
            except VolumeError as error:
                refused.append(str(error))
                continue
            seen.append(
                (hu[0, 0, 0] - HU[0, 0, 0], (hu == HU + hu[0, 0, 0] - HU[0, 0, 0]).all(), (lungs == LUNGS).all())
            )

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(15):
        write(path, hu=HU + number)
    is_over.set()
    reader.join()
    assert len(seen) > 3
    assert all(seen)
    if has_exchange:
        # there is always a store: what is refused was replaced while it was read
        assert not [text for text in refused if "expected an OME-Zarr volume" in text]


def test_a_file_in_the_place_of_a_store_is_kept_and_named(tmp_path):
    path = tmp_path / "a.ome.zarr"
    path.write_text("a note")
    with pytest.raises(WriteError, match=r"a\.ome\.zarr: expected to write it, found a file in the place of a folder"):
        write(path)
    assert [item.name for item in tmp_path.iterdir()] == ["a.ome.zarr"]
    assert path.read_text() == "a note"


def test_without_an_exchange_the_newer_folder_takes_the_place(tmp_path, monkeypatch):
    monkeypatch.setattr(place, "_exchange", lambda one, two: False)
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    place.take_place(tmp_path / "new", tmp_path / "old")
    assert (tmp_path / "old" / "file").read_text() == "new"
    assert [item.name for item in tmp_path.iterdir()] == ["old"]
    shutil.rmtree(tmp_path / "old")
