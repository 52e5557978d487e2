"""The archive of a bundle: an uncompressed zip file that ends with the SHA-256 of all bytes before."""

import hashlib
import io
import zipfile
from collections.abc import Mapping

DIGEST_LENGTH = 64
"""Hex digits of the digest, which is the comment of the zip file and so its end."""
DATE = (1980, 1, 1, 0, 0, 0)
"""Time of every entry, so that equal content gives equal bytes."""


class BundleError(ValueError):
    """A bundle that cannot be used; the message names the file, what was expected and what was found."""


def pack(files: Mapping[str, bytes]) -> bytes:
    """Return the archive of files by name; equal files give equal bytes."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        archive.comment = b"0" * DIGEST_LENGTH
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(name, DATE), files[name])
    content = stream.getvalue()[:-DIGEST_LENGTH]
    return content + _digest(content)


def unpack(content: bytes, name: str) -> dict[str, bytes]:
    """Return the files of an archive by name; `name` stands for the bundle in messages. Nothing is written to disk.

    Raises:
        BundleError: no archive of a bundle; bytes that were changed or cut off; a compressed or repeated entry.
    """
    if not content.startswith(b"PK"):
        raise BundleError(f"{name}: expected a bundle that `lungpipe bundle` wrote, found another file")
    if content[-DIGEST_LENGTH:] != _digest(content[:-DIGEST_LENGTH]):
        raise BundleError(f"{name}: expected the bytes as they were written, found a file that was changed or cut off")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
                raise BundleError(f"{name}: expected entries without compression, found compressed ones")
            if len({entry.filename for entry in entries}) != len(entries):
                raise BundleError(f"{name}: expected every entry once, found one twice")
            return {entry.filename: archive.read(entry) for entry in entries}
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError) as error:
        raise BundleError(f"{name}: expected a zip file, found {error}") from None


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode("ascii")
