"""Check the free disk space before a download."""

import shutil
from pathlib import Path

from lungpipe.download.connection import FetchError

RESERVE_BYTES = 256 << 20
"""left free for everything else on the disk"""


def check_space(folder: Path, num_bytes: int, what: str) -> None:
    """Raise FetchError if `folder`'s disk has less free space than `num_bytes` and a reserve."""
    free = shutil.disk_usage(folder).free
    needed = num_bytes + RESERVE_BYTES
    if free < needed:
        raise FetchError(
            f"{folder}: {what} needs {in_gb(needed)} of disk space, {in_gb(free)} are free:"
            f" {in_gb(needed - free)} are missing"
        )


def in_gb(num_bytes: int) -> str:
    """Return a number of bytes as text in GB (10^9) or MB (10^6)."""
    return f"{num_bytes / 1e9:.1f} GB" if num_bytes >= 1e8 else f"{num_bytes / 1e6:.1f} MB"
