"""A viewer page of a scan: CPU time and size to write the page, CPU time until a browser shows it.

    python benchmarks/bench_view.py [--scan SCAN] [--slices 300] [--small]

The slices of the scan (without one: noise around -850 HU, 512 x 512 voxels) are repeated up to the number of slices.
The page is opened in a headless Chromium without GPU; the time is that of all its processes.
"""

import argparse
import resource
import sys
import tempfile
from pathlib import Path

import numpy as np
import psutil

from lungpipe.datasets.read import read_scan
from lungpipe.geometry import Grid
from lungpipe.viewer.page import write_page
from lungpipe.viewer.scene import Scene

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
from headless import CHROMIUM, open_browser, visit


def make_scene(source: Path | None, num_slices: int, size: int) -> Scene:
    if source is None:
        hu = np.random.default_rng(0).normal(-850, 20, (8, size, size)).astype(np.int16)
        spacing = (1.0, 0.7, 0.7)
    else:
        scan = read_scan(source)
        hu, spacing = scan.hu, scan.grid.spacing_zyx_mm
    hu = np.resize(hu, (num_slices, *hu.shape[1:]))
    grid = Grid(hu.shape, spacing)
    return Scene(hu, grid, grid, "0" * 12, (hu < -600).astype(np.uint8), np.zeros(hu.shape, np.uint8))


def own_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def browser_cpu_s() -> float:
    total = 0.0
    for process in psutil.Process().children(recursive=True):
        times = process.cpu_times()
        total += times.user + times.system
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scan", type=Path)
    parser.add_argument("--slices", type=int, default=300)
    parser.add_argument("--small", action="store_true", help="128 x 128 voxels")
    options = parser.parse_args()
    scene = make_scene(options.scan, options.slices, 128 if options.small else 512)
    with tempfile.TemporaryDirectory() as folder:
        page, before = Path(folder) / "viewer.html", own_cpu_s()
        write_page(scene, page, threads=2)
        print(
            f"{scene.grid.shape_zyx} voxels: {page.stat().st_size / 1e6:.0f} MB, {own_cpu_s() - before:.1f} s to write"
        )
        if CHROMIUM is None:
            print("no Chromium: not opened")
            return
        with open_browser() as browser:
            before = browser_cpu_s()
            with visit(browser, page) as seen:
                seen.page.wait_for_selector("body[data-ready]", timeout=300_000)
                print(f"{browser_cpu_s() - before:.1f} s until the page is shown")


if __name__ == "__main__":
    main()
