"""The memory allocator of a job's process."""

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Numbers of glibc's options M_TRIM_THRESHOLD and M_MMAP_THRESHOLD (malloc.h)."""
KEPT_BYTES = 256 * 2**20
"""Larger blocks are returned to the system when they are freed."""
_ALL_BYTES = 2**31 - 1


def keep_freed_memory() -> bool:
    """Let the process reuse freed memory instead of returning it to the system; return whether the allocator can.

    By default glibc takes every block above a threshold (at most 32 MiB) anew from the system and returns it when it
    is freed. A training step allocates and frees the same tensors again and again, and the system clears every page of
    them each time. The process holds its peak memory until it ends. Other allocators than glibc's stay as they are.
    """
    try:
        set_option = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    return bool(set_option(_MMAP_THRESHOLD, KEPT_BYTES)) and bool(set_option(_TRIM_THRESHOLD, _ALL_BYTES))
