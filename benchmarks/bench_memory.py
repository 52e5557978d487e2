"""Peak memory of preparing one scan, or comparing its lungs, measured, beside what is told from headers before.

    python benchmarks/bench_memory.py [name ...]

Every scan is prepared in a process of its own, and its lungs are compared with a reference, where it has one, in
another; the baseline is that process after its imports (Linux only). The same process then does it some more times.
Shown beside are what it keeps of that memory in the end, between two scans,
and what it held at most, the program included: that much PROGRAM_BYTES and the estimate must cover together.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lungpipe.datasets.luna16 import list_scans
from lungpipe.datasets.metaimage import read_metaimage
from lungpipe.datasets.scan import Scan
from lungpipe.geometry import Grid
from lungpipe.phantom import FULL_SIZE, write_phantom
from lungpipe.phantom.metaimage import write_metaimage
from lungpipe.preparation.compare_lungs import CompareRequest, compare_lungs
from lungpipe.preparation.memory import PROGRAM_BYTES, count_cores, require_comparison_memory, require_memory
from lungpipe.preparation.prepare import run_task
from lungpipe.preparation.volume import ScanTask
from lungpipe.preparation.workers import Workers
from lungpipe.settings import PreprocessingSettings
from lungpipe.volumes.manifest import MANIFEST_FILE, read_manifest, write_manifest

MORE = 4
MIB = 2**20
MOST_RATIO = 1.5
TURNED = ((1.0, 0.0, 0.0), (0.0, 0.96, -0.28), (0.0, 0.28, 0.96))
TABLE = "{:40} {:>12} {:>12} {:>9} {:>9} {:>9} {:>9} {:>6}"


@dataclass(frozen=True)
class Case:
    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    target_mm: float = 1.0
    is_turned: bool = False
    is_compressed: bool = False
    has_reference: bool = False


CASES = {
    "thick slices": Case((133, 512, 512), (2.25, 0.742, 0.742)),
    "1 mm slices": Case((300, 512, 512), (1.0, 0.742, 0.742)),
    "thin slices": Case((600, 512, 512), (0.6, 0.742, 0.742)),
    "thin slices, smoothed": Case((700, 512, 512), (0.5, 0.742, 0.742)),
    "small field of view, smoothed": Case((350, 512, 512), (1.0, 0.45, 0.45)),
    "coarse lung grid is the fine one": Case((279, 279, 279), (1.0, 1.0, 1.0)),
    "odd sides": Case((121, 321, 321), (2.5, 1.0, 1.0)),
    "large target": Case((300, 512, 512), (1.0, 0.742, 0.742), 0.6),
    "coarse target, smoothed": Case((300, 512, 512), (1.0, 0.742, 0.742), 2.0),
    "turned": Case((300, 512, 512), (1.0, 0.742, 0.742), is_turned=True),
    "turned, smoothed": Case((700, 512, 512), (0.5, 0.742, 0.742), is_turned=True),
    "compressed": Case((300, 512, 512), (1.0, 0.742, 0.742), is_compressed=True),
    "compressed, thin slices": Case((600, 512, 512), (0.6, 0.742, 0.742), is_compressed=True),
    "with reference lungs": Case((300, 512, 512), (1.0, 0.742, 0.742), has_reference=True),
    "thin slices, reference lungs": Case((600, 512, 512), (0.6, 0.742, 0.742), has_reference=True),
    "turned, reference lungs": Case((300, 512, 512), (1.0, 0.742, 0.742), is_turned=True, has_reference=True),
    "thick slices, reference lungs": Case((133, 512, 512), (2.25, 0.742, 0.742), has_reference=True),
    "quarter size": Case((96, 160, 160), (1.5, 1.0, 1.0)),
}


def main(names):
    chosen = {name: CASES[name] for name in names} if names else CASES
    print(f"cores: {count_cores()}")
    print(TABLE.format("", "native", "target", "peak MiB", "estimate", "kept", "resident", "ratio"))
    with tempfile.TemporaryDirectory() as folder:
        scan, labels = draw(Path(folder) / "phantom")
        is_kept = [
            report(name, case, write(Path(folder) / "case", case, scan, labels)) for name, case in chosen.items()
        ]
    allowed = f"estimate / peak from 1 to {MOST_RATIO}, resident within program + estimate"
    print(f"allowed: {allowed}: {'kept' if all(is_kept) else 'MISSED'}")


def draw(folder):
    write_phantom(folder, FULL_SIZE, 1)
    files = list_scans(folder, 0)[0]
    labels = read_metaimage_labels(folder / "seg-lungs-LUNA16" / files.header_path.name)
    return read_metaimage(files.header_path), labels


def read_metaimage_labels(path):
    from lungpipe.datasets.metaimage import read_voxels
    from lungpipe.datasets.metaimage_header import DTYPES, read_header

    return read_voxels(read_header(path, DTYPES.keys()))


def write(folder, case, scan: Scan, labels):
    """Write the phantom with as many voxels as the case has, the nearest ones; return the root of the dataset."""
    direction = TURNED if case.is_turned else Grid((1, 1, 1)).direction_zyx
    grid = Grid(case.shape, case.spacing_mm, direction_zyx=direction)
    places = [np.linspace(0, n - 1, m).round().astype(int) for n, m in zip(scan.hu.shape, case.shape, strict=True)]
    shutil.rmtree(folder, ignore_errors=True)
    chosen = np.ix_(*places)
    header = folder / "subset0" / "1.2.3.mhd"
    write_metaimage(np.ascontiguousarray(scan.hu[chosen]), grid, header, is_compressed=case.is_compressed)
    if case.has_reference:
        lungs = folder / "seg-lungs-LUNA16" / header.name
        write_metaimage(np.ascontiguousarray(labels[chosen]), grid, lungs, is_compressed=True)
    return folder


def report(name, case, root):
    is_kept = report_step(name, case, ["--prepare", str(root), str(case.target_mm)])
    if case.has_reference:
        is_kept &= report_step(f"{name}: compared", case, ["--compare", str(root)])
    return is_kept


def report_step(name, case, arguments):
    command = [sys.executable, __file__, *arguments]
    measured = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    native, target = ("x".join(map(str, shape)) for shape in (case.shape, measured.pop("target")))
    peak, estimate, kept, resident = (measured[key] for key in ("peak", "estimate", "kept", "resident"))
    ratio = estimate / peak
    mib = [round(number / MIB) for number in (peak, estimate, kept, resident)]
    print(TABLE.format(name, native, target, *mib, f"{ratio:.2f}"))
    return 1 <= ratio <= MOST_RATIO and resident <= PROGRAM_BYTES + estimate


def prepare(root, target_mm):
    settings = PreprocessingSettings(spacing_zyx_mm=(target_mm,) * 3)
    job = ScanTask(list_scans(root, 0)[0], root / "out", settings, "bench", 0, np.empty((0, 3)))
    estimate = require_memory(job.scan, settings, 2**60) - PROGRAM_BYTES

    def run():
        outcome = run_task(job)
        assert outcome.entry is not None, outcome.row["reason"]
        return outcome.entry

    entry = measure(run, estimate)
    write_manifest(root / "out" / MANIFEST_FILE, [entry])


def compare(root):
    [scan], [entry] = list_scans(root, 0), read_manifest(root / "out" / MANIFEST_FILE)
    estimate = require_comparison_memory(scan, scan.reference, entry.grid, 2**60) - PROGRAM_BYTES

    def run():
        table = compare_lungs([scan], root / "out", CompareRequest(0, False), Workers(1, 2**60), log=lambda line: None)
        assert table["lungs_dice"].notna().all(), table["reference_reason"].tolist()
        return entry

    measure(run, estimate)


def measure(run, estimate):
    # the jobs of the workflow have it loaded beside all that is loaded here
    import mlflow  # noqa: F401

    baseline = read_status("VmRSS")
    entry = run()
    peak = read_status("VmHWM") - baseline
    for _ in range(MORE):
        run()
    kept, resident = read_status("VmRSS") - baseline, read_status("VmHWM")
    shape = entry.shape_zyx
    print(json.dumps({"peak": peak, "kept": kept, "resident": resident, "estimate": estimate, "target": shape}))
    return entry


def read_status(key):
    # not ru_maxrss: a new process inherits that of the one which started it
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(key))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    if sys.argv[1:2] == ["--prepare"]:
        prepare(Path(sys.argv[2]), float(sys.argv[3]))
    elif sys.argv[1:2] == ["--compare"]:
        compare(Path(sys.argv[2]))
    else:
        main(sys.argv[1:])
