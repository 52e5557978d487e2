"""MetaImage: what is no header, no voxels or no file is one row; the good scan beside it finishes."""

import os

import pytest

from lungpipe.tables import MachineError

NO_HEADERS = {
    "empty file": (b"", "expected a MetaImage header that ends with ElementDataFile, found an empty file"),
    "text file": (b"Dear colleague,\n", "expected lines 'key = value', found b'Dear colleague,\\n'"),
    "binary junk": (b"\x89PNG\r\n\x1a\n\0\0", "expected lines 'key = value' in UTF-8, found b'\\x89PNG\\r\\n'"),
    "zeros": (b"\0" * 500, "expected lines 'key = value', found b'\\x00\\x00"),
    "one endless line": (b"x" * 200_000, "expected lines 'key = value', found b'xxxx"),
    "Latin-1 where it is needed": (
        "ElementDataFile = größe.raw\n".encode("latin-1"),
        "expected lines 'key = value' in UTF-8, found b'ElementDataFile = gr",
    ),
    "hundreds of fields and no end": (
        b"".join(b"0010|%04d = x\n" % number for number in range(500)),
        "expected a MetaImage header that ends with ElementDataFile, found 0010|0000, 0010|0001, 0010|0002, 0010|0003,"
        " 0010|0004, 0010|0005, 0010|0006, 0010|0007, 0010|0008, 0010|0009, 0010|0010, 0010|0011 and 488 more",
    ),
    "UTF-16": ("NDims = 3\n".encode("utf-16"), "expected lines 'key = value' in UTF-8, found b'\\xff\\xfeN"),
    "a field twice": (b"NDims = 3\nNDims = 3\n", "expected one field NDims, found two"),
}


@pytest.mark.parametrize("name", NO_HEADERS)
def test_what_is_no_header_is_one_row(subset, name):
    content, reason = NO_HEADERS[name]
    subset.write()
    subset.header.write_bytes(content)
    assert subset.failure()["reason"].startswith(f"{subset.header}: {reason}")


def test_missing_raw_is_one_row(subset):
    subset.write()
    subset.data.unlink()
    reason = subset.failure()["reason"]
    assert reason == f"{subset.header}: expected voxels in 1.2.2.raw, found No such file or directory"


def test_raw_without_its_header_is_one_row(subset):
    subset.write()
    subset.header.unlink()
    row = subset.failure()
    assert row["source"] == "1.2.2.raw"
    assert row["reason"] == f"{subset.data}: expected a header (.mhd) beside the voxels, found none"


LINKS = {
    "header": "{h}: expected a readable file, found Too many levels of symbolic links",
    "data": "{h}: expected voxels in 1.2.2.raw, found Too many levels of symbolic links",
}


@pytest.mark.parametrize("name", LINKS)
def test_symlink_loop_is_one_row(subset, name):
    subset.write()
    path = getattr(subset, name)
    path.unlink()
    path.symlink_to(path)
    assert subset.failure()["reason"] == LINKS[name].format(h=subset.header)


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo], ids=["folder", "pipe"])
def test_header_that_is_no_file_is_one_row(subset, make):
    subset.write()
    subset.header.unlink()
    make(subset.header)
    reason = subset.failure()["reason"]
    assert reason == f"{subset.header}: expected a readable file, found a folder, a pipe or a device"


@pytest.mark.parametrize("is_compressed", [False, True])
def test_voxels_that_are_a_pipe_are_one_row_and_hold_up_nobody(subset, is_compressed):
    subset.write(CompressedData=str(is_compressed))
    subset.data.unlink()
    os.mkfifo(subset.data)
    reason = subset.failure()["reason"]
    assert "found a folder, a pipe or a device" in reason
    assert str(subset.raw) in reason


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
@pytest.mark.parametrize("name", ["header", "data"])
def test_unreadable_file_ends_the_job(subset, name):
    subset.write()
    path = getattr(subset, name)
    path.chmod(0)
    expected = "a readable file" if name == "header" else "readable voxels"
    with pytest.raises(MachineError, match=f"{path}: expected {expected}, found Permission denied"):
        subset.failure()
