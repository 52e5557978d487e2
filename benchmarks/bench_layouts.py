"""Codecs, chunks and shards for one volume at 1 mm: time to write, size, number of files, and time for a crop.

    python benchmarks/bench_layouts.py [--all] [--crops 20] [--small]

The store's layout, and each that differs from it in one respect, codec, chunk or shard; with --all every combination.
Every layout is written, read at the same random positions (warm file cache, all cores) and removed. With
LUNGPIPE_SHARED set, a real scan follows the phantom.
"""

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np
from layouts import CHUNKS, CODECS, SHARDS, STORE_LAYOUT, Layout
from numpy.typing import NDArray
from rounds import print_table
from scans import SEED, find_real_series, num_cores, read_resampled, write_scan

from lungpipe.volumes.arrays import ChunkedArray

CROPS_VOX = (48, 64, 128)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true", help="every combination of codec, chunk and shard")
    parser.add_argument("--crops", type=int, default=20, help="of each size")
    parser.add_argument("--small", action="store_true", help="a miniature scan, to try the script")
    options = parser.parse_args()
    layouts = [Layout(*parts) for parts in product(CODECS, CHUNKS, SHARDS) if options.all or is_next(parts)]
    with tempfile.TemporaryDirectory() as name:
        hu, _ = read_resampled(write_scan(Path(name) / "raw", is_small=options.small))
    compare("phantom", hu, layouts, options.crops)
    series = find_real_series()
    if series is not None:
        hu, _ = read_resampled(series)
        compare(series.name, hu, layouts, options.crops)


def is_next(parts: Sequence[object]) -> bool:
    """Tell whether a layout differs from the store's in one respect at most."""
    return sum(part != own for part, own in zip(parts, STORE_LAYOUT, strict=True)) <= 1


def compare(title: str, hu: NDArray[np.int16], layouts: Sequence[Layout], num_crops: int) -> None:
    """Measure every layout of one volume (int16, zyx) and print the table; the store's own stands out."""
    print(f"\n{title}: {hu.shape} voxels, int16, {num_cores()} cores, crops in ms (median of {num_crops})\n")
    header = ("codec", "chunk", "shard", "write s", "bytes/voxel", "files", *(f"{size}^3 ms" for size in CROPS_VOX))
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "volume.zarr"
        # the first layout would pay for what is loaded once
        measure(layouts[0], path, hu, num_crops)
        print_table(header, (row(layout, measure(layout, path, hu, num_crops)) for layout in layouts))


def measure(layout: Layout, path: Path, hu: NDArray[np.int16], num_crops: int) -> list[float]:
    """Return seconds to write, bytes per voxel, number of files, and the median ms of each size of crop."""
    began = time.perf_counter()
    array = layout.write(path, hu)
    seconds = time.perf_counter() - began
    sizes = [item.stat().st_size for item in path.rglob("*") if item.is_file()]
    crops = [statistics.median(time_crops(array, hu, size, num_crops)) for size in CROPS_VOX]
    shutil.rmtree(path)
    return [seconds, sum(sizes) / hu.size, len(sizes), *crops]


def time_crops(array: ChunkedArray, hu: NDArray[np.int16], size_vox: int, num_crops: int) -> list[float]:
    """Return the milliseconds of each of some random crops; raises ValueError for one with other voxels."""
    rng = np.random.default_rng(SEED)
    size = np.minimum(size_vox, hu.shape)
    milliseconds = []
    for start in rng.integers(0, np.asarray(hu.shape) - size + 1, (num_crops + 1, 3)):
        slices = tuple(slice(int(a), int(a + n)) for a, n in zip(start, size, strict=True))
        began = time.perf_counter()
        crop = array[slices]
        milliseconds.append(1000 * (time.perf_counter() - began))
        if not np.array_equal(crop, hu[slices]):
            raise ValueError(f"{array.path}: {slices}: expected the voxels that were written, found others")
    # the first one warms up
    return milliseconds[1:]


def row(layout: Layout, measured: Sequence[float]) -> list[str]:
    seconds, bytes_per_voxel, num_files, *crops = measured
    is_ours = (layout.codec, layout.chunk_vox, layout.shard) == STORE_LAYOUT
    name = f"**{layout.codec}**" if is_ours else layout.codec
    crop_texts = [f"{milliseconds:.1f}" for milliseconds in crops]
    numbers = [f"{seconds:.2f}", f"{bytes_per_voxel:.3f}", f"{num_files:.0f}"]
    return [name, str(layout.chunk_vox), layout.shard, *numbers, *crop_texts]


if __name__ == "__main__":
    main()
