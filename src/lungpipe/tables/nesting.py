"""Name the JSON file whose lists or objects are nested too deeply for Python's reader.

Python then raises RecursionError, which is no ValueError and names no file. The readers of manifests and volumes are
part of what retrains a study if it is changed, so the file is looked for where their errors are reported.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lungpipe.tables.errors import InputError

SUFFIX = ".json"


def describe_deep_json(paths: Iterable[Path]) -> str | None:
    """Return the message about the first JSON file in `paths` that is nested too deeply, or None without such a file.

    A folder among `paths` stands for the JSON files in it (a volume), a JSON file also for those in its folder (a
    manifest, with its volumes beside it).
    """
    found = next((file for path in paths for file in _json_files(path) if _is_too_deep(file)), None)
    return None if found is None else f"{found}: expected JSON, found JSON that is nested too deeply"


@contextmanager
def naming_deep_json(paths: Iterable[Path]) -> Iterator[None]:
    """Turn a RecursionError into InputError with the name of the file, if JSON in `paths` causes the error.

    Raises:
        InputError: JSON that is nested too deeply; the message is that of `describe_deep_json`.
        RecursionError: the block raised it, and none of the files is nested too deeply.
    """
    try:
        yield
    except RecursionError:
        message = describe_deep_json(paths)
        if message is None:
            raise
        raise InputError(message) from None


def _json_files(path: Path) -> Iterator[Path]:
    is_json = path.suffix == SUFFIX and path.is_file()
    if is_json:
        yield path
    if is_json or path.is_dir():
        yield from sorted((path.parent if is_json else path).rglob(f"*{SUFFIX}"))


def _is_too_deep(path: Path) -> bool:
    try:
        json.loads(path.read_bytes())
    except RecursionError:
        return True
    except (OSError, ValueError):
        return False
    return False
