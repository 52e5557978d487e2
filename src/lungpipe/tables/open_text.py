"""Open text files, plain or compressed by gzip, with limits: a small file may unpack to more than memory holds."""

import gzip
import io
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from lungpipe.tables.errors import InputError
from lungpipe.tables.regular import require_regular

_GZIP_MAGIC = b"\x1f\x8b"
MAX_LINE_CHARACTERS = 1 << 20
"""Longest line of a table; the header of LUNA16's files has 50 characters."""
MAX_TEXT_BYTES = 1 << 30
"""Largest table after unpacking; the candidates of LUNA16, its largest table, take 70 MB."""


class LimitedGzip(gzip.GzipFile):
    """A gzip file that is read up to `MAX_TEXT_BYTES`; reading more raises InputError naming the file."""

    def read(self, size: int | None = -1) -> bytes:
        """Return up to `size` unpacked bytes."""
        return self._counted(super().read(size))

    def read1(self, size: int = -1) -> bytes:
        """Return up to `size` unpacked bytes with at most one read of the packed ones."""
        return self._counted(super().read1(size))

    def _counted(self, content: bytes) -> bytes:
        if self.tell() > MAX_TEXT_BYTES:
            raise InputError(f"{self.name}: expected at most {MAX_TEXT_BYTES} bytes of text, found more")
        return content


def open_bytes(path: Path) -> IO[bytes]:
    """Open a regular file for reading, through gzip if its first bytes are gzip's.

    Raises:
        InputError: a file that is larger than `MAX_TEXT_BYTES`; one that unpacks to more raises while it is read.
        OSError: no such file, or no regular file.
    """
    path = Path(path)
    if require_regular(path).st_size > MAX_TEXT_BYTES:
        raise InputError(f"{path}: expected at most {MAX_TEXT_BYTES} bytes of text, found more")
    with path.open("rb") as stream:
        is_packed = stream.read(2) == _GZIP_MAGIC
    return LimitedGzip(path) if is_packed else path.open("rb")  # type: ignore[return-value]


def read_lines(stream: io.TextIOBase, path: Path) -> Iterator[str]:
    """Yield the lines of a text with their ends; raises InputError naming `path` for a line of endless length."""
    while line := stream.readline(MAX_LINE_CHARACTERS):
        if len(line) == MAX_LINE_CHARACTERS:
            raise InputError(f"{path}: expected lines of less than {MAX_LINE_CHARACTERS} characters, found more")
        yield line
