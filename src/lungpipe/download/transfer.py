"""Download one file: resume after a break, repeat a limited number of times, verify at the end."""

import errno
import hashlib
import http.client
import os
import random
import re
import ssl
import urllib.error
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from lungpipe.download.connection import FetchError, open_url
from lungpipe.download.watch import Watch

BLOCK_BYTES = 1 << 20
PASSING_STATUS = (408, 425, 429, 500, 502, 503, 504)
"""answers after which the same request may succeed"""
_LOCAL_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """One file of a record; `md5` in lower-case hexadecimal digits."""

    name: str
    url: str
    num_bytes: int
    md5: str


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Number of attempts and waits between them."""

    num_attempts: int = 8
    """attempts in a row that bring nothing new"""
    first_delay_s: float = 1.0
    """wait before the second attempt; doubled for each one after it"""
    longest_delay_s: float = 120.0
    """no wait is longer, even where the server asks for more"""
    step_bytes: int = 16 << 20
    """a transfer that got this much further counts its attempts anew"""

    def delay_s(self, failures: int, error: Exception) -> float:
        """Return the wait after so many failures: exponential, spread at random, or what the server asked for."""
        asked = error.headers.get("Retry-After", "") if isinstance(error, urllib.error.HTTPError) else ""
        wait = self.first_delay_s * 2 ** (failures - 1) * random.uniform(0.75, 1.25)
        return min(max(wait, float(asked) if asked.isdecimal() else 0.0), self.longest_delay_s)


def retrying(
    attempt: Callable[[], _T], name: str, policy: RetryPolicy, watch: Watch, *, reach: Callable[[], int] = int
) -> _T:
    """Return the first successful result of `attempt`; `reach` returns the progress so far.

    Raises:
        FetchError: a permanent failure, or too many failures in a row without progress.
    """
    failures, best = 0, reach()
    while True:
        watch.raise_if_stopped()
        try:
            return attempt()
        except (OSError, http.client.HTTPException) as error:
            if not _is_passing(error):
                raise FetchError(f"{name}: {_tell(error)}") from None
            failures += 1
            if reach() >= best + policy.step_bytes:
                failures, best = 1, reach()
            if failures >= policy.num_attempts:
                raise FetchError(f"{name}: {_tell(error)}, {failures} times in a row; try again later") from None
            wait = policy.delay_s(failures, error)
            watch.say(f"{name}: {_tell(error)}; again in {wait:.0f} s")
        watch.stop.wait(wait)


def download(file: RemoteFile, target: Path, policy: RetryPolicy, watch: Watch) -> None:
    """Download `file` to `target` + .part, which a later call resumes, then rename it; a complete `target` is kept.

    Raises:
        FetchError: the server refuses, the connection keeps failing, or the MD5 differs from the record's twice.
    """
    if target.exists() and matches(target, file):
        return
    part = target.with_name(f"{target.name}.part")
    for is_last in (False, True):
        retrying(lambda: _continue(file, part, watch), file.name, policy, watch, reach=lambda: _size(part))
        if matches(part, file):
            os.replace(part, target)
            return
        # a wrong block cannot be located, so the whole file is downloaded again
        part.unlink()
        if not is_last:
            watch.say(f"{file.name}: expected MD5 {file.md5}, found another; again from the start")
    raise FetchError(f"{file.name}: expected MD5 {file.md5}, found another twice; nothing of it was kept")


def matches(path: Path, file: RemoteFile) -> bool:
    """Return whether `path` has the size and the MD5 of `file`."""
    if path.stat().st_size != file.num_bytes:
        return False
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest() == file.md5


def _continue(file: RemoteFile, part: Path, watch: Watch) -> None:
    """Append the missing bytes; raises ConnectionError if the body ends early."""
    if _size(part) > file.num_bytes:
        part.unlink()
    start = _size(part)
    if start == file.num_bytes > 0:
        return
    with _open_at(file, part, start) as response:
        start = start if response.status == http.client.PARTIAL_CONTENT else 0
        with part.open("r+b" if start else "wb") as stream:
            stream.seek(start)
            watch.progress(file.name, start, file.num_bytes)
            done = start
            while block := response.read(min(BLOCK_BYTES, file.num_bytes + 1 - done)):
                watch.raise_if_stopped()
                stream.write(block)
                done += len(block)
                if done > file.num_bytes:
                    break
                watch.progress(file.name, done, file.num_bytes)
            stream.truncate(min(done, file.num_bytes))
            stream.flush()
            os.fsync(stream.fileno())
    if done < file.num_bytes:
        raise ConnectionError(f"the connection ended after {done} of {file.num_bytes} bytes")


def _open_at(file: RemoteFile, part: Path, start: int) -> http.client.HTTPResponse:
    """Open `file` from byte `start` on, or whole from a server without ranges; other bytes cost `part`."""
    if not start:
        return open_url(file.url)
    try:
        response = open_url(file.url, {"Range": f"bytes={start}-"})
    except urllib.error.HTTPError as error:
        if error.code != http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise
        part.unlink()
        raise ConnectionError(f"the server has nothing from byte {start} on") from None
    if response.status == http.client.PARTIAL_CONTENT:
        found = response.headers.get("Content-Range", "")
        span = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", found)
        if not span or int(span[1]) != start or span[2] not in ("*", str(file.num_bytes)):
            response.close()
            part.unlink()
            raise ConnectionError(f"expected bytes {start}- of {file.num_bytes}, found '{found}'")
    return response


def _is_passing(error: Exception) -> bool:
    if isinstance(error, urllib.error.HTTPError):
        return error.code in PASSING_STATUS
    if isinstance(getattr(error, "reason", None), ssl.SSLCertVerificationError):
        return False
    # URLError, timeouts and broken connections; a full disk or a forbidden folder is not repeated
    local = isinstance(error, OSError) and error.filename is not None
    return not local and getattr(error, "errno", None) not in _LOCAL_ERRORS


def _tell(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answered {error.code} {error.reason}"
    return str(error) or type(error).__name__


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
