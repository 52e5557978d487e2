"""Start of every job: its process up to its first own line, beside a Python that imports numpy and pandas (and torch).

What Snakemake starts for a `script:` is a Python process: it unpickles an object of Snakemake, for which parts of
Snakemake are imported, and runs the script. Measured is the CPU time (user and system) and the wall time of such a
process that imports what the script imports, and opens and closes a tracked job.
"""

import ast
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rounds import alternate, print_table

SCRIPTS = Path(__file__).parents[1] / "workflow" / "scripts"
PREAMBLE = "import pickle, snakemake.iocontainers\nfrom snakemake.logging import logger\n"
JOB = """
from types import SimpleNamespace
class Named(dict):
    __getattr__ = dict.__getitem__
from lungpipe.services.job import open_job
from lungpipe.services.tracking.current import CurrentRun
from pathlib import Path
CurrentRun("0123456789abcdef", "abc").write(Path("run.json"))
with open_job(SimpleNamespace(rule="rule", log=["job.log"], params=Named(run="run.json"))) as job:
    job.log(0, {"loss": 1.0})
"""
BASES = {False: "import numpy, pandas", True: "import torch, numpy, pandas"}
AIMS = {False: 2.0, True: 1.3}
NUM_ROUNDS = 5


def code_of(script: Path) -> str:
    kinds = (ast.Import, ast.ImportFrom)
    lines = [ast.unparse(node) for node in ast.parse(script.read_text()).body if isinstance(node, kinds)]
    return PREAMBLE + "\n".join(lines) + JOB


def has_network(code: str) -> bool:
    check = f"{code}\nimport sys, json; print(json.dumps('torch' in sys.modules))"
    answer = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    return bool(json.loads(answer.stdout.splitlines()[-1]))


def measure(code: str) -> tuple[float, float]:
    """Return the CPU seconds and the wall seconds of a Python process."""
    before, began = os.times(), time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    wall, after = time.perf_counter() - began, os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system, wall


def main() -> None:
    codes = {path.stem: code_of(path) for path in sorted(SCRIPTS.glob("*.py"))}
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        kinds = {name: has_network(code) for name, code in codes.items()}
        every = {**codes, "snakemake": PREAMBLE, **{f"base {kind}": code for kind, code in BASES.items()}}
        seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in every}
        for name in alternate(list(every), NUM_ROUNDS):
            seconds[name].append(measure(every[name]))
        os.chdir(SCRIPTS)
    middle = {name: [statistics.median(part) for part in zip(*values, strict=True)] for name, values in seconds.items()}
    print(f"Snakemake's own imports in a job's process: {middle['snakemake'][0]:.2f} s CPU")
    rows = []
    for name, kind in kinds.items():
        cpu, wall = (value / base for value, base in zip(middle[name], middle[f"base {kind}"], strict=True))
        aim = f"{AIMS[kind]}" if cpu <= AIMS[kind] else f"{AIMS[kind]}, missed"
        rows.append((name, BASES[kind], f"{middle[name][0]:.2f}", f"{cpu:.2f}", f"{wall:.2f}", aim))
    print_table(("job", "beside", "CPU s", "ratio CPU", "ratio wall", "aim"), rows)


if __name__ == "__main__":
    main()
