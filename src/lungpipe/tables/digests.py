"""Digests of finished files, kept beside them: whoever reads the files later sees whether they were edited."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from lungpipe.tables.atomic import write_json
from lungpipe.tables.json_input import parse_json

DIGESTS_FILE = "digests.json"


class DigestError(ValueError):
    """A file that was edited since it was written; the message names the file."""


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's content as 64 hex digits; raises OSError for a file that cannot be read."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_digests(files: Iterable[Path], folder: Path) -> None:
    """Write the SHA-256 of files of a folder as `digests.json` into the folder."""
    write_json(folder / DIGESTS_FILE, {path.name: file_sha256(path) for path in files})


def check_digests(folder: Path, names: Iterable[str]) -> None:
    """Check files of a folder against the folder's `digests.json`: those of `names`, and all that have a digest.

    Raises:
        DigestError: a file that was edited, or that has no digest; a file of digests that cannot be read.
        OSError: no such file.
    """
    path = folder / DIGESTS_FILE
    try:
        known = dict(parse_json(path.read_text(encoding="utf-8")))
    except (TypeError, ValueError) as error:
        raise DigestError(f"{path}: expected the digests of the files beside it, found {error}") from None
    for name in {**dict.fromkeys(names), **known}:
        if (found := file_sha256(folder / name)) != known.get(name):
            expected = f"the content that was written with it (SHA-256 {str(known.get(name))[:12]})"
            raise DigestError(f"{folder / name}: expected {expected}, found an edited one ({found[:12]})")
