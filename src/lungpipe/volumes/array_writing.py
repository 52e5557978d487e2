"""Make chunked arrays on disk: zarr creates them, tensorstore fills them. zarr is imported where it creates one."""

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from lungpipe.volumes.arrays import open_array

CHUNK_VOX = 32
CODEC: dict[str, Any] = {"cname": "lz4", "clevel": 5, "shuffle": "bitshuffle"}
"""Of blosc. A seventh larger than with zstd, and read several times faster (docs/benchmarks.md)."""
MAX_SHARD_CHUNKS = 10
"""Chunks along one axis of a shard (320 voxels): a scan at 1 mm is four files, and no shard is mostly padding."""


def write_array(path: Path, array: NDArray[Any], fill: int) -> None:
    """Write an array (zyx) whole, in chunks and shards; chunks that hold `fill` alone take no space.

    Raises:
        OSError, ValueError: what the disk refuses; the message names the file.
    """
    # a tenth of a second, which a job that keeps all its volumes does not spend
    import zarr
    from zarr.codecs import BloscCodec

    zarr.create_array(
        str(path),
        shape=array.shape,
        dtype=array.dtype,
        chunks=(CHUNK_VOX,) * 3,
        shards=fit_shards(array.shape),
        compressors=[BloscCodec(**CODEC)],
        fill_value=fill,
        dimension_names=("z", "y", "x"),
        zarr_format=3,
    )
    fill_array(path, array)


def fill_array(path: Path, array: NDArray[Any]) -> None:
    """Write all elements of a Zarr array that is there already, whatever its chunks and codecs.

    Raises:
        OSError, ValueError: what the disk refuses; the message names the file.
    """
    # the array stays as it is until all is written: no copy of it is made
    open_array(path, is_written=True).write(array, can_reference_source_data_indefinitely=True).result()


def fit_shards(shape_zyx: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of shards that split each axis evenly, in whole chunks."""
    chunks = [-(-size // CHUNK_VOX) for size in shape_zyx]
    shards = [-(-count // MAX_SHARD_CHUNKS) for count in chunks]
    return tuple(-(-count // num) * CHUNK_VOX for count, num in zip(chunks, shards, strict=True))
