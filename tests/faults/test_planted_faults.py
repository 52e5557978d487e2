"""Faults that training would survive in silence: each one, planted into a copy of the package, fails the unit tests."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

import lungpipe

PACKAGE = Path(lungpipe.__file__).parent
TESTS = Path(__file__).parents[1]


@dataclass(frozen=True)
class Fault:
    """One edit of one file, and the unit tests next to it that have to notice."""

    name: str
    file: str
    before: str
    after: str
    tests: str


FAULTS = [Fault(**entry) for entry in yaml.safe_load((Path(__file__).parent / "faults.yaml").read_text())]


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_planted_fault_fails_the_unit_tests(fault: Fault, tmp_path: Path) -> None:
    answer = run_with(fault, tmp_path)
    assert answer.returncode == 1, f"the tests of {fault.tests} pass with this fault:\n{answer.stdout[-2000:]}"
    assert " failed" in answer.stdout.splitlines()[-1], answer.stdout[-2000:]


@pytest.mark.slow
@pytest.mark.parametrize("tests", sorted({fault.tests for fault in FAULTS}))
def test_without_a_fault_the_same_tests_pass(tests: str, tmp_path: Path) -> None:
    answer = run_with(Fault("none", "training/schedule.py", "import math", "import math", tests), tmp_path)
    assert answer.returncode == 0, answer.stdout[-2000:]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_the_line_of_a_fault_is_there_once(fault: Fault) -> None:
    assert (PACKAGE / fault.file).read_text().count(fault.before) == 1
    assert (TESTS / "unit" / fault.tests).is_file()


def run_with(fault: Fault, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the fault's unit tests against a copy of the package that holds the fault."""
    copied = folder / "src" / "lungpipe"
    shutil.copytree(PACKAGE, copied, ignore=shutil.ignore_patterns("__pycache__"))
    source = (copied / fault.file).read_text()
    (copied / fault.file).write_text(source.replace(fault.before, fault.after))
    environment = os.environ | {"PYTHONPATH": str(copied.parent), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-n", "0"]
    command += [f"--basetemp={folder / 'pytest'}", str(TESTS / "unit" / fault.tests)]
    return subprocess.run(
        command, cwd=TESTS.parent, env=environment, capture_output=True, text=True, check=False, timeout=900
    )
