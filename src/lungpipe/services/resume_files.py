"""Remove damaged resume files before a training reads them.

torch writes the checksum of every part of a file and does not compare it when it reads: a training would continue with
other weights. The check is made here, since a change of the training's own code retrains every study.
"""

import errno
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path

from lungpipe.tables import require_regular

RESUME_PATTERN = "*_resume.pt"
_UNREADABLE = (zipfile.BadZipFile, EOFError, LookupError, RuntimeError, ValueError, struct.error, zlib.error)
"""Errors of Python's reader for archives whose headers are damaged."""


def remove_damaged(folders: Iterable[Path], say: Callable[[str], None]) -> None:
    """Remove the resume files in `folders` whose content differs from what torch wrote; `say` gets a line for each.

    Raises:
        OSError: a resume file that the machine cannot read or remove, or that is no regular file.
    """
    for path in sorted(file for folder in folders for file in folder.glob(RESUME_PATTERN)):
        damage = _find_damage(path)
        if damage is not None:
            path.unlink()
            say(f"{path}: expected a resume file as it was written, found {damage}; the training starts anew")


def _find_damage(path: Path) -> str | None:
    require_regular(path)
    try:
        with zipfile.ZipFile(path) as packed:
            damaged = packed.testzip()
    except _UNREADABLE as error:
        return f"{type(error).__name__}: {error}"
    except OSError as error:
        # a header that sends the reader to a place before the file
        if error.errno != errno.EINVAL:
            raise
        return str(error)
    return None if damaged is None else f"{damaged} with another checksum"
