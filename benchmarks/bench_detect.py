"""Detection in one whole scan, from its stored volume: ours beside MONAI's sliding window with the same weights.

    python benchmarks/bench_detect.py [--model MODEL] [--rounds 3] [--threads N] [--cube 96] [--small]
    ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2 python benchmarks/bench_detect.py

Without a model the flagship's detector is measured with random weights: its seconds are those of a trained one, its
detections are not, so that only a trained model's are compared. Each chain has a warm process of its own; start-up and
imports are not counted. Rounds alternate, and ratios are of one round. On a machine with other work look at the CPU
time. The scan is LIDC-IDRI-0012 below LUNGPIPE_SHARED, else the full-size phantom. MONAI is left out where it is not
installed.
"""

import argparse
import importlib.util
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from detection_chains import STAGES, make_monai, make_ours, make_stages
from numpy.typing import NDArray
from peers import Chain
from rounds import alternate, print_table, ratios, spread
from scans import find_real_series, num_cores, write_scan
from warm_process import WarmProcess

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
from random_detector import write_random_detector

from lungpipe.models.hardware import has_native_bfloat16
from lungpipe.preparation.convert import Output, prepare_scan
from lungpipe.settings import PreprocessingSettings
from lungpipe.settings.load import read_recipe
from lungpipe.settings.recipe import TrainedDetector
from lungpipe.volumes.store import open_volume

RECIPES = Path(__file__).parents[1] / "recipes"
SPACING = (1.0, 1.0, 1.0)
OURS, SAME, MONAI = "lungpipe", "lungpipe, float32, whole volume", "MONAI, float32, whole volume"
MOST_SECONDS, LEAST_RATIO = {True: 2.0, False: 4.0}, {True: 10.0, False: 4.0}
"""Aims with and without a processor that multiplies bfloat16."""
MOST_MIB, NUM_TOP, NEAR_MM = 2048, 10, 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """One run of a chain: seconds, CPU seconds, peak memory of its process, and what it found."""

    seconds: float
    cpu_seconds: float
    peak_mib: float
    centers: NDArray[np.float64]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=None, help="a trained detector; else random weights")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=num_cores())
    parser.add_argument("--cube", type=int, default=96, help="side of MONAI's windows, voxels")
    parser.add_argument("--small", action="store_true", help="a miniature scan, to try the script")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        series = None if options.small else find_real_series()
        store = write_store(folder / "scan", series or write_scan(folder / "raw", is_small=options.small))
        warm_up = write_store(folder / "warm-up", write_scan(folder / "miniature", is_small=True))
        describe(series.name if series else "phantom", store)
        model = options.model or write_flagship(folder / "detector.safetensors")
        makers = chains(model, options.threads, options.cube)
        measured = measure(makers, store, warm_up, options.rounds)
        stages, num_voxels = measure_stages(model, options.threads, store, warm_up)
    report(measured, options.rounds, options.threads)
    print(f"\nours computes {num_voxels / 1e6:.1f} million voxels\n")
    shares = [f"{share:.0%}" for share in stages / stages.sum()]
    print_table(("stage", "s", "share"), zip(STAGES, (f"{value:.2f}" for value in stages), shares, strict=True))
    if options.model and MONAI in measured:
        same, found = num_same(measured[SAME][-1].centers, measured[MONAI][-1].centers)
        print(f"\nof MONAI's {found} strongest candidates {same} are within {NEAR_MM:g} mm of one of ours")


def write_store(folder: Path, source: Path) -> Path:
    """Write the volume of a scan, with its lungs."""
    folder.mkdir()
    prepare_scan(source, Output(folder / "scan.ome.zarr"), PreprocessingSettings())
    return folder / "scan.ome.zarr"


def describe(name: str, store: Path) -> None:
    """Print what is searched."""
    volume = open_volume(store)
    lungs = np.count_nonzero(volume.read_lungs()) / np.prod(volume.grid.shape_zyx)
    print(f"{name}: {volume.grid.shape_zyx} voxels of 1 mm, {lungs:.0%} of them lung")


def write_flagship(path: Path) -> Path:
    """Write the flagship's detector with random weights."""
    part = TrainedDetector.model_validate(read_recipe(RECIPES, "flagship")["detector"])
    return write_random_detector(path, part, spacing_zyx_mm=SPACING)


