"""Deflate64, which archives of large files use and Python does not read, goes through a program that does."""

import io
import os
import shutil
import struct
import zipfile

import numpy as np
import pytest

from lungpipe.download import FetchError
from lungpipe.download.decompress import TOOLS, copy_member

DEFLATE64 = 9
RAW = np.random.default_rng(1).integers(0, 8, 20_000, np.uint8).tobytes()
needs_tool = pytest.mark.skipif(not any(shutil.which(tool) for tool in TOOLS), reason=f"none of {list(TOOLS)} is here")


@pytest.fixture
def deflate64(tmp_path):
    """Write an archive that claims Deflate64: short matches at short distances are the same in both."""

    def write(name="subset0/1.2.raw", *, crc=None):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(name, RAW)
        content = bytearray(buffer.getvalue())
        central = content.rindex(b"PK\1\2")
        struct.pack_into("<H", content, 8, DEFLATE64)
        struct.pack_into("<H", content, central + 10, DEFLATE64)
        if crc is not None:
            struct.pack_into("<I", content, central + 16, crc)
        path = tmp_path / "subset0.zip"
        path.write_bytes(content)
        return path

    return write


def copy(path, target):
    with zipfile.ZipFile(path) as archive:
        copy_member(archive, archive.infolist()[0], target)


@needs_tool
def test_deflate64_comes_out_whole(deflate64, tmp_path):
    copy(deflate64(), tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == RAW


@needs_tool
def test_the_tools_output_is_checked(deflate64, tmp_path):
    with pytest.raises(FetchError, match=r"expected 20000 bytes with CRC 00000007, found 20000 bytes"):
        copy(deflate64(crc=7), tmp_path / "out")


@needs_tool
@pytest.mark.parametrize("name", ["-d.raw", "@list", "*.raw", "a[b].raw", "a?.raw"])
def test_names_that_a_tool_would_take_for_more_are_refused(deflate64, tmp_path, name):
    with pytest.raises(FetchError, match="compressed by method 9, which Python does not read"):
        copy(deflate64(name), tmp_path / "out")


def test_without_a_tool_the_message_names_some(deflate64, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", os.fspath(tmp_path))
    with pytest.raises(FetchError, match="install one of unzip, 7z, 7za, bsdtar"):
        copy(deflate64(), tmp_path / "out")
