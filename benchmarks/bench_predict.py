"""`lungpipe predict` from a DICOM folder to the finished outputs: stages, start-up, a second scan, memory.

    python benchmarks/bench_predict.py [--rounds 3] [--threads N] [--model MODEL] [--native] [--small]

Each round runs the command in a new process, and beside that one process that loads the model and predicts the scan
twice. Both are repeated with AVX2 alone (--native leaves that out). The scan is LIDC-IDRI-0012 below LUNGPIPE_SHARED
(128 slices) and the full-size phantom (300 slices of 512 x 512) written as DICOM; --small takes a miniature. Seconds
need an idle machine. CPU seconds of the process (user and system) hold on a busy one, too.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rounds import print_table, spread
from scans import find_real_series, num_cores, write_scan

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
from dicom_files import store, write_ct

from lungpipe.datasets.read import read_scan

AVX2 = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}
CT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
MOST_SECONDS = {"native": 15.0, "AVX2": 30.0}
SECOND_SCAN_SECONDS, MOST_MIB = 10.0, 3 * 1024
"""Aims: a new process on two cores with AMX or with AVX2 alone, a second scan with the model loaded, and memory."""
STARTUP = "start-up and imports"
WARM = """
import json, resource, sys, time
import lungpipe
from lungpipe.delivery.outputs import Wanted, write_prediction
source, out, model, threads = sys.argv[1:]
began = time.perf_counter()
loaded = lungpipe.load_model(model or None, threads=int(threads))
seconds = [time.perf_counter() - began]
for number in range(2):
    began = time.perf_counter()
    found = lungpipe.predict(source, model=loaded)
    write_prediction(found, f"{out}/{number}", loaded, Wanted(source=__import__("pathlib").Path(source)))
    seconds.append(time.perf_counter() - began)
print(json.dumps(seconds))
"""
"""One process that keeps the model: seconds to load it, of the first and of the second scan."""


@dataclass(frozen=True, slots=True)
class Run:
    """One call of the command: wall and CPU seconds, seconds of each stage, and peak memory (MiB)."""

    seconds: float
    cpu_seconds: float
    stages: dict[str, float]
    peak_mib: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=num_cores())
    parser.add_argument("--model", default="", help="a model's folder or bundle; else the model in the package")
    parser.add_argument("--native", action="store_true", help="only with all instructions of the processor")
    parser.add_argument("--small", action="store_true", help="a miniature scan, to try the script")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        drawn = write_series(folder / "series", write_scan(folder / "raw", is_small=options.small))
        series = {"phantom": drawn}
        if not options.small and (real := find_real_series()) is not None:
            series[real.name] = real
        for title, source in series.items():
            for kind in ("native",) if options.native else ("native", "AVX2"):
                report(title, kind, source, options)


def write_series(folder: Path, header: Path) -> Path:
    """Write a scan as a DICOM series, a file for each slice, and return the folder."""
    scan = read_scan(header)
    folder.mkdir()
    spacing = scan.grid.spacing_zyx_mm
    for index, plane in enumerate(scan.hu):
        z, y, x = scan.grid.to_world(np.array([index, 0, 0])).tolist()
        elements = {
            "StudyInstanceUID": "2.25.1",
            "SeriesInstanceUID": "2.25.2",
            "FrameOfReferenceUID": "2.25.3",
            "Rows": plane.shape[0],
            "Columns": plane.shape[1],
            "PixelSpacing": [round(spacing[1], 6), round(spacing[2], 6)],
            "ImagePositionPatient": [round(x, 4), round(y, 4), round(z, 4)],
            "ImageOrientationPatient": [1.0, 0.0, 0.0, 0.0, 1.0, 0.0],
            "RescaleSlope": 1,
            "RescaleIntercept": -1024,
            "PixelData": store(plane),
        }
        write_ct(folder / f"{index:04d}.dcm", CT_IMAGE_STORAGE, f"2.25.2.{index + 1}", elements)
    return folder


def report(title: str, kind: str, source: Path, options: argparse.Namespace) -> None:
    environment = {**os.environ, **(AVX2 if kind == "AVX2" else {})}
    runs, warm = [], []
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory() as name:
            runs.append(predict(source, Path(name) / "out", options, environment))
            warm.append(predict_twice(source, Path(name), options, environment))
    print(f"\n{title}, {kind}, {options.threads} threads, {options.rounds} rounds: median (range)\n")
    total = statistics.median(run.seconds for run in runs)
    rows = []
    for stage in {name: None for run in runs for name in run.stages}:
        values = [run.stages.get(stage, 0.0) for run in runs]
        rows.append((stage, spread(values), f"{statistics.median(values) / total:.0%}"))
    print_table(("stage", "seconds", "share"), rows)
    peak = max(run.peak_mib for run in runs)
    loads, first, second = (statistics.median(values) for values in zip(*warm, strict=True))
    print()
    print_table(
        ("measure", "found", "aim"),
        [
            ("new process, seconds", spread([run.seconds for run in runs]), f"{MOST_SECONDS[kind]:g}"),
            ("new process, CPU seconds", spread([run.cpu_seconds for run in runs]), ""),
            ("model loaded, seconds", f"{loads:.2f}", ""),
            ("first scan of a process, seconds", f"{first:.2f}", ""),
            ("second scan, seconds", f"{second:.2f}", f"{SECOND_SCAN_SECONDS:g}"),
            ("peak memory, MiB", f"{peak:.0f}", f"{MOST_MIB}"),
        ],
    )


def predict(source: Path, out: Path, options: argparse.Namespace, environment: dict[str, str]) -> Run:
    """Run the command in a process of its own."""
    command = [sys.executable, "-m", "lungpipe", "predict", str(source), "--out", str(out), "--quiet", "--json"]
    command += ["--threads", str(options.threads), *(["--model", options.model] if options.model else [])]
    began = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)
    assert process.stdout is not None
    text = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    if status:
        raise RuntimeError(f"{' '.join(command)}: expected exit code 0, found {os.waitstatus_to_exitcode(status)}")
    stages = dict(json.loads(text)["compute"]["times_s"])
    stages[STARTUP] = seconds - sum(stages.values())
    return Run(seconds, usage.ru_utime + usage.ru_stime, stages, usage.ru_maxrss / 1024)


def predict_twice(source: Path, out: Path, options: argparse.Namespace, environment: dict[str, str]) -> list[float]:
    """Return the seconds of loading the model, and of the first and the second scan, in one process."""
    command = [sys.executable, "-c", WARM, str(source), str(out), options.model, str(options.threads)]
    answer = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    return json.loads(answer.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
