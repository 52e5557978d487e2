"""One scan, raw file to finished result at 1 mm: ours beside its floor, MONAI and TorchIO, in the same run.

    python benchmarks/bench_peers.py [--rounds 5] [--small]

Each chain has a warm process of its own and all cores; start-up and imports are not counted (MONAI's alone takes
seconds). Rounds alternate. Only ours finds the lungs, writes a pyramid and checksums, and syncs to disk. With
LUNGPIPE_SHARED set, a real DICOM series follows the phantom.
"""

import argparse
import shutil
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import SimpleITK
from peers import FLOOR, OURS, PEERS
from rounds import alternate, print_table, ratios, spread
from scans import find_real_series, num_cores, write_scan
from warm_process import Measurement, WarmProcess

MOST_FLOORS, LEAST_PEERS = 1.5, 4.0

Measured = Mapping[str, Sequence[Measurement]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--small", action="store_true", help="a miniature scan, to try the script")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        header = write_scan(Path(name) / "raw", is_small=options.small)
        compare("phantom, MetaImage", header, options.rounds)
    series = find_real_series()
    if series is not None:
        compare(f"{series.name}, DICOM", series, options.rounds)


def compare(title: str, source: Path, num_rounds: int) -> None:
    """Measure every chain on one source and print the table."""
    measured = measure(source, num_rounds)
    print(f"\n{title}: {num_rounds} rounds on {num_cores()} cores\n")
    header = ("chain", "writes", "s", "x floor", "x ours", "peak MiB", "writes MiB")
    print_table(header, [row(name, measured) for name in measured])
    print()
    floors = statistics.median(ratios(seconds(measured, OURS), seconds(measured, FLOOR)))
    print(f"ours, at most {MOST_FLOORS:g} floors: {floors:.2f}, {'kept' if floors <= MOST_FLOORS else 'MISSED'}")
    for name in (name for name in measured if name not in (OURS, FLOOR)):
        faster = statistics.median(ratios(seconds(measured, name), seconds(measured, OURS)))
        is_kept = faster >= LEAST_PEERS
        print(f"{name}, at least {LEAST_PEERS:g} times ours: {faster:.2f}, {'kept' if is_kept else 'MISSED'}")


def measure(source: Path, num_rounds: int) -> Measured:
    """Return the measurements of every chain, round by round; a first round warms up and is left out."""
    processes = {name: WarmProcess(name, make) for name, (make, _) in PEERS.items()}
    measured: dict[str, list[Measurement]] = {name: [] for name in PEERS}
    with tempfile.TemporaryDirectory() as folder:
        for name in (*PEERS, *alternate(list(PEERS), num_rounds)):
            result = Path(folder) / "result"
            measured[name].append(processes[name].run(source, result))
            check_spacing(name, result)
            shutil.rmtree(result)
    for process in processes.values():
        process.close()
    return {name: values[1:] for name, values in measured.items()}


def check_spacing(name: str, folder: Path) -> None:
    """Raise ValueError for an image that is not at 1 mm: a chain that does less is no peer."""
    for path in folder.rglob("*.nii*"):
        reader = SimpleITK.ImageFileReader()
        reader.SetFileName(str(path))
        reader.ReadImageInformation()
        if not np.allclose(reader.GetSpacing(), 1.0, atol=1e-3):
            raise ValueError(f"{name}: {path.name}: expected a spacing of 1 mm, found {reader.GetSpacing()}")


def seconds(measured: Measured, name: str) -> list[float]:
    return [measurement.seconds for measurement in measured[name]]


def row(name: str, measured: Measured) -> list[str]:
    times, last = seconds(measured, name), measured[name][-1]
    return [
        name,
        PEERS[name][1],
        spread(times),
        spread(ratios(times, seconds(measured, FLOOR)), 1),
        spread(ratios(times, seconds(measured, OURS)), 1),
        f"{last.peak_mib:.0f}",
        f"{last.written_mib:.0f}",
    ]


if __name__ == "__main__":
    main()
