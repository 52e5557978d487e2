"""Read JSON files of the project; an error names the file."""

import json
from pathlib import Path
from typing import Any

from lungpipe.tables.errors import InputError
from lungpipe.tables.regular import require_regular


def read_json(path: Path, expected: str) -> Any:
    """Return the content of a JSON file in UTF-8; `expected` says in messages what the file should hold.

    Raises:
        InputError: no JSON; the message names the file.
        OSError: no such file, or no regular file.
    """
    require_regular(path)
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: expected {expected} in JSON, found {error}") from None


def read_json_object(path: Path, expected: str) -> dict[str, Any]:
    """Return the object in a JSON file; raises as `read_json`, and InputError for JSON that is no object."""
    content = read_json(path, expected)
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected {expected} as a JSON object, found {type(content).__name__}")
    return content
