"""Chunked arrays: what goes in comes out, in evenly split shards, and what cannot be read or written says where."""

import pickle

import numpy as np
import pytest

from lungpipe.geometry import Window
from lungpipe.volumes.array_writing import CHUNK_VOX, fit_shards, write_array
from lungpipe.volumes.arrays import ChunkedArray

SHAPE = (37, 70, 330)
VALUES = np.random.default_rng(3).integers(-1024, 3000, SHAPE).astype(np.int16)


@pytest.fixture
def path(tmp_path):
    write_array(tmp_path / "array", VALUES, -1024)
    return tmp_path / "array"


@pytest.mark.parametrize("dtype", [np.int16, np.uint8, np.float32])
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_what_goes_in_comes_out(tmp_path, dtype, order):
    values = VALUES.astype(dtype).transpose(order)
    write_array(tmp_path / "a", values, 0)
    array = ChunkedArray(tmp_path / "a")
    assert (array.shape, array.dtype) == (values.shape, values.dtype)
    np.testing.assert_array_equal(array[...], values)


@pytest.mark.parametrize(("start", "shape"), [((5, 60, 3), (8, 8, 8)), ((-3, 60, 310), (50, 20, 50))])
def test_a_window_is_cut_as_from_memory(path, start, shape):
    window = Window(start, shape)
    cut = window.cut(ChunkedArray(path), 7)
    np.testing.assert_array_equal(cut, window.cut(VALUES, 7))
    cut[...] = 0  # the crop is the caller's own


def test_it_travels_to_another_process(path):
    array = pickle.loads(pickle.dumps(ChunkedArray(path)))  # noqa: S301 - own bytes
    np.testing.assert_array_equal(array[3:9, 60:, 315:], VALUES[3:9, 60:, 315:])


def test_chunks_of_the_fill_value_take_no_space(tmp_path):
    values = np.zeros((CHUNK_VOX, CHUNK_VOX, 24 * CHUNK_VOX), np.uint8)
    values[:, :, :3] = 1
    write_array(tmp_path / "a", values, 0)
    # three shards of eight chunks; two of them hold nothing
    assert [item.name for item in (tmp_path / "a/c/0/0").iterdir()] == ["0"]
    np.testing.assert_array_equal(ChunkedArray(tmp_path / "a")[...], values)


def test_a_corrupt_chunk_names_its_file(path):
    shard = path / "c/0/0/0"
    content = bytearray(shard.read_bytes())
    content[:400] = b"\xff" * 400
    shard.write_bytes(content)
    with pytest.raises(ValueError, match=r"array/c/0/0/0.*Invalid blosc"):
        ChunkedArray(path)[...]


def test_what_the_disk_refuses_names_the_file(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(OSError, match="file"):
        write_array(tmp_path / "file" / "array", VALUES, 0)


def test_no_array_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"nothing/zarr.json.*does not exist"):
        ChunkedArray(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("shape", "shards"),
    [
        # chunks along an axis: 10 fit one shard, 12 make 6 + 6, 16 make 8 + 8, 22 make 8 + 8 + 6
        ((300, 380, 380), (320, 192, 192)),
        ((1, 32, 33), (32, 32, 64)),
        ((500, 700, 320), (256, 256, 320)),
    ],
)
def test_shards_split_each_axis_evenly(shape, shards):
    assert fit_shards(shape) == shards


@pytest.mark.parametrize("size", range(1, 1400, 7))
def test_shards_pad_less_than_a_chunk_each(size):
    (shard,) = fit_shards((size,))
    num_shards = -(-size // shard)
    assert num_shards * shard - size < 32 * num_shards
    assert shard <= 320