def chains(model: Path, threads: int, cube: int) -> dict[str, Callable[[], Chain]]:
    """Return the makers of the chains that can run here."""
    makers = {
        OURS: partial(make_ours, model, "auto", threads, is_whole=False),
        "lungpipe, float32": partial(make_ours, model, "float32", threads, is_whole=False),
        SAME: partial(make_ours, model, "float32", threads, is_whole=True),
    }
    if importlib.util.find_spec("monai") is None:
        print("MONAI is not installed: left out (make bench installs it)")
        return makers
    return {**makers, MONAI: partial(make_monai, model, threads, cube)}


def measure(
    makers: Mapping[str, Callable[[], Chain]], store: Path, warm_up: Path, num_rounds: int
) -> dict[str, list[Run]]:
    """Return the runs of every chain, round by round; a run on a miniature warms each chain up and is left out."""
    processes = {name: WarmProcess(name, make) for name, make in makers.items()}
    measured: dict[str, list[Run]] = {name: [] for name in makers}
    with tempfile.TemporaryDirectory() as folder:
        for name in makers:
            processes[name].run(warm_up, Path(folder) / f"warm-up {name}")
        for name in alternate(list(makers), num_rounds):
            result = Path(folder) / "result"
            run = processes[name].run(store, result)
            with np.load(result / "detections.npz") as found:
                measured[name].append(Run(run.seconds, float(found["cpu_seconds"]), run.peak_mib, found["centers"]))
            shutil.rmtree(result)
    for process in processes.values():
        process.close()
    return measured


def measure_stages(model: Path, threads: int, store: Path, warm_up: Path) -> tuple[NDArray[np.float64], int]:
    """Return the seconds of every stage, and how many voxels the network computes."""
    process = WarmProcess("stages", partial(make_stages, model, "auto", threads))
    with tempfile.TemporaryDirectory() as folder:
        for name, volume in (("warm-up", warm_up), ("measured", store)):
            process.run(volume, Path(folder) / name)
        process.close()
        with np.load(Path(folder) / "measured" / "stages.npz") as found:
            return found["seconds"], int(found["num_voxels"])


def report(measured: Mapping[str, list[Run]], num_rounds: int, threads: int) -> None:
    """Print the table of chains, and the measured values beside the aims."""
    is_native = has_native_bfloat16("cpu")
    precision = "bfloat16" if is_native else "float32"
    print(f"\n{num_rounds} rounds, {threads} threads, {num_cores()} cores; ours computes in {precision}\n")
    seconds = {name: [run.seconds for run in runs] for name, runs in measured.items()}
    cpu = {name: [run.cpu_seconds for run in runs] for name, runs in measured.items()}
    header = ("chain", "s", "CPU s", "x ours", "x ours, CPU", "peak MiB")
    print_table(
        header,
        (
            (
                name,
                spread(seconds[name]),
                spread(cpu[name]),
                spread(ratios(seconds[name], seconds[OURS]), 1),
                spread(ratios(cpu[name], cpu[OURS]), 1),
                f"{runs[-1].peak_mib:.0f}",
            )
            for name, runs in measured.items()
        ),
    )
    print()
    say("ours, seconds", statistics.median(seconds[OURS]), MOST_SECONDS[is_native])
    say("ours, peak MiB", measured[OURS][-1].peak_mib, MOST_MIB)
    if MONAI in measured:
        say("MONAI, times ours", statistics.median(ratios(seconds[MONAI], seconds[OURS])), LEAST_RATIO[is_native], -1)


def say(name: str, value: float, aim: float, sign: int = 1) -> None:
    """Print a value beside its aim: at most the aim, or, with sign -1, at least."""
    verdict = "kept" if sign * value <= sign * aim else "MISSED"
    print(f"{name}: {value:.2f}, aim at {'most' if sign > 0 else 'least'} {aim:g}: {verdict}")


def num_same(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> tuple[int, int]:
    """Return how many of their strongest centres are near one of ours, and how many there are."""
    top = theirs[:NUM_TOP]
    distance = np.linalg.norm(top[:, None] - ours[None], axis=-1)
    return int((distance.min(axis=1, initial=np.inf) <= NEAR_MM).sum()), len(top)


if __name__ == "__main__":
    main()
