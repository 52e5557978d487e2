"""Conda environment files for users who prefer them, made from pyproject.toml and constraints.txt."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

from lungpipe.settings.render import NOTICE

PYTHON = "3.11"
CPU_INDEX = "--extra-index-url https://download.pytorch.org/whl/cpu"
ENVIRONMENTS: Mapping[str, tuple[str, bool, tuple[str, ...]]] = {
    "runtime": ("everything a study needs, torch without CUDA", True, ()),
    "gpu": ("everything a study needs, torch with CUDA (needs an NVIDIA driver on the host)", False, ()),
    "dev": (
        "runtime, and the packages for tests, slurm, rendering and documentation",
        True,
        ("test", "slurm", "viz", "docs", "bundle", "notebooks"),
    ),
    "bundle": ("runtime, and the packages that write a model's programs (`snakemake final_bundle`)", True, ("bundle",)),
}
"""Name of the environment: purpose, whether torch is the build without CUDA, extras of pyproject.toml."""


def environment_texts(root: Path) -> dict[str, str]:
    """Return file name and text of every environment file for the project in `root`."""
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    pins = read_pins(root / "constraints.txt")
    texts = {}
    for name, (purpose, is_cpu, extras) in ENVIRONMENTS.items():
        required = [
            *project["dependencies"],
            *(line for extra in extras for line in project["optional-dependencies"][extra]),
        ]
        packages = sorted({_pinned(line, pins) for line in required}, key=str.lower)
        texts[f"{name}.yaml"] = _text(name, purpose, [CPU_INDEX] if is_cpu else [], packages)
    return texts


def read_pins(path: Path) -> dict[str, str]:
    """Return version by normalised package name from a constraints file of `name==version` lines."""
    lines = (line.split("#")[0].strip() for line in path.read_text().splitlines())
    return {normalised(name): version for name, _, version in (line.partition("==") for line in lines if line)}


def normalised(name: str) -> str:
    """Return a package's name as package indexes normalise it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _pinned(requirement: str, pins: Mapping[str, str]) -> str:
    name = re.split(r"[<>=!~;\[ ]", requirement, maxsplit=1)[0]
    version = pins.get(normalised(name))
    return f"{name}=={version}" if version else requirement


def _text(name: str, purpose: str, options: Sequence[str], packages: Sequence[str]) -> str:
    lines = [
        f"# {purpose}: conda env create -f envs/{name}.yaml",
        f"# {NOTICE}",
        f"name: lungpipe-{name}" if name != "runtime" else "name: lungpipe",
        "channels: [conda-forge, nodefaults]",
        "dependencies:",
        f"  - python={PYTHON}",
        "  - pip",
        "  - pip:",
        *(f"      - {line}" for line in [*options, "--constraint ../constraints.txt", *packages, "--editable .."]),
    ]
    return "\n".join(lines) + "\n"
