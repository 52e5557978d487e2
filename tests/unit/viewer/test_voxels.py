"""Voxels in a page are those of the scene, bit by bit."""

import base64
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from viewer_scenes import make_scene

from lungpipe.viewer import voxels
from lungpipe.viewer.voxels import code_hu, encode_voxels


def restore(coded):
    """HU of the coded bytes, by the definition: differences along the row, sign in the lowest bit."""
    code = coded[0].astype(np.int64) | coded[1].astype(np.int64) << 8
    change = (code >> 1) ^ -(code & 1)
    return np.cumsum(change, axis=-1).astype(np.int16)


@given(arrays(np.int16, (2, 3, 5), elements=st.integers(-(2**15), 2**15 - 1)))
def test_any_hu_come_back(hu):
    np.testing.assert_array_equal(restore(code_hu(hu)), hu)


def test_a_row_is_coded_by_hand():
    # differences -1000, +3, -4, 0
    low, high = code_hu(np.array([[[-1000, -997, -1001, -1001]]], np.int16))
    assert (low.astype(int) + 256 * high.astype(int)).tolist() == [[[1999, 6, 7, 0]]]


@pytest.mark.parametrize("threads", [1, 3])
def test_slabs_hold_every_slice_of_every_array_once(monkeypatch, threads):
    scene = make_scene()
    monkeypatch.setattr(voxels, "SLAB_VOXELS", 4 * 61 * 75)
    found = {name: [] for name in ("hu", "lungs", "nodules")}
    for slab in encode_voxels(scene, threads=threads):
        assert slab.first == sum(len(part) for part in found[slab.array])
        content = np.frombuffer(zlib.decompress(base64.b64decode(slab.text), -zlib.MAX_WBITS), np.uint8)
        shape = (slab.count, 61, 75)
        part = restore(content.reshape(2, *shape)) if slab.array == "hu" else content.reshape(shape)
        found[slab.array].append(part)
    assert len(found["hu"]) == 7
    for name, expected in (("hu", scene.hu), ("lungs", scene.lungs), ("nodules", scene.nodules)):
        np.testing.assert_array_equal(np.concatenate(found[name]), expected)


def test_a_slice_larger_than_a_slab_is_a_slab(monkeypatch):
    monkeypatch.setattr(voxels, "SLAB_VOXELS", 10)
    slabs = list(encode_voxels(make_scene(lungs=None, nodules=None)))
    assert [(slab.first, slab.count) for slab in slabs] == [(first, 1) for first in range(27)]


def test_neighbours_that_are_alike_need_less_than_compressed_hu():
    steps = np.random.default_rng(0).normal(0, 20, (4, 128, 128))
    hu = (np.cumsum(steps, axis=-1) - 850).astype(np.int16)
    coded = sum(len(slab.text) for slab in encode_voxels(make_scene_of(hu)))
    assert coded < 0.8 * len(base64.b64encode(zlib.compress(hu.tobytes(), 6)))


def make_scene_of(hu):
    from lungpipe.geometry import Grid
    from lungpipe.viewer.scene import Scene

    grid = Grid(hu.shape)
    return Scene(hu, grid, grid, "0")
