"""Random 64^3 crops of one volume at 1 mm, out of our store and out of the formats that others keep volumes in.

    python benchmarks/bench_crops.py [--rounds 5] [--seconds 2] [--small]

Warm file cache, one core, the same positions in the same order for every reader. A round gives each reader the same
time; what is told is crops per second of that one core.
"""

import argparse
import multiprocessing
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from crop_readers import ARRAY, CropReader, list_readers, write_formats
from numpy.typing import NDArray
from rounds import alternate, print_table, ratios, spread
from scans import SEED, read_resampled, write_scan

from lungpipe.geometry import Window

CROP_VOX = 64
NUM_POSITIONS = 500
NUM_CHECKED = 5
SLOW = 3.0
ONE_THREAD = ("OMP_NUM_THREADS", "RAYON_NUM_THREADS", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="for each reader in each round")
    parser.add_argument("--small", action="store_true", help="a miniature scan, to try the script")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        hu, grid = read_resampled(write_scan(folder / "raw", is_small=options.small))
        write_formats(folder, hu, grid)
        os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
        # a fresh process: thread pools keep the cores that they started with
        context = multiprocessing.get_context("spawn")
        child = context.Process(target=measure_and_tell, args=(folder, options.rounds, options.seconds))
        child.start()
        child.join()
    if child.exitcode:
        raise SystemExit(child.exitcode)


def measure_and_tell(folder: Path, num_rounds: int, seconds: float) -> None:
    """Measure all readers on one core and print the table."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    readers = list_readers(folder)
    hu = np.load(folder / ARRAY)
    windows = draw_windows(hu.shape)
    for name, reader in readers.items():
        check(name, reader, windows[:NUM_CHECKED], hu)
    rates: dict[str, list[float]] = {name: [] for name in readers}
    for name in alternate(list(readers), num_rounds):
        rates[name].append(count_crops(readers[name], windows, seconds))
    tell(readers, rates, hu)


def draw_windows(shape_zyx: Sequence[int]) -> list[Window]:
    """Return windows that lie inside a volume of that shape, drawn evenly."""
    rng = np.random.default_rng(SEED)
    starts = rng.integers(0, np.asarray(shape_zyx) - CROP_VOX + 1, (NUM_POSITIONS, 3)).tolist()
    return [Window((z, y, x), (CROP_VOX,) * 3) for z, y, x in starts]


def check(name: str, reader: CropReader, windows: Sequence[Window], hu: NDArray[np.int16]) -> None:
    """Raise ValueError for a reader whose crops differ; they warm its cache, too."""
    for window in windows:
        if not np.array_equal(reader.read(window), window.cut(hu, 0)):
            raise ValueError(f"{name}: {window}: expected the voxels of the volume, found others")


def count_crops(reader: CropReader, windows: Sequence[Window], seconds: float) -> float:
    """Return crops per second over the first windows, at least one, in about that time."""
    count, began, taken = 0, time.perf_counter(), 0.0
    while taken < seconds or not count:
        reader.read(windows[count % len(windows)])
        count += 1
        taken = time.perf_counter() - began
    return count / taken


def tell(readers: Mapping[str, CropReader], rates: Mapping[str, list[float]], hu: NDArray[np.int16]) -> None:
    ours = next(iter(readers))
    print(f"\n{CROP_VOX}^3 crops of {hu.shape} voxels, int16, one core, warm; reference: {ours}\n")
    rows = []
    for name, reader in readers.items():
        slower = ratios(rates[ours], rates[name])
        is_slow = sorted(slower)[len(slower) // 2] >= SLOW
        rows.append([name, spread(rates[name], 1), spread(slower, 2), "yes" if is_slow else "no", f"{reader.mib:.1f}"])
    print_table(("reader", "crops/s", "x slower than ours", f"{SLOW:g} x or more", "MiB"), rows)


if __name__ == "__main__":
    main()
