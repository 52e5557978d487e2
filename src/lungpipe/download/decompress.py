"""Unpack one file of a zip archive, also with methods that Python's zipfile cannot read."""

import os
import shutil
import subprocess
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from lungpipe.download.connection import FetchError

BLOCK_BYTES = 1 << 20
TOOLS = {"unzip": ("-p",), "7z": ("x", "-so"), "7za": ("x", "-so"), "bsdtar": ("-xOf",)}
"""programs that read Deflate64, which zipfile does not, with their options to write to stdout"""
_WILDCARDS = frozenset("*?[]")


def copy_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path) -> None:
    """Write one file of an archive, synced; never more bytes than the archive declares for it.

    Raises:
        FetchError: content that is not as long as declared, or of another CRC; a method that no program here reads.
    """
    where = f"{archive.filename}: {info.filename}"
    num_bytes = crc = 0
    try:
        with _opened(archive, info) as source, target.open("wb") as stream:
            while block := source.read(BLOCK_BYTES):
                num_bytes += len(block)
                if num_bytes > info.file_size:
                    break
                crc = zlib.crc32(block, crc)
                stream.write(block)
            stream.flush()
            os.fsync(stream.fileno())
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise FetchError(f"{where}: expected whole content, found {error}") from None
    if (num_bytes, crc) != (info.file_size, info.CRC):
        expected = f"{info.file_size} bytes with CRC {info.CRC:08x}"
        raise FetchError(f"{where}: expected {expected}, found {num_bytes} bytes with CRC {crc:08x}")


@contextmanager
def _opened(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[IO[bytes]]:
    try:
        stream = archive.open(info)
    except NotImplementedError:
        with _opened_by_tool(Path(str(archive.filename)), info) as piped:
            yield piped
        return
    with stream:
        yield stream


@contextmanager
def _opened_by_tool(path: Path, info: zipfile.ZipInfo) -> Iterator[IO[bytes]]:
    tool = next((name for name in TOOLS if shutil.which(name)), None)
    # these programs read a name as a pattern, and a leading - or @ as an option
    if tool is None or _WILDCARDS & set(info.filename) or info.filename[0] in "-@":
        raise FetchError(
            f"{path}: {info.filename}: compressed by method {info.compress_type}, which Python does not read:"
            f" install one of {', '.join(TOOLS)}"
        )
    command = [tool, *TOOLS[tool], str(path.resolve()), info.filename]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        if process.stdout is None:
            raise FetchError(f"{path}: expected output of {tool}, found none")
        try:
            yield process.stdout
        finally:
            process.stdout.close()
