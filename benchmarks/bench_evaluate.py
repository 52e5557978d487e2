"""Seconds and peak memory of the evaluation of a full LUNA16 submission, beside the slow reference of the tests.

    LUNGPIPE_SHARED=<folder with luna16/> python benchmarks/bench_evaluate.py [repeats]

The command is timed as a user runs it: a process of its own, from start-up to the last file, 1000 bootstrap samples.
"""

import importlib.util
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
MOST_SECONDS, MOST_MIB = 3.0, 500.0


def main(repeats=5):
    if not os.environ.get("LUNGPIPE_SHARED"):
        print("LUNGPIPE_SHARED is not set: no submission to evaluate")
        return
    luna16 = Path(os.environ["LUNGPIPE_SHARED"]) / "luna16"
    command = [sys.executable, "-m", "lungpipe", "evaluate", str(luna16 / "submissions" / "deeplung_dpn26.csv")]
    command += ["--annotations", str(luna16 / "annotations.csv")]
    command += ["--excluded", str(luna16 / "annotations_excluded.csv")]
    command += ["--series", str(luna16 / "seriesuids.csv"), "--bootstraps", "1000"]
    with tempfile.TemporaryDirectory() as folder:
        seconds = [run([*command, "--out", folder]) for _ in range(repeats)]
    # the largest of the processes so far: all of them evaluate
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    slow, slow_cpm = run_slow_reference(luna16)
    print(f"cores                                {len(os.sched_getaffinity(0))}")
    print(f"lungpipe evaluate, 1000 bootstraps   {statistics.median(seconds):.2f} s (median of {repeats})")
    print(f"                                     {min(seconds):.2f} to {max(seconds):.2f} s")
    print(f"peak memory                          {peak:.0f} MiB")
    print(f"slow reference, no bootstrap         {slow:.2f} s, CPM {slow_cpm:.5f}")
    is_fast = statistics.median(seconds) <= MOST_SECONDS and peak <= MOST_MIB
    print(f"allowed: {MOST_SECONDS:g} s, {MOST_MIB:g} MiB: {'kept' if is_fast else 'MISSED'}")


def run(command):
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def run_slow_reference(luna16):
    from lungpipe.evaluation.submission import read_findings, read_series_list, read_submission

    path = ROOT / "tests" / "reference" / "slow_evaluation.py"
    spec = importlib.util.spec_from_file_location("slow_evaluation", path)
    slow_evaluation = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(slow_evaluation)
    tables = [
        read_submission(luna16 / "submissions" / "deeplung_dpn26.csv"),
        read_findings(luna16 / "annotations.csv"),
        read_findings(luna16 / "annotations_excluded.csv"),
    ]
    rows = [list(table.itertuples(index=False, name=None)) for table in tables]
    series = read_series_list(luna16 / "seriesuids.csv")
    start = time.perf_counter()
    counts, points = slow_evaluation.evaluate(*rows, series)
    cpm = float(slow_evaluation.cpm(points, len(series), counts["num_nodules"]))
    return time.perf_counter() - start, cpm


if __name__ == "__main__":
    main(*(int(text) for text in sys.argv[1:]))
