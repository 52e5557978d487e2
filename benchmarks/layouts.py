"""Ways to lay one volume out in Zarr: codec, chunk and shard."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import BloscCodec, Crc32cCodec, GzipCodec, ZstdCodec

from lungpipe.volumes.array_writing import CHUNK_VOX, MAX_SHARD_CHUNKS, fill_array, fit_shards
from lungpipe.volumes.arrays import ChunkedArray

CODECS: dict[str, Any] = {
    "none": None,
    "zstd-1": ZstdCodec(level=1),
    "zstd-3": ZstdCodec(level=3),
    "gzip-1": GzipCodec(level=1),
    "blosc lz4-5 shuffle": BloscCodec(cname="lz4", clevel=5, shuffle="shuffle"),
    "blosc lz4-5 bitshuffle": BloscCodec(cname="lz4", clevel=5, shuffle="bitshuffle"),
    "blosc lz4-5 bitshuffle, crc32c": [BloscCodec(cname="lz4", clevel=5, shuffle="bitshuffle"), Crc32cCodec()],
    "blosc lz4-1 bitshuffle": BloscCodec(cname="lz4", clevel=1, shuffle="bitshuffle"),
    "blosc zlib-1 bitshuffle": BloscCodec(cname="zlib", clevel=1, shuffle="bitshuffle"),
    "blosc zstd-1 shuffle": BloscCodec(cname="zstd", clevel=1, shuffle="shuffle"),
    "blosc zstd-1 bitshuffle": BloscCodec(cname="zstd", clevel=1, shuffle="bitshuffle"),
    "blosc zstd-3 bitshuffle": BloscCodec(cname="zstd", clevel=3, shuffle="bitshuffle"),
}
CHUNKS = (16, 32, 48, 64, 96, 128)
SHARDS = ("none", "256", "even")
"""No shards; about 256 voxels along each axis, in whole chunks; the store's rule, each axis split evenly."""
STORE_LAYOUT = ("blosc lz4-5 bitshuffle, crc32c", CHUNK_VOX, "even")
LARGEST_SHARD_VOX = CHUNK_VOX * MAX_SHARD_CHUNKS


@dataclass(frozen=True, slots=True)
class Layout:
    """A codec by name, the edge of a chunk in voxels, and a rule for shards."""

    codec: str
    chunk_vox: int
    shard: str

    def write(self, path: Path, hu: NDArray[np.int16]) -> ChunkedArray:
        """Write a volume (int16, zyx) as one array, as the store does, and return it, opened for reading."""
        zarr.create_array(
            path,
            shape=hu.shape,
            dtype=hu.dtype,
            chunks=(self.chunk_vox,) * 3,
            shards=self.shards(hu.shape),
            compressors=CODECS[self.codec],
            fill_value=-1024,
        )
        fill_array(path, hu)
        return ChunkedArray(path)

    def shards(self, shape_zyx: Sequence[int]) -> tuple[int, ...] | None:
        """Return the shape of the shards for a volume of that shape; None without shards."""
        if self.shard == "none":
            return None
        if self.shard == "256":
            return (round(256 / self.chunk_vox) * self.chunk_vox,) * 3
        shards = tuple(_split_evenly(size, self.chunk_vox) for size in shape_zyx)
        if self.chunk_vox == CHUNK_VOX and shards != fit_shards(tuple(shape_zyx)):
            raise ValueError(
                f"shards of {tuple(shape_zyx)}: expected the store's {fit_shards(shape_zyx)}, found {shards}"
            )
        return shards


def _split_evenly(size: int, chunk_vox: int) -> int:
    chunks = -(-size // chunk_vox)
    num_shards = -(-chunks // (LARGEST_SHARD_VOX // chunk_vox))
    return -(-chunks // num_shards) * chunk_vox
