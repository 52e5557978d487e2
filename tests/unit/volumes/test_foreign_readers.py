"""Readers of other authors open the store: the voxels, where they lie in the patient, and the lungs beside them.

zarr has its own sharding and codecs (Python); ome-zarr, the reference reader, knows what the metadata say.
"""

import numpy as np
import pytest
import zarr
from ome_zarr.io import parse_url
from ome_zarr.reader import Label, Reader

from lungpipe.geometry import Grid
from lungpipe.geometry.downsampling import block_mean, halve_labels
from lungpipe.terms import AIR_HU
from lungpipe.volumes.writer import write_volume

BLOCK = (slice(10, 12), slice(20, 22), slice(30, 32))
BLOCK_HU = 3071


class Case:
    """What was written, level by level."""

    def __init__(self, path, grid, seed):
        rng = np.random.default_rng(seed)
        hu = rng.integers(-1024, 3000, grid.shape_zyx).astype(np.int16)
        hu[BLOCK] = BLOCK_HU
        lungs = rng.integers(0, 3, grid.shape_zyx).astype(np.uint8)
        write_volume(path, hu, grid, lungs, series_uid="1.2.3", attributes={})
        self.path = path
        self.grid = grid
        self.hu = [hu, block_mean(hu, (2, 2, 2))]
        self.lungs = [lungs, halve_labels(lungs)]


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(Grid((37, 70, 81), (2.0, 1.0, 0.5), (-300.5, 10.25, -77.0)), id="one shard"),
        # 390 voxels are 13 chunks, which are two shards
        pytest.param(Grid((33, 390, 70), (1.0, 0.7, 1.3), (-12.0, -195.5, 40.0)), id="two shards"),
    ],
)
def case(request, tmp_path_factory):
    return Case(tmp_path_factory.mktemp("foreign") / "1.2.3.ome.zarr", request.param, seed=7)


@pytest.fixture
def nodes(case):
    """Image and lungs by name, as ome-zarr finds them from the image's group."""
    return {node.metadata["name"]: node for node in Reader(parse_url(case.path))() if node.data}


def foreign_world(node, level, index_zyx):
    """Map voxel indices of a level to world zyx mm by ome-zarr's metadata alone, in the order that these name."""
    point = np.asarray(index_zyx, dtype=float)
    for step in node.metadata["coordinateTransformations"][level]:
        values = step[step["type"]]
        point = point * values if step["type"] == "scale" else point + values
    return point


@pytest.mark.parametrize("level", [0, 1])
def test_zarr_reads_the_same_voxels(case, level):
    for name, written, fill in (("", case.hu, AIR_HU), ("labels/lungs", case.lungs, 0)):
        array = zarr.open_array(case.path / name / str(level), mode="r")
        np.testing.assert_array_equal(array[...], written[level])
        assert array.dtype == written[level].dtype
        assert array.metadata.dimension_names == ("z", "y", "x")
        assert array.fill_value == fill


def test_zarr_reads_a_crop_across_chunks_and_shards(case):
    crop = tuple(slice(3, size - 3) for size in case.grid.shape_zyx)
    array = zarr.open_array(case.path / "0", mode="r")
    assert array.chunks == (32, 32, 32)
    num_shards = [-(-size // shard) for size, shard in zip(array.shape, array.shards, strict=True)]
    assert num_shards == [1, 2 if case.grid.shape_zyx[1] > 320 else 1, 1]
    np.testing.assert_array_equal(array[crop], case.hu[0][crop])


def test_ome_zarr_finds_the_image_and_its_lungs(nodes):
    assert list(nodes) == ["1.2.3", "lungs"]
    lungs = nodes["lungs"].metadata
    assert nodes["lungs"].first(Label) is not None
    assert lungs["properties"] == {1: {"name": "left lung"}, 2: {"name": "right lung"}}
    assert set(lungs["color"]) == {1, 2}


def test_ome_zarr_reads_the_same_voxels(case, nodes):
    for node, written in ((nodes["1.2.3"], case.hu), (nodes["lungs"], case.lungs)):
        assert len(node.data) == len(written)
        for lazy, array in zip(node.data, written, strict=True):
            np.testing.assert_array_equal(lazy.compute(), array)
            assert lazy.dtype == array.dtype


@pytest.mark.parametrize("name", ["1.2.3", "lungs"])
def test_ome_zarr_knows_where_every_voxel_lies(case, nodes, name):
    axes = [(axis["name"], axis["type"], axis["unit"]) for axis in nodes[name].metadata["axes"]]
    assert axes == [(letter, "space", "millimeter") for letter in "zyx"]
    index = np.array([[0, 0, 0], [3, 4, 5], [16, 30, 34]])
    np.testing.assert_allclose(foreign_world(nodes[name], 0, index), case.grid.to_world(index))
    # coarse voxel k is the middle of the fine voxels 2k and 2k + 1
    np.testing.assert_allclose(foreign_world(nodes[name], 1, index), case.grid.to_world(2 * index + 0.5))


def test_a_bright_block_lies_at_one_place_in_both_levels(case, nodes):
    origin, spacing = np.array(case.grid.origin_zyx_mm), np.array(case.grid.spacing_zyx_mm)
    expected = origin + spacing * [10.5, 20.5, 30.5]
    for level in (0, 1):
        found = np.argwhere(nodes["1.2.3"].data[level].compute() == BLOCK_HU)
        assert len(found) == 8 ** (1 - level)
        np.testing.assert_allclose(foreign_world(nodes["1.2.3"], level, found).mean(axis=0), expected)
