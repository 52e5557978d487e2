"""Renew vtk.js in the package from the npm registry: `python -m lungpipe.viewer.renew 37.3.1` (needs npm)."""

import gzip
import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from lungpipe.tables import write_bytes, write_json, write_text
from lungpipe.viewer.library import LIBRARY_FILE, LICENCES_FILE, RECORD_FILE

NAME = "vtk.js"
NOT_INSIDE = frozenset({"@types/webxr", "@webgpu/types", "commander", "shelljs"})
"""Types, and packages of vtk.js' own command line: required, and not part of the library."""
LICENCE_NAMES = ("license", "licence", "copyright", "copying")


def renew(version: str, folder: Path) -> None:
    """Write the library of that version, its licences and its record into a folder.

    npm compares each package with the digest of the registry.

    Raises:
        OSError: no npm.
        subprocess.CalledProcessError: no such version, or no network.
        ValueError: a package without a licence text.
    """
    with tempfile.TemporaryDirectory() as scratch:
        package = fetch_package(NAME, version, Path(scratch))
        facts = json.loads((package / "package.json").read_text(encoding="utf-8"))
        content = (package / facts["main"]).read_bytes()
        texts = [licence_text(package)]
        for name, wanted in sorted(facts["dependencies"].items()):
            if name not in NOT_INSIDE:
                texts.append(licence_text(fetch_package(name, wanted, Path(scratch))))
        record = {"name": NAME, "version": facts["version"], "licence": facts["license"]}
        record |= {"sha256": hashlib.sha256(content).hexdigest()}
        write_bytes(folder / LIBRARY_FILE, gzip.compress(content, 9, mtime=0))
        write_text(folder / LICENCES_FILE, "\n\n".join(texts))
        write_json(folder / RECORD_FILE, record)


def fetch_package(name: str, version: str, scratch: Path) -> Path:
    """Download a package with npm and return its unpacked folder."""
    target = scratch / name.replace("/", "-")
    target.mkdir()
    command = ["npm", "pack", f"{name}@{version}", "--silent"]
    archive = subprocess.run(command, cwd=target, capture_output=True, text=True, check=True).stdout.strip()
    with tarfile.open(target / archive) as packed:
        packed.extractall(target, filter="data")
    return next(path for path in target.iterdir() if path.is_dir())


def licence_text(package: Path) -> str:
    """Return name, version and licence files of an unpacked package.

    Raises:
        ValueError: no licence file, and none named in package.json.
    """
    facts = json.loads((package / "package.json").read_text(encoding="utf-8"))
    found = sorted(path for path in package.iterdir() if path.name.lower().startswith(LICENCE_NAMES))
    if not found and not facts.get("license"):
        raise ValueError(f"{facts['name']}: expected a licence, found none")
    texts = [path.read_text(encoding="utf-8", errors="replace").strip() for path in found if path.is_file()]
    head = f"{facts['name']} {facts['version']} ({facts.get('license')}), {author_of(facts)}"
    return "\n\n".join([head, *texts]) + "\n"


def author_of(facts: dict[str, object]) -> str:
    """Return the author of a package as package.json names the author."""
    author = facts.get("author", "author not named")
    return str(author.get("name")) if isinstance(author, dict) else str(author)


if __name__ == "__main__":
    renew(sys.argv[1], Path(__file__).with_name("vendor"))
