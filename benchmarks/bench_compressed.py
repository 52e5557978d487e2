"""One CT in every transfer syntax: what reading and preparing it takes beside plain pixels, in the same run.

    python benchmarks/bench_compressed.py [--rounds 3] [--slices 100] [--small]

All syntaxes are read in turns by one warm process: start-up and imports are not counted. CPU time is that of all
threads. The series is a real one where LUNGPIPE_SHARED is set, else the phantom; both are written anew, since archives
hold one syntax each. Decoding alone is that of one thread: compressed frame in memory to pixels in memory.
"""

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
from compressed_series import PLAIN, SYNTAXES, write_series
from rounds import alternate, print_table, ratios, spread
from scans import find_real_series, num_cores, write_scan

from lungpipe.datasets.dicom.encapsulated import decode_frames
from lungpipe.datasets.read import read_scan
from lungpipe.preparation.convert import Output, prepare_scan
from lungpipe.settings import PreprocessingSettings

MOST_RATIO = 2.0
NUM_DECODED = 20
Times = dict[str, list[tuple[float, float]]]
"""Wall and CPU seconds of every round, by syntax."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--slices", type=int, default=100)
    parser.add_argument("--small", action="store_true", help="a miniature scan, to try the script")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = None if options.small else find_real_series()
        scan = read_scan(source or write_scan(folder / "raw", is_small=options.small))
        (folder / "series").mkdir()
        series = write_series(scan, folder / "series", options.slices)
        for syntax, path in series.items():
            if not np.array_equal(read_scan(path).hu, scan.hu[: options.slices]):
                raise RuntimeError(f"{syntax}: expected the voxels of the plain series, found others")
        settings = PreprocessingSettings(lung_mask="whole" if options.small else "threshold")
        read = measure(series, options.rounds, read_scan)
        prepared = measure(series, options.rounds, lambda path: prepare(path, folder / "out", settings))
        decoding = {syntax: decode(path) for syntax, path in series.items()}
    title = "phantom" if source is None else source.name
    print(f"\n{title}, {min(options.slices, len(scan.hu))} slices, {options.rounds} rounds on {num_cores()} cores\n")
    header = (
        "pixels",
        "decoding, ms a slice",
        "read, CPU s",
        "prepare, CPU s",
        "x plain",
        "prepare, wall s",
        "x plain",
    )
    print_table(header, (row(syntax, decoding, read, prepared) for syntax in SYNTAXES))
    print()
    for syntax in SYNTAXES:
        if syntax != PLAIN:
            cpu = statistics.median(ratios(column(prepared, syntax, 1), column(prepared, PLAIN, 1)))
            verdict = "kept" if cpu <= MOST_RATIO else "MISSED"
            print(f"{syntax}, at most {MOST_RATIO:g} times the CPU time of plain: {cpu:.2f}, {verdict}")


def prepare(source: Path, folder: Path, settings: PreprocessingSettings) -> None:
    """Prepare a series as `lungpipe prepare` does."""
    prepare_scan(source, Output(folder / "scan.ome.zarr"), settings)
    shutil.rmtree(folder)


def measure(series: dict[str, Path], num_rounds: int, work: Callable[[Path], object]) -> Times:
    """Return the times of `work` on every series, round by round; a first round warms up and is left out."""
    times: Times = {syntax: [] for syntax in series}
    for syntax in (*series, *alternate(list(series), num_rounds)):
        wall, cpu = time.perf_counter(), time.process_time()
        work(series[syntax])
        times[syntax].append((time.perf_counter() - wall, time.process_time() - cpu))
    return {syntax: values[1:] for syntax, values in times.items()}


def decode(folder: Path) -> float | None:
    """Return the median CPU time (ms) of decoding one slice; None for pixels that are not encapsulated."""
    times = []
    for path in sorted(folder.iterdir())[:NUM_DECODED]:
        data = pydicom.dcmread(path)
        if not data.file_meta.TransferSyntaxUID.is_encapsulated:
            return None
        began = time.process_time()
        list(decode_frames(data))
        times.append(1000 * (time.process_time() - began))
    return statistics.median(times)


def column(times: Times, syntax: str, place: int) -> list[float]:
    return [values[place] for values in times[syntax]]


def row(syntax: str, decoding: dict[str, float | None], read: Times, prepared: Times) -> list[str]:
    wall, cpu = (column(prepared, syntax, place) for place in (0, 1))
    plain_wall, plain_cpu = (column(prepared, PLAIN, place) for place in (0, 1))
    alone = decoding[syntax]
    return [
        syntax,
        "-" if alone is None else f"{alone:.1f}",
        spread(column(read, syntax, 1)),
        spread(cpu),
        spread(ratios(cpu, plain_cpu)),
        spread(wall),
        spread(ratios(wall, plain_wall)),
    ]


if __name__ == "__main__":
    main()
