"""Whether the disk holds what is asked for, told before a byte is moved."""

import shutil
from pathlib import Path

from lungpipe.download.connection import FetchError

RESERVE_BYTES = 256 << 20
"""left free for everything else on the disk"""


def check_space(folder: Path, num_bytes: int, what: str) -> None:
    """Raise FetchError where `folder`'s disk has less free space than `num_bytes` and a reserve."""
    free = shutil.disk_usage(folder).free
    needed = num_bytes + RESERVE_BYTES
    if free < needed:
        raise FetchError(
            f"{folder}: {what} needs {in_gb(needed)} of disk space, {in_gb(free)} are free:"
            f" {in_gb(needed - free)} are missing"
        )


def in_gb(num_bytes: int) -> str:
    """Return a number of bytes as people read it, in units of 10^9 or 10^6."""
    return f"{num_bytes / 1e9:.1f} GB" if num_bytes >= 1e8 else f"{num_bytes / 1e6:.1f} MB"
