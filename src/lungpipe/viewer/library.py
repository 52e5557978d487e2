"""vtk.js, which draws the slices: kept in the package with its licence. `lungpipe.viewer.renew` renews it."""

import gzip
import hashlib
import json
from importlib.resources import files
from importlib.resources.abc import Traversable

LIBRARY_FILE, LICENCES_FILE, RECORD_FILE = "vtk.js.gz", "LICENCES.txt", "library.json"


class LibraryError(ValueError):
    """A library in the package that is not the recorded one."""


def read_library() -> str:
    """Return vtk.js as text that may stand in a script element.

    Raises:
        LibraryError: a file whose SHA-256 is not the recorded one.
    """
    content = gzip.decompress(_folder().joinpath(LIBRARY_FILE).read_bytes())
    expected = read_record()["sha256"]
    if (found := hashlib.sha256(content).hexdigest()) != expected:
        raise LibraryError(f"{LIBRARY_FILE}: expected the SHA-256 {expected[:12]}, found {found[:12]}")
    return content.decode("utf-8").replace("</script", "<\\/script")


def read_licences() -> str:
    """Return the licences of vtk.js and of the libraries inside it."""
    return _folder().joinpath(LICENCES_FILE).read_text(encoding="utf-8").replace("</script", "<\\/script")


def read_record() -> dict[str, str]:
    """Return name, version, licence and SHA-256 (of the file before compression) of the library."""
    record: dict[str, str] = json.loads(_folder().joinpath(RECORD_FILE).read_text(encoding="utf-8"))
    return record


def _folder() -> Traversable:
    return files("lungpipe.viewer").joinpath("vendor")
