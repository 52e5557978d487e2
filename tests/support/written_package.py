"""A small package on disk, written module by module, and what its definitions reach."""

import textwrap
from pathlib import Path

from lungpipe.services.sources import SourceTree


def write_module(root: Path, module: str, text: str) -> None:
    """Write a module of the package in folder `root`; `room.__init__` is the package `room`."""
    path = root.joinpath(*module.split(".")).with_suffix(".py")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text) + "\n")


def reached(root: Path, entry: str = "entry:main", **options) -> set[str]:
    """The definitions that an entry reaches, as `module:name` without the package's name, the entry left out."""
    tree = SourceTree(root)
    found = tree.closure([f"{root.name}.{entry}"], **options)
    names = {f"{module}:{name}".removeprefix(f"{root.name}.") for module, name in found}
    return names - {entry}


def digests(root: Path, entry: str = "entry:main", **options) -> dict[tuple[str, str], str]:
    """The digest of everything that an entry reaches."""
    tree = SourceTree(root, **options)
    return {key: tree.digest(key) for key in tree.closure([f"{root.name}.{entry}"])}
