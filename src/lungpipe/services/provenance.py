"""The origin of a result: code, commit, environment and files."""

import gc
import hashlib
import os
import platform
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib import metadata
from pathlib import Path

from lungpipe.services.sources import SourceTree

PACKAGE_DIR = Path(__file__).parents[1]

VALUES = ("lungpipe.settings.base", ("Settings",))
"""The class of all settings. Their values are params of the rules themselves, so a changed default reruns exactly the
rules that read it; of a settings class only the methods count as code."""

MAIN_PACKAGES = ("SimpleITK", "dask", "mlflow", "numpy", "pandas", "scipy", "snakemake", "tensorstore", "torch", "zarr")
"""The packages whose versions can change a result."""


SURROUNDINGS = ("lungpipe.services",)
"""Code with which scripts log, track and time their work; it changes no result."""

RESULTLESS = (
    "lungpipe.tables.atomic:WriteError",
    "lungpipe.tables.atomic:naming",
    "lungpipe.tables.atomic:replacing",
    "lungpipe.tables.machine",
    "lungpipe.tables.regular",
    "lungpipe.training.speed",
)
"""Code that puts finished files in their place, names errors of the machine, or measures speed: it changes no
result."""


def fingerprint(*entries: str, aside: Iterable[str] = ()) -> str:
    """Return 16 hex digits that change with the code that the entries (`lungpipe.module:name`) can run.

    Functions, classes and constants of lungpipe count if the entries use them, directly or through other definitions.
    Comments, docstrings, layout, annotations, texts of messages and descriptions do not count. A string such as
    "lungpipe.module:name" in the code is not followed; pass it as a further entry. An entry without a name is all that
    a module defines. Definitions in `aside` do not count. Nothing is imported. See docs/decisions/0009-fingerprints.md.

    Raises:
        ModuleNotFoundError: a module, or one that is imported on the way, has no file.
        AttributeError: a module that does not define the name of an entry.
    """
    with _uncollected():
        return _join(_lines(entries, aside))


def script_fingerprint(script: Path, *choices: str, aside: Iterable[str] = ()) -> str:
    """Return the fingerprint of a script of the workflow: of its own code and of all that it imports from lungpipe.

    `choices` are further entries: code that settings name and the script calls. `aside` as in `fingerprint`; the
    services and RESULTLESS are always left out.

    Raises:
        FileNotFoundError: no such script.
        ModuleNotFoundError, AttributeError: as `fingerprint`.
    """
    with _uncollected():
        tree = source_tree()
        entries = [entry for entry in tree.imported_by(script) if not entry.startswith(SURROUNDINGS)]
        return _join([f"script={tree.digest_script(script)}", *_lines([*entries, *choices], aside)])


@contextmanager
def _uncollected() -> Iterator[None]:
    """Keep the garbage collector from visiting the parsed package, which lives as long as the process.

    It would visit every node again and again while others are made: a third of the time of a start of Snakemake.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()


def _lines(entries: Iterable[str], aside: Iterable[str]) -> list[str]:
    tree = source_tree()
    found = tree.closure(entries, [*RESULTLESS, *aside])
    return [f"{module}:{name}={tree.digest((module, name))}" for module, name in found]


def _join(lines: list[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


@cache
def source_tree() -> SourceTree:
    """Return the definitions of this package: read once per process, since fingerprints share most files."""
    return SourceTree(PACKAGE_DIR, VALUES)


def environment() -> dict[str, str]:
    """Return the versions of Python, the platform and the main packages; a package that is absent is left out."""
    versions = {"python": platform.python_version(), "platform": platform.platform(), "machine": platform.machine()}
    return versions | {name: version for name in MAIN_PACKAGES if (version := _version(name))}


def machine() -> dict[str, str]:
    """Return system, number of cores and memory of this machine; no name of the machine or its user."""
    facts = {"system": f"{platform.system()} ({platform.machine()})", "cores": f"{os.cpu_count() or 1} cores"}
    names = getattr(os, "sysconf_names", {})
    if {"SC_PAGE_SIZE", "SC_PHYS_PAGES"} <= set(names):
        facts["memory"] = f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 1024**3:.0f} GiB of memory"
    return facts


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def git_commit(folder: Path | None = None) -> str:
    """Return the short commit of the checkout around `folder` (default: this package), `+dirty` if it differs.

    `unknown` without a checkout or git: the commit is information for the user, and no result depends on it.
    """
    command = ("git", "describe", "--always", "--exclude=*", "--abbrev=12", "--dirty=+dirty")
    try:
        answer = subprocess.run(
            command, cwd=folder or PACKAGE_DIR, capture_output=True, text=True, timeout=30, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return answer.stdout.strip()


def file_digest(paths: Iterable[Path]) -> str:
    """Return the SHA-256 over names and contents of the files, independent of their order and folders.

    A moved dataset keeps its digest.
    """
    # not at the top: a start of Snakemake computes fingerprints, and imports nothing of what they are of
    from lungpipe.tables import file_sha256

    lines = sorted(f"{path.name}={file_sha256(path)}" for path in map(Path, paths))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
