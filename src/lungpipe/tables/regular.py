"""Refuse paths that are no regular files before they are opened."""

import errno
import os
import stat
from pathlib import Path


class IrregularFileError(OSError):
    """A folder, pipe, device or socket where a file was expected; the message names the path."""

    def __str__(self) -> str:
        return f"{self.filename}: expected a file, found {self.strerror}"


_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


def require_regular(path: Path) -> os.stat_result:
    """Return the state of a regular file, links followed. Opening a pipe or a device could wait for ever.

    Raises:
        IrregularFileError: a folder, pipe, device or socket.
        OSError: no such file.
    """
    state = os.stat(path)
    if not stat.S_ISREG(state.st_mode):
        found = str(_KINDS.get(stat.S_IFMT(state.st_mode), "no file"))
        raise IrregularFileError(errno.EINVAL, found, os.fspath(path))
    return state
