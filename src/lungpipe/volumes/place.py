"""Put a folder in the place of another in one step, and remove a folder so that no reader sees half of it."""

import ctypes
import errno
import os
import secrets
import shutil
from pathlib import Path

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_NOT_OFFERED = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP})


def take_place(temporary: Path, path: Path) -> None:
    """Rename a folder to `path`; an older folder of that name is removed. Readers find the older or the newer one.

    Where the system offers no exchange of two names, there is a moment without either.

    Raises:
        OSError: a file of that name, or a rename that fails.
    """
    if not os.path.lexists(path):
        os.rename(temporary, path)
        return
    if not path.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "a file in the place of a folder", os.fspath(path))
    if _exchange(temporary, path):
        shutil.rmtree(temporary)
        return
    old = _hidden_name(path)
    os.rename(path, old)
    os.rename(temporary, path)
    shutil.rmtree(old)


def remove_folder(path: Path) -> None:
    """Remove a folder, or a file in its place, which is hidden before its first file is removed."""
    hidden = _hidden_name(path)
    os.rename(path, hidden)
    if hidden.is_dir() and not hidden.is_symlink():
        shutil.rmtree(hidden)
    else:
        hidden.unlink()


def _hidden_name(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}")


def _exchange(one: Path, two: Path) -> bool:
    """Exchange two names in one step (Linux, renameat2); returns False where that is not offered."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    if rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(two), _RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in _NOT_OFFERED:
        return False
    raise OSError(number, os.strerror(number), os.fspath(two))
