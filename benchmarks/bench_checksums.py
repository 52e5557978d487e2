"""What the checksum of every chunk costs: writing, whole volumes and crops of 64^3, in processor time.

Processor time (user and system, all threads) instead of seconds, so that other work on the machine changes little.
"""

import resource
import statistics
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from layouts import STORE_LAYOUT, Layout
from scipy.ndimage import zoom

from lungpipe.volumes.arrays import ChunkedArray

SHAPE_ZYX = (320, 384, 384)
ROUNDS, CROPS, CROP_VOX = 7, 150, 64
CODECS = ("blosc lz4-5 bitshuffle", "blosc lz4-5 bitshuffle, crc32c")


def draw_volume() -> np.ndarray:
    """Return int16 HU (zyx) that compress like a chest: smooth regions of tissue and lung, and noise."""
    rng = np.random.default_rng(0)
    field = zoom(rng.normal(size=(20, 24, 24)), (16, 16, 16), order=1)
    return (np.where(field > 0.2, 40, -850) + rng.normal(0, 25, field.shape)).astype(np.int16)


def cost_of(work: Callable[[], object]) -> float:
    """Return the processor time (ms) of a call."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    work()
    after = resource.getrusage(resource.RUSAGE_SELF)
    return 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def read_crops(array: ChunkedArray) -> None:
    """Read crops at random places."""
    rng = np.random.default_rng(1)
    for _ in range(CROPS):
        z, y, x = rng.integers(0, np.array(SHAPE_ZYX) - CROP_VOX)
        array[z : z + CROP_VOX, y : y + CROP_VOX, x : x + CROP_VOX]


def main() -> None:
    """Print the median costs and the bytes of both codecs."""
    hu = draw_volume()
    costs: dict[tuple[str, str], list[float]] = {}
    sizes = {}
    with TemporaryDirectory() as folder:
        for turn in range(ROUNDS):
            for codec in CODECS:
                path, layout = Path(folder) / f"{turn} {codec}", Layout(codec, *STORE_LAYOUT[1:])
                costs.setdefault((codec, "write"), []).append(cost_of(lambda p=path, a=layout: a.write(p, hu)))
                array = ChunkedArray(path)
                costs.setdefault((codec, "whole volume"), []).append(cost_of(lambda a=array: a[...]))
                crops = cost_of(lambda a=array: read_crops(a)) / CROPS
                costs.setdefault((codec, "crop of 64^3"), []).append(crops)
                sizes[codec] = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    for (codec, what), values in costs.items():
        print(f"{codec}: {what}: {statistics.median(values):.2f} ms")
    print(f"bytes: {sizes[CODECS[1]] / sizes[CODECS[0]] - 1:+.3%}")


if __name__ == "__main__":
    main()
