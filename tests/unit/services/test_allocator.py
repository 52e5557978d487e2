"""Freed memory is used again: counted are the pages that the system had to provide."""

import platform
import subprocess
import sys

import pytest

from lungpipe.services import allocator

PAGES = """
import resource
from lungpipe.services.allocator import keep_freed_memory
if {is_kept}:
    assert keep_freed_memory()
b"x" * {num_bytes}
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    b"x" * {num_bytes}
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
needs_glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another allocator than glibc's")


def num_pages(**values) -> int:
    command = [sys.executable, "-c", PAGES.format(**values)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@needs_glibc
def test_blocks_that_are_freed_are_used_again():
    num_bytes = 48 * 2**20
    in_pages = num_bytes // 4096
    assert num_pages(is_kept=False, num_bytes=num_bytes) > 9 * in_pages
    assert num_pages(is_kept=True, num_bytes=num_bytes) < in_pages / 10


@needs_glibc
def test_larger_blocks_are_returned():
    num_bytes = allocator.KEPT_BYTES + 2**20
    assert num_pages(is_kept=True, num_bytes=num_bytes) > 9 * num_bytes // 4096


def test_an_allocator_without_the_option_stays_as_it_is(monkeypatch):
    monkeypatch.setattr(allocator.ctypes, "CDLL", lambda name: object())
    assert not allocator.keep_freed_memory()
