"""Read JSON files of the project; an error names the file."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from lungpipe.tables.errors import InputError
from lungpipe.tables.regular import require_regular

Built = TypeVar("Built")


def read_json(path: Path, expected: str) -> Any:
    """Return the content of a JSON file in UTF-8; `expected` says in messages what the file should hold.

    Raises:
        InputError: no JSON; the message names the file.
        OSError: no such file, or no regular file.
    """
    require_regular(path)
    try:
        return parse_json(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path}: expected {expected} in JSON, found {error}") from None


def read_json_object(path: Path, expected: str) -> dict[str, Any]:
    """Return the object in a JSON file; raises as `read_json`, and InputError for JSON that is no object."""
    content = read_json(path, expected)
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected {expected} as a JSON object, found {type(content).__name__}")
    return content


def parse_json(text: str | bytes) -> Any:
    """Return the content of JSON; raises ValueError for other text, and for lists or objects nested too deeply."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("JSON that is nested too deeply") from None


def build_checked(kind: type[Built], content: Any) -> Built:
    """Build a dataclass of plain fields from a JSON object.

    A field's annotation is a plain type, `Any`, a mapping with text as keys, or a union of these.

    Raises:
        TypeError: no object, a key that is missing or unknown, or a value of another type; the message names it.
    """
    if not isinstance(content, dict):
        raise TypeError(f"{type(content).__name__} instead of an object")
    built = kind(**content)
    for name, hint in get_type_hints(kind).items():
        value = getattr(built, name)
        if not _fits(value, hint):
            raise TypeError(f"{value!r:.40} for {name}")
    return built


def _fits(value: Any, hint: Any) -> bool:
    if isinstance(hint, UnionType):
        return any(_fits(value, each) for each in get_args(hint))
    if get_origin(hint) in (dict, Mapping):
        of_values = get_args(hint)[1]
        return isinstance(value, dict) and all(_fits(each, of_values) for each in value.values())
    # JSON's true and false are no numbers
    return hint is Any or (isinstance(value, hint) and not (isinstance(value, bool) and hint is not bool))
