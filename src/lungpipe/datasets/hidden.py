"""Files that macOS or a file manager adds to folders and archives, and that no reader looks at."""

from pathlib import PurePath, PurePosixPath


def is_hidden(name: str | PurePath) -> bool:
    """Return whether a path within a folder or an archive is hidden, or is in something hidden.

    Hidden are names that begin with a dot, and `__MACOSX`.
    """
    return any(part.startswith(".") or part == "__MACOSX" for part in PurePosixPath(name).parts)
