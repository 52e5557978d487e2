"""Tell errors of the machine (disk, permission, memory) from errors of the data that is read."""

import errno
import os
import re
from collections.abc import Iterator
from pathlib import Path

OF_DATA = frozenset(
    {
        errno.ENOENT,
        errno.EISDIR,
        errno.ENOTDIR,
        errno.ELOOP,
        errno.EINVAL,
        errno.ENAMETOOLONG,
        errno.ENXIO,
    }
)
"""Errors of a file that is missing, or that is no regular file; every other OSError concerns the machine."""
_NAMES = (str, bytes, os.PathLike)
_CODES = re.compile(r"os_error_code='(\d+)'|\(os error (\d+)\)")
"""The error number in messages of tensorstore and safetensors."""


class MachineError(RuntimeError):
    """An error of the machine, after which the same data may be fine; the message names the file and the reason."""


def is_of_machine(error: BaseException, written: Path | None = None) -> bool:
    """Return whether an error, or an error behind it, is one of the machine: space, permission, input/output, memory.

    `written` is a folder that is written to: every OSError about a file in it is one of the machine.
    """
    return any(_is_one(one, written) for one in _chain(error))


def is_full(error: BaseException) -> bool:
    """Return whether an error, or an error behind it, says that a disk is full, or that a quota or limit is reached."""
    return any(find_errno(one) in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) for one in _chain(error))


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        yield following
        # `from None` hides the error behind a clearer message, and keeps it as the context
        following = following.__cause__ or following.__context__


def _is_one(error: BaseException, written: Path | None) -> bool:
    if isinstance(error, MemoryError | MachineError):
        return True
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno not in OF_DATA or (written is not None and _is_inside(error, written))
    return (number := find_errno(error)) is not None and number not in OF_DATA


def _is_inside(error: OSError, folder: Path) -> bool:
    inside = f"{os.path.abspath(folder)}{os.sep}"
    names = (os.fsdecode(name) for name in (error.filename, error.filename2) if isinstance(name, _NAMES))
    return any(os.path.abspath(name).startswith(inside) for name in names)


def find_errno(error: BaseException) -> int | None:
    """Return the error number of an OSError, or that in the message of a library's own error; None if there is none."""
    if isinstance(error, OSError):
        return error.errno
    match = _CODES.search(str(error))
    return int(match[1] or match[2]) if match else None
