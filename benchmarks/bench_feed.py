"""Feed and augmentation alone: windows a second, CPU time, and the memory of a training on 888 scans.

    python benchmarks/bench_feed.py [--windows 4000] [--scans 888] [--device cpu] [--small]

One scan (a real one with LUNGPIPE_SHARED set, else a drawn chest) is stored and stands for all of them under other
names; file cache warm. Nothing else should run on the machine. A GPU needs 8,000 windows of 32^3 a second from 8 cores;
memory should stay below 6 GiB.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from rounds import print_table
from scans import SEED, find_real_series, num_cores, read_resampled, write_scan

from lungpipe.sampling.batch import Batch
from lungpipe.sampling.feed import Feed
from lungpipe.sampling.plan import FeedPlan
from lungpipe.sampling.points import detector_points
from lungpipe.settings.recipe import AugmentationSettings, DetectorSampling
from lungpipe.tables import CENTER_COLUMNS, EXCLUSIONS, NODULES
from lungpipe.training.augment import augment, margin_for
from lungpipe.volumes.writer import write_volume

PATCH_VOX, MAX_OFFSET_VOX, BATCH_SIZE = 32, 12, 64
NODULES_PER_SCAN, EXCLUSIONS_PER_SCAN, NODULE_MM = 1186 / 888, 40, 8.0
SIMPLE = AugmentationSettings()
EVERYTHING = AugmentationSettings(rotation_deg=180.0, zoom=0.1, noise_hu=20.0, blur_vox=1.0, cutout_vox=12)


@dataclass(frozen=True, slots=True)
class Dataset:
    """Stores by series, with findings drawn at random in the lungs."""

    volumes: dict[str, Path]
    nodules: pd.DataFrame
    exclusions: pd.DataFrame


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--windows", type=int, default=4000, help="windows of each measurement")
    parser.add_argument("--scans", type=int, default=888, help="scans of the dataset")
    parser.add_argument("--device", default="cpu", help="where patches are augmented: cpu or cuda")
    parser.add_argument("--small", action="store_true", help="a miniature scan, to try the script")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        dataset = build(Path(name), options.scans, is_small=options.small)
        print(f"\n{options.scans} scans, windows of {PATCH_VOX}^3, batches of {BATCH_SIZE}, {num_cores()} cores\n")
        points, seconds = timed(
            lambda: detector_points(dataset.volumes, dataset.nodules, dataset.exclusions, DetectorSampling(), seed=SEED)
        )
        print(f"{len(points)} points of a detector in {seconds:.1f} s; {peak_gib():.2f} GiB at most so far\n")
        # first: the peak of a process never falls
        measure_memory(points, dataset)
        compare_feeds(points, dataset, options.windows)
        compare_augmentations(points, dataset, options.device)


def build(folder: Path, num_scans: int, *, is_small: bool) -> Dataset:
    """Store one scan and name it `num_scans` times; findings are random voxels below -500 HU around its middle."""
    real = None if is_small else find_real_series()
    hu, grid = read_resampled(real if real is not None else write_scan(folder / "raw", is_small=is_small))
    middle = tuple(slice(size // 5, size - size // 5) for size in hu.shape)
    lungs = np.zeros(hu.shape, dtype=np.uint8)
    lungs[middle] = hu[middle] < -500
    path = folder / "scan.ome.zarr"
    write_volume(path, hu, grid, lungs, series_uid="1.1", attributes={})
    rng = np.random.default_rng(SEED)
    inside = np.argwhere(lungs)
    uids = [f"1.{row}" for row in range(num_scans)]

    def draw(per_scan: float) -> pd.DataFrame:
        number = round(per_scan * num_scans)
        world = grid.to_world(rng.choice(inside, number))
        table = pd.DataFrame(world, columns=list(CENTER_COLUMNS))
        return table.assign(series_uid=rng.choice(uids, number), diameter_mm=NODULE_MM)

    nodules = draw(NODULES_PER_SCAN)
    nodules = nodules.assign(nodule_id=[str(row) for row in range(len(nodules))], malignancy_ratings=None)
    volumes = dict.fromkeys(uids, path)
    return Dataset(volumes, NODULES.conform(nodules), EXCLUSIONS.conform(draw(EXCLUSIONS_PER_SCAN)))


def compare_feeds(points: pd.DataFrame, dataset: Dataset, num_windows: int) -> None:
    """Print windows a second of the feed alone: from stores, then from memory, with one thread and with all cores."""
    steps = max(num_windows // BATCH_SIZE, 1)
    rows = []
    for num_threads in sorted({1, num_cores()}):
        with_margin = margin_for(EVERYTHING, PATCH_VOX)
        for name, settings, margin in (("none", SIMPLE, 0), ("rotation, zoom", EVERYTHING, with_margin)):
            # few points, so that the second round finds all of them in memory
            few = points.sample(min(len(points), 500), random_state=SEED)
            plan = replace(plan_of(settings, margin), num_threads=num_threads)
            feed = Feed(few, dataset.volumes, (dataset.nodules, dataset.exclusions), plan)
            _, cold = timed(lambda feed=feed: list(feed.fixed_batches(BATCH_SIZE)))
            cpu = cpu_seconds()
            _, warm = timed(lambda feed=feed: drain(feed, steps))
            cpu = cpu_seconds() - cpu
            feed.close()
            windows = steps * BATCH_SIZE
            rates = (f"{len(few) / cold:.0f}", f"{windows / warm:.0f}", f"{windows / cpu:.0f}")
            rows.append((name, str(plan.window_vox), str(num_threads), *rates))
    print_table(("margin for", "window", "threads", "from stores /s", "from memory /s", "per core-second"), rows)


def compare_augmentations(points: pd.DataFrame, dataset: Dataset, device: str) -> None:
    """Print patches a second of augmentation alone."""
    print()
    rows = []
    for name, settings in (("symmetries, HU", SIMPLE), ("everything", EVERYTHING)):
        plan = plan_of(settings, margin_for(settings, PATCH_VOX))
        feed = Feed(points[:200], dataset.volumes, (dataset.nodules, dataset.exclusions), plan)
        batch = feed.batch(0).to(device)
        feed.close()
        seconds = min(timed(lambda batch=batch, settings=settings: run(batch, settings))[1] for _ in range(10))
        rows.append((name, device, f"{1000 * seconds:.2f}", f"{BATCH_SIZE / seconds:.0f}"))
    print_table(("augmentation", "device", "ms a batch", "patches /s"), rows)


def measure_memory(points: pd.DataFrame, dataset: Dataset) -> None:
    """Read every point's block through a feed with a training's bound, and print the peak of this process."""
    before = peak_gib()
    plan = plan_of(SIMPLE, 0)
    feed = Feed(points, dataset.volumes, (dataset.nodules, dataset.exclusions), plan)
    opened = peak_gib()
    for _ in feed.fixed_batches(BATCH_SIZE):
        pass
    feed.close()
    block_gib = 2 * plan.block_vox**3 * len(points) / 2**30
    bound = plan.cache_bytes / 2**30
    print(
        f"memory: {before:.2f} GiB before, {opened:.2f} GiB with {len(dataset.volumes)} volumes open, "
        f"{peak_gib():.2f} GiB after all {len(points)} blocks ({block_gib:.2f} GiB) went through a bound of "
        f"{bound:.2f} GiB\n"
    )


def plan_of(settings: AugmentationSettings, margin_vox: int) -> FeedPlan:
    return FeedPlan(
        patch_size_vox=PATCH_VOX,
        batch_size=BATCH_SIZE,
        seed=SEED,
        max_offset_vox=MAX_OFFSET_VOX,
        margin_vox=margin_vox,
        nodule_fraction=0.6,
        small_nodule_power=1.0,
        augmentation=settings,
    )


def run(batch: Batch, settings: AugmentationSettings) -> None:
    augment(batch, settings, PATCH_VOX)
    if batch.hu_BZYX.is_cuda:
        torch.cuda.synchronize()


def drain(feed: Feed, steps: int) -> None:
    for _ in feed.stream(0, steps):
        pass


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    began = time.perf_counter()
    result = work()
    return result, time.perf_counter() - began


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def peak_gib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


if __name__ == "__main__":
    main()
