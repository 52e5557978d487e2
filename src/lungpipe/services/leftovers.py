"""Remove what killed jobs left under temporary names."""

import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

_TEMPORARY = re.compile(r"\..+\.(\d+)-[0-9a-f]{8}(\.\w+)*")
"""A name of `lungpipe.tables.replacing`, with the id of the process that writes the file."""


def remove_leftovers(folders: Iterable[Path]) -> list[Path]:
    """Remove files and folders under temporary names whose processes are gone; return their paths.

    Stores are not searched: preparation removes unfinished stores itself. Call this only if no other run lives and the
    jobs of earlier runs were processes of this machine.
    """
    removed = []
    for top in folders:
        for place, names, files in os.walk(top):
            for name in (*names, *files):
                match = _TEMPORARY.fullmatch(name)
                if match and not _is_process(int(match[1])):
                    path = Path(place, name)
                    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)
                    removed.append(path)
            names[:] = [name for name in names if not name.endswith(".ome.zarr") and not _TEMPORARY.fullmatch(name)]
    return removed


def _is_process(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
