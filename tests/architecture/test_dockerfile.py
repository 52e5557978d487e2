"""The Dockerfile installs what the project installs, and runs as a user without rights. No image is built here."""

import json
import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import pytest

from lungpipe.settings.environments import CPU_INDEX, PYTHON


@pytest.fixture(scope="module")
def instructions(root: Path) -> list[tuple[str, str]]:
    """Every instruction of the Dockerfile with its words, comments left out and lines joined."""
    lines = [line for line in (root / "Dockerfile").read_text().splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in joined.splitlines() if line.strip()]


@pytest.fixture(scope="module")
def stages(instructions: list[tuple[str, str]]) -> list[list[tuple[str, str]]]:
    """The instructions of each stage, the first of them FROM; what comes before the first stage is left out."""
    starts = [place for place, (name, _) in enumerate(instructions) if name == "FROM"]
    return [instructions[a:b] for a, b in zip(starts, [*starts[1:], None], strict=True)]


def values(instructions: list[tuple[str, str]], name: str) -> list[str]:
    return [words for one, words in instructions if one == name]


def test_python_and_the_index_of_torch_are_those_of_the_conda_environments(
    root: Path, instructions: list[tuple[str, str]]
) -> None:
    arguments = dict(words.split("=", 1) for words in values(instructions, "ARG"))
    assert arguments == {"PYTHON": PYTHON, "DEVICE": "cpu", "CPU_INDEX": CPU_INDEX.split()[1]}
    assert set(values(instructions, "FROM")) == {
        "python:${PYTHON}-slim-bookworm AS build",
        "python:${PYTHON}-slim-bookworm",
    }
    required = tomllib.loads((root / "pyproject.toml").read_text())["project"]["requires-python"]
    assert required == f">={PYTHON}"


def test_the_package_is_installed_by_the_constraints_alone(stages: list[list[tuple[str, str]]]) -> None:
    installs = [words for words in values(stages[0], "RUN") if "pip install" in words]
    assert len(installs) == 1
    assert shlex.split(installs[0].split("pip install")[1]) == [
        "--no-cache-dir",
        "$index",
        "-c",
        "constraints.txt",
        ".",
    ]
    # torch's CUDA build is what pip takes without another index
    assert 'cuda) index=""' in installs[0]
    assert 'cpu) index="--extra-index-url $CPU_INDEX"' in installs[0]


def test_what_is_copied_is_committed_and_not_ignored(root: Path, stages: list[list[tuple[str, str]]]) -> None:
    tracked = set(subprocess.check_output(["git", "ls-files"], cwd=root, text=True).splitlines())
    kept = {line[1:] for line in (root / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {name for words in values(stages[0], "COPY") for name in words.split()[:-1]}
    assert copied == kept
    assert all(name in tracked or any(path.startswith(f"{name}/") for path in tracked) for name in copied)
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    assert {project["readme"], *project["license-files"]} <= copied


def test_the_image_runs_the_command_as_a_user_without_rights(root: Path, stages: list[list[tuple[str, str]]]) -> None:
    last = stages[-1]
    assert values(last, "COPY") == ["--from=build /opt/lungpipe /opt/lungpipe"]
    users = values(last, "USER")
    assert len(users) == 1
    assert int(users[0]) > 0
    after = [name for name, _ in last[[name for name, _ in last].index("USER") :]]
    assert "RUN" not in after
    scripts = tomllib.loads((root / "pyproject.toml").read_text())["project"]["scripts"]
    assert json.loads(values(last, "ENTRYPOINT")[0]) == ["lungpipe"]
    assert "lungpipe" in scripts


def test_nothing_is_fetched_but_by_pip(instructions: list[tuple[str, str]]) -> None:
    assert not values(instructions, "ADD")
    for words in values(instructions, "RUN"):
        assert not re.search(r"\b(curl|wget|git|apt-get)\b", words)
