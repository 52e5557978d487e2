"""Where a result comes from: the code, the commit, the environment and the files behind it."""

import hashlib
import platform
import subprocess
from collections.abc import Iterable
from functools import cache
from importlib import metadata
from pathlib import Path

from lungpipe.services.sources import SourceTree

PACKAGE_DIR = Path(__file__).parents[1]

UNFOLLOWED = frozenset({"lungpipe.settings"})
"""Not followed by `fingerprint`: the values of settings are params of the rules themselves, so a changed default
reruns exactly the rules that read it; following the module would rerun all of them."""

MAIN_PACKAGES = ("SimpleITK", "dask", "mlflow", "numpy", "pandas", "scipy", "snakemake", "tensorstore", "torch", "zarr")
"""The packages whose versions can change a result."""


def fingerprint(*modules: str) -> str:
    """Return 16 hex digits that change with the code of the modules and of every lungpipe module they import.

    Comments, docstrings and layout do not count. Nothing is imported. A package counts with all that it re-exports.

    Raises:
        ModuleNotFoundError: a module, or one that it imports, has no file.
    """
    tree = _source_tree()
    whole = hashlib.sha256()
    for module in tree.closure(modules):
        whole.update(f"{module}={tree.digest(module)}\n".encode())
    return whole.hexdigest()[:16]


@cache
def _source_tree() -> SourceTree:
    # one tree per process: a workflow asks for a dozen fingerprints that share most of their files
    return SourceTree(PACKAGE_DIR, UNFOLLOWED)


def environment() -> dict[str, str]:
    """Return the versions of Python, the platform and the main packages; a package that is absent is left out."""
    versions = {"python": platform.python_version(), "platform": platform.platform(), "machine": platform.machine()}
    return versions | {name: version for name in MAIN_PACKAGES if (version := _version(name))}


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def git_commit(folder: Path | None = None) -> str:
    """Return the short commit of the checkout around `folder` (default: this package), `+dirty` if it differs.

    `unknown` where there is no checkout or no git: the commit is a note beside a result, never a condition of it.
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
    """Return the SHA-256 over the contents of the files, whatever their order and wherever they lie.

    Names count without their folders, so that a moved dataset keeps its digest.
    """
    lines = sorted(f"{path.name}={_digest_of(path)}" for path in map(Path, paths))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _digest_of(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
