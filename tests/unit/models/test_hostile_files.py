"""Files that take memory or an endless time instead of holding a model are refused."""

import os
import tracemalloc

import pytest

from lungpipe.models import read_card


@pytest.fixture
def path(tmp_path):
    return tmp_path / "detector.safetensors"


def test_a_sparse_file_that_promises_an_endless_header_is_refused_without_reading_it(path):
    path.write_bytes((6 << 30).to_bytes(8, "little") + b"{")
    os.truncate(path, (6 << 30) + 8)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="expected a model in safetensors, found"):
            read_card(path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_a_header_of_endless_depth_is_refused(path):
    deep = b"[" * 100_000
    path.write_bytes(len(deep).to_bytes(8, "little") + deep)
    with pytest.raises(ValueError, match="expected a model in safetensors, found"):
        read_card(path)
