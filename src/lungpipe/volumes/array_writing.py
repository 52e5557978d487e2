"""Write chunked arrays: zarr creates the array, tensorstore writes the chunks. zarr is imported only when needed."""

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from lungpipe.volumes.arrays import open_array

CHUNK_VOX = 32
CODEC: dict[str, Any] = {"cname": "lz4", "clevel": 5, "shuffle": "bitshuffle"}
"""Codec of blosc. lz4: 14 % larger than zstd, several times faster to read (docs/benchmarks.md)."""
MAX_SHARD_CHUNKS = 10
"""Chunks along one axis of a shard (320 voxels): a scan at 1 mm is four files, and no shard is mostly padding."""


def write_array(path: Path, array: NDArray[Any], fill: int) -> None:
    """Write an array (zyx) in chunks and shards; chunks that contain only `fill` take no space.

    Every chunk ends with a checksum (CRC-32C), which all readers of Zarr 3 verify.

    Raises:
        OSError, ValueError: what the disk refuses; the message names the file.
    """
    # the import takes 0.1 s, which a job without new volumes does not need
    import zarr
    from zarr.codecs import BloscCodec, Crc32cCodec

    zarr.create_array(
        str(path),
        shape=array.shape,
        dtype=array.dtype,
        chunks=(CHUNK_VOX,) * 3,
        shards=fit_shards(array.shape),
        compressors=[BloscCodec(**CODEC), Crc32cCodec()],
        fill_value=fill,
        dimension_names=("z", "y", "x"),
        zarr_format=3,
    )
    fill_array(path, array)


def fill_array(path: Path, array: NDArray[Any]) -> None:
    """Write all elements of an existing Zarr array of any chunks and codecs.

    Raises:
        OSError, ValueError: what the disk refuses; the message names the file.
    """
    # the source must not change until all is written: no copy is made
    open_array(path, is_written=True).write(array, can_reference_source_data_indefinitely=True).result()


def fit_shards(shape_zyx: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of shards that split each axis evenly into whole chunks."""
    chunks = [-(-size // CHUNK_VOX) for size in shape_zyx]
    shards = [-(-count // MAX_SHARD_CHUNKS) for count in chunks]
    return tuple(-(-count // num) * CHUNK_VOX for count, num in zip(chunks, shards, strict=True))
