"""Atomic writing of files: temporary name in the same folder, fsync, rename."""

import errno
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lungpipe.tables.machine import find_errno


class WriteError(OSError):
    """A file that could not be written; the message names the file and the reason. Nothing of the file is left."""

    def __str__(self) -> str:
        return f"{self.filename}: expected to write it, found {self.strerror}"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success the file is synced and renamed to `path`, on error removed.

    The temporary name has the same suffix, for writers that choose the format by suffix.

    Raises:
        WriteError: the disk does not take the file (no space, no permission, a folder of that name), or the writer left
            no file or an empty one.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}-{secrets.token_hex(4)}{path.suffix}")
    try:
        with naming(path, temporary):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            with temporary.open("rb+") as stream:
                if not os.fstat(stream.fileno()).st_size:
                    raise OSError(errno.EIO, "an empty file", os.fspath(temporary))
                os.fsync(stream.fileno())
            os.replace(temporary, path)
    finally:
        with suppress(OSError):
            temporary.unlink()


@contextmanager
def naming(path: Path, temporary: Path) -> Iterator[None]:
    """Turn errors of writing `temporary`, which is to become `path`, into a WriteError of `path`.

    Libraries that write files raise errors of their own, in whose messages the system's error number is found. An error
    about another file stays as it is.
    """
    try:
        yield
    except WriteError:
        raise
    except Exception as error:
        number = find_errno(error)
        named = _names(error)
        own = {os.fspath(path), os.fspath(path.parent)}
        if number is None or any(name not in own and not name.startswith(os.fspath(temporary)) for name in named):
            raise
        # without a file's name, the text is a library's
        reason = str(getattr(error, "strerror", "")) if named else os.strerror(number)
        raise WriteError(number, reason, os.fspath(path)) from error


def _names(error: Exception) -> list[str]:
    names = (getattr(error, key, None) for key in ("filename", "filename2"))
    return [os.fsdecode(name) for name in names if isinstance(name, str | bytes | os.PathLike)]


def write_bytes(path: Path, content: bytes | memoryview) -> None:
    """Write bytes atomically; raises WriteError as `replacing`."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)
        if (found := temporary.stat().st_size) != len(content):
            raise OSError(errno.EIO, f"{found} of {len(content)} bytes", os.fspath(temporary))


def write_text(path: Path, content: str) -> None:
    """Write UTF-8 text atomically."""
    write_bytes(path, content.encode("utf-8"))


def write_json(path: Path, content: object) -> None:
    """Write JSON atomically with sorted keys; NaN is refused."""
    write_text(path, json.dumps(content, indent=2, sort_keys=True, allow_nan=False) + "\n")
