"""Disks that are full: a limit on the size of files, which every user may set, and a small file system, for root."""

import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def file_limit(num_bytes: int) -> Iterator[None]:
    """Let no file of this process grow beyond `num_bytes`: writing more fails with EFBIG."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def small_disk(folder: Path, num_kib: int) -> Iterator[Path]:
    """Mount a file system of `num_kib` KiB at `folder`: writing more fails with ENOSPC; skips without permission."""
    folder.mkdir()
    command = ("mount", "-t", "tmpfs", "-o", f"size={num_kib}k", "tmpfs", str(folder))
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a file system needs root")
    try:
        yield folder
    finally:
        subprocess.run(("umount", str(folder)), check=True)
