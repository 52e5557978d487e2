"""The commands and papers around the code."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml


@pytest.fixture
def checkout(root: Path, tmp_path: Path) -> Path:
    """A checkout as far as make looks at it, with nothing installed."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(root / name, tmp_path)
    return tmp_path


def planned(checkout: Path, *words: str) -> list[str]:
    """The commands that make would run."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    command = ["make", "--dry-run", "--no-print-directory", *words]
    answer = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, check=True)
    return [line for line in answer.stdout.splitlines() if "import sys" not in line]


def install(checkout: Path, extras: str) -> str:
    what = f"'.[{extras}]'" if extras else "."
    return f".venv/bin/python -m pip --disable-pip-version-check install -c constraints.txt -e {what}"


def pretend_installed(checkout: Path, *stamps: str) -> None:
    (checkout / ".venv" / "bin").mkdir(parents=True, exist_ok=True)
    for name in ("bin/python", *(f".installed-{stamp}" for stamp in stamps)):
        (checkout / ".venv" / name).touch()


def test_make_run_makes_an_environment_installs_and_runs(checkout: Path) -> None:
    assert planned(checkout, "run") == [
        "python3 -m venv .venv",
        install(checkout, ""),
        "touch .venv/.installed-run",
        "snakemake --cores 8 ",
    ]


def test_make_test_installs_what_tests_need(checkout: Path) -> None:
    plan = planned(checkout, "test", "PYTHON=python3.11")
    assert plan[:2] == ["python3.11 -m venv .venv", install(checkout, "test,slurm,docs,bundle,viz,notebooks")]
    assert plan[-1] == "pytest -n 2 "


def test_what_is_installed_is_not_installed_again(checkout: Path) -> None:
    pretend_installed(checkout, "run")
    assert planned(checkout, "run") == ["snakemake --cores 8 "]
    assert planned(checkout, "test")[0] == install(checkout, "test,slurm,docs,bundle,viz,notebooks")
    pretend_installed(checkout, "run", "test")
    assert planned(checkout, "test") == ["pytest -n 2 "]


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
def test_a_changed_dependency_or_pin_is_installed(checkout: Path, name: str) -> None:
    pretend_installed(checkout, "run", "test")
    later = (checkout / ".venv" / ".installed-run").stat().st_mtime + 10
    os.utime(checkout / name, (later, later))
    assert planned(checkout, "run")[0] == install(checkout, "")


def test_an_old_python_is_refused_in_one_line(checkout: Path) -> None:
    old = checkout / "old-python"
    # what a Python 3.9 would be told, by the interpreter at hand
    old.write_text('#!/bin/sh\nshift\nexec python3 -c "import sys; sys.version_info = type(\'V\', (tuple,), '
                   '{\'major\': 3, \'minor\': 9})((3, 9)); exec(sys.argv[1])" "$@"\n')  # fmt: skip
    old.chmod(0o755)
    answer = subprocess.run(["make", "run", f"PYTHON={old}"], cwd=checkout, capture_output=True, text=True, check=False)
    assert answer.returncode == 2
    assert "expected Python 3.11 or newer, found 3.9" in answer.stderr
    assert not (checkout / ".venv").exists()


def test_help_lists_every_command(root: Path) -> None:
    # this test itself may run under make, which then says which folder it enters
    command = ["make", "--no-print-directory", "help"]
    answer = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    phony = re.search(r"^\.PHONY: (.+)$", (root / "Makefile").read_text(), re.MULTILINE)
    assert phony is not None
    assert [line.split()[0] for line in answer.stdout.splitlines() if line.strip()] == phony[1].split()


def test_continuous_integration_is_a_program_that_tests_and_runs(root: Path) -> None:
    path = root / ".ci" / "run"
    assert os.access(path, os.X_OK)
    subprocess.run(["bash", "-n", path], check=True)
    lines = path.read_text().splitlines()
    assert lines.index("set -euo pipefail") < lines.index("make test") < lines.index("make run")


def test_pre_commit_downloads_nothing_and_runs_what_is_installed(root: Path) -> None:
    subprocess.run(["pre-commit", "validate-config"], cwd=root, check=True, capture_output=True, env=with_tools(root))
    repositories = yaml.safe_load((root / ".pre-commit-config.yaml").read_text())["repos"]
    assert [repository["repo"] for repository in repositories] == ["local"]
    for hook in repositories[0]["hooks"]:
        assert hook["language"] == "system"
        assert shutil.which(hook["entry"].split()[0], path=with_tools(root)["PATH"]), hook["id"]


def with_tools(root: Path) -> dict[str, str]:
    return os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def test_version_and_license_are_the_same_everywhere(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    citation = yaml.safe_load((root / "CITATION.cff").read_text())
    assert (citation["version"], citation["license"]) == (project["version"], project["license"])
    assert project["version"] in (root / "CHANGELOG.md").read_text()
    text = (root / "LICENSE").read_text()
    assert "Apache License\n                           Version 2.0, January 2004" in text
    assert "9. Accepting Warranty or Additional Liability" in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_contributing_names_files_and_commands_that_exist(root: Path) -> None:
    text = (root / "CONTRIBUTING.md").read_text()
    targets = set(re.findall(r"^([a-z-]+):", (root / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE)) <= targets
    paths = re.findall(r"`((?:tests|workflow|docs|recipes|studies|src)/[\w/.]*)`", text)
    assert len(paths) > 8
    assert [path for path in paths if not (root / path).exists()] == []
