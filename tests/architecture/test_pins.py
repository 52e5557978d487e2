"""Every package that an installation brings has one pinned version."""

import tomllib
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from lungpipe.settings.environments import normalised, read_pins

ON_ITS_OWN = {"torch"}
"""Torch pins what it needs of CUDA itself, and brings it only where its CUDA build is installed."""

OLDEST_PYTHON = "3.11.2"
"""That of Debian 12, where a newcomer's `python3` may be; requires-python of pyproject.toml admits it."""


@pytest.fixture(scope="module")
def pins(root: Path) -> dict[str, str]:
    return read_pins(root / "constraints.txt")


def required(root: Path, *extras: str) -> list[Requirement]:
    """What an installation with these extras brings, as pyproject.toml asks for it."""
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    lines = [line for name in extras for line in project["optional-dependencies"][name]]
    return [Requirement(line) for line in [*project["dependencies"], *lines]]


def children(requirement: Requirement) -> list[Requirement]:
    """What a package that is installed here requires here."""
    if requirement.name in ON_ITS_OWN:
        return []
    chosen = requirement.extras or {""}
    found = [Requirement(line) for line in metadata.requires(requirement.name) or []]
    return [each for each in found if not each.marker or any(each.marker.evaluate({"extra": name}) for name in chosen)]


def test_no_pin_lies_outside_what_the_project_asks_for(root: Path, pins: dict[str, str]) -> None:
    for requirement in required(root, "test", "slurm", "docs", "bundle", "viz", "notebooks", "bench"):
        version = pins.get(normalised(requirement.name))
        assert version is not None, f"constraints.txt: expected a pin of {requirement.name}, found none"
        assert requirement.specifier.contains(version), f"{requirement}: constraints.txt pins {version}"


@pytest.mark.parametrize(
    "extras",
    [
        pytest.param(("test", "slurm", "docs", "bundle", "viz", "notebooks"), id="make test"),
        pytest.param(
            ("test", "slurm", "docs", "bundle", "viz", "notebooks", "bench"),
            id="make bench",
            marks=pytest.mark.skipif(find_spec("torchio") is None, reason="needs the peers of make bench"),
        ),
    ],
)
def test_everything_that_is_installed_with_it_is_pinned(
    root: Path, pins: dict[str, str], extras: tuple[str, ...]
) -> None:
    waiting, seen = required(root, *extras), set()
    while waiting:
        requirement = waiting.pop()
        if str(requirement) not in seen:
            seen.add(str(requirement))
            waiting.extend(children(requirement))
    names = {normalised(Requirement(text).name) for text in seen}
    assert len(names) > 100
    # pip comes with the environment itself
    assert sorted(names - set(pins) - {"pip"}) == []


def test_every_pinned_version_runs_on_the_oldest_python(pins: dict[str, str]) -> None:
    asked = {
        normalised(found.metadata["Name"]): found.metadata.get("Requires-Python")
        for found in metadata.distributions()
        if pins.get(normalised(found.metadata["Name"])) == found.version
    }
    assert len(asked) > 100
    refused = {name: text for name, text in asked.items() if text and OLDEST_PYTHON not in SpecifierSet(text)}
    assert refused == {}


def test_pins_are_sorted_and_each_name_stands_once(root: Path, pins: dict[str, str]) -> None:
    lines = (root / "constraints.txt").read_text().splitlines()
    assert lines == sorted(lines)
    assert len(lines) == len(pins)
    assert all(pins.values())
