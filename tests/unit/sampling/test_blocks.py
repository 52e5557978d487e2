"""Blocks in memory: bounded, least recently used first out, whole in threads."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from lungpipe.sampling.blocks import BlockCache, VolumeShelf
from lungpipe.volumes.store import VolumeError


class Source:
    """Blocks of 100 bytes that hold their number; remembers what was read."""

    def __init__(self):
        self.read = []

    def __call__(self, number):
        self.read.append(number)
        return np.full(50, number, np.int16)


def test_a_block_that_is_in_memory_is_not_read_again():
    source = Source()
    cache = BlockCache(source, 1000)
    assert [int(block[0]) for block in cache.get([3, 1, 3])] == [3, 1, 3]
    assert [int(block[0]) for block in cache.get([1, 2])] == [1, 2]
    assert source.read == [3, 1, 2]
    assert (cache.num_bytes, cache.num_reads) == (300, 3)


def test_the_least_recently_used_block_leaves_first():
    source = Source()
    cache = BlockCache(source, 399)
    cache.get([1, 2, 3])
    cache.get([1])
    cache.get([4])
    assert cache.num_bytes == 300
    source.read.clear()
    cache.get([3, 1, 4])
    assert source.read == []
    cache.get([2])
    assert source.read == [2]


def test_blocks_larger_than_the_bound_are_returned_but_not_kept():
    source = Source()
    cache = BlockCache(source, 99)
    assert [int(block[0]) for block in cache.get([1, 2, 1])] == [1, 2, 1]
    assert cache.num_bytes == 0
    assert source.read == [1, 2]


def test_threads_read_whole_blocks_and_keep_the_bound():
    cache = BlockCache(Source(), 1050)
    rng = np.random.default_rng(0)
    wanted = [rng.integers(0, 40, 16).tolist() for _ in range(400)]
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(cache.get, wanted))
    for numbers, blocks in zip(wanted, answers, strict=True):
        assert [int(block[0]) for block in blocks] == numbers
        assert all((block == block[0]).all() for block in blocks)
    assert cache.num_bytes == 1000


def test_an_error_passes_through_and_leaves_the_cache_usable():
    def read(number):
        if number == 2:
            raise VolumeError("series 1.2: broken")
        return np.zeros(5)

    cache = BlockCache(read, 1000)
    with pytest.raises(VolumeError, match=r"series 1\.2: broken"):
        cache.get([1, 2])
    assert len(cache.get([1, 3])) == 2


def test_volumes_are_opened_once_and_errors_name_the_series(write_store, tmp_path):
    shelf = VolumeShelf({"1.1": write_store("1.1", np.zeros((4, 4, 4))), "1.2": tmp_path / "nowhere"})
    assert shelf["1.1"] is shelf["1.1"]
    with pytest.raises(VolumeError, match=r"series 1\.3: expected a stored volume, found none"):
        shelf["1.3"]
    with pytest.raises(VolumeError, match=r"series 1\.2: .*nowhere: expected an OME-Zarr volume"):
        shelf["1.2"]
