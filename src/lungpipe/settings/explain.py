"""Messages of validation errors: one line per mistake, with the key as spelt in the YAML file."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from types import UnionType
from typing import Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

KIND = "kind"
"""Key that chooses the class of a union."""
RECIPE_SECTIONS = ("detector", "scorer", "patient")
NEAR = 0.75
"""Words at least this alike (0 to 1, difflib) are taken for a slip of the keyboard."""


def explain(error: ValidationError, model: type[BaseModel]) -> str:
    """Return one line per mistake in the settings of `model`: key, what was expected, what was found."""
    return "\n".join(f"config: {_line(issue, model)}" for issue in error.errors())


def explain_yaml(error: Exception) -> str:
    """Return why a file is no YAML, in one line: the line and column where reading ended, then what was wrong there."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return " ".join(str(error).split())
    mark = error.problem_mark
    return f"line {mark.line + 1}, column {mark.column + 1}: {error.problem}"


def _line(issue: ErrorDetails, model: type[BaseModel]) -> str:
    key = ".".join(untagged(issue["loc"], model))
    if issue["type"] == "extra_forbidden":
        return f"unknown key {key!r}{nearest_key(key, issue['input'], model)}"
    if issue["type"] == "missing":
        return f"{key}: expected a value, found none"
    if issue["type"] in ("union_tag_invalid", "union_tag_not_found"):
        found = repr(issue["input"][KIND]) if issue["type"] == "union_tag_invalid" else "none"
        known = ", ".join(_kinds(issue["loc"], model))
        return f"{key}.{KIND}: expected one of {known}, found {found}"
    if issue["type"] == "value_error":
        # raised by a check of the section, whose message has the key, the expected and the found value
        return f"{key}." * bool(key) + issue["msg"].removeprefix("Value error, ")
    if issue["type"] == "string_pattern_mismatch":
        return f"{key}: expected letters, digits and _ - . (not first), found {issue['input']!r}"
    expected = issue["msg"].replace("Input should be", "expected").replace("a valid tuple", "a list")
    return f"{key}: {expected}, found {issue['input']!r}"


def all_keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Yield every key of the settings of `model`, with those of its sections: `scale.detector.num_steps`."""
    for name, field in model.model_fields.items():
        yield f"{prefix}{name}"
        for section in section_models(field.annotation):
            yield from all_keys(section, f"{prefix}{name}.")


def nearest_key(key: str, value: object, model: type[BaseModel]) -> str:
    """Return the known key that is spelt most like an unknown one, as the end of a message; nothing if none is near.

    Initials are near, too: lr is learning_rate. If the unknown key is a section, the key within is looked for.
    """
    while isinstance(value, Mapping) and value:
        inner, value = next(iter(value.items()))
        key = f"{key}.{inner}"
    known = list(dict.fromkeys(all_keys(model)))
    by_word: dict[str, str] = {}
    for each in known:
        by_word.setdefault(each.rpartition(".")[2], each)
    near = difflib.get_close_matches(key, known, n=1, cutoff=NEAR)
    words = difflib.get_close_matches(key.rpartition(".")[2], list(by_word), n=1, cutoff=NEAR)
    initials = [word for word in by_word if "_" in word and key == "".join(part[:1] for part in word.split("_"))]
    found = near or [by_word[word] for word in words or initials]
    if not found:
        return ""
    place = ", in a recipe's file" if found[0].startswith(RECIPE_SECTIONS) else ""
    return f"; the nearest key is {found[0]!r}{place}"


def untagged(location: Sequence[str | int], model: type[BaseModel]) -> list[str]:
    """Return a pydantic location without the tags that pydantic inserts for unions."""
    return [str(part) for part, is_key, _ in _walk(location, model) if is_key]


def section_models(annotation: object) -> tuple[type[BaseModel], ...]:
    """Return the settings classes that a field's type names: one, all of a union, or none for a plain value."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return (annotation,)
    options = get_args(annotation)
    if get_origin(annotation) in (Union, UnionType):
        return tuple(found for option in options for found in section_models(option))
    return ()


def kind_of(model: type[BaseModel]) -> str:
    """Return the `kind` of a class of a union."""
    return str(model.model_fields[KIND].default)


def _kinds(location: Sequence[str | int], model: type[BaseModel]) -> list[str]:
    return [kind_of(option) for option in list(_walk(location, model))[-1][2]]


def _walk(
    location: Sequence[str | int], model: type[BaseModel]
) -> Iterator[tuple[str | int, bool, tuple[type[BaseModel], ...]]]:
    """Yield each part of a location, whether the part is a key, and the classes possible below that part."""
    options: tuple[type[BaseModel], ...] = (model,)
    for part in location:
        if len(options) > 1:
            options = tuple(option for option in options if kind_of(option) == part)
            yield part, False, options
            continue
        field = options[0].model_fields.get(str(part)) if options else None
        options = section_models(field.annotation) if field else ()
        yield part, True, options
