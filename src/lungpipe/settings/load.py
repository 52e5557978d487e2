"""Merge config and recipe into one validated study."""

import copy
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from lungpipe.settings.study import StudySettings

RECIPE_SECTIONS = ("segmenter", "candidates", "classifier")


class SettingsError(ValueError):
    """A configuration that cannot be run; the message names the key, what was expected and what was found."""


def load_study(config: Mapping[str, Any], recipes_dir: Path) -> StudySettings:
    """Validate `config` (YAML content) over the recipe that it names.

    The recipe's sections lie below the config's own: a study may change single keys of a recipe.

    Raises:
        SettingsError: unknown key, wrong value, or a recipe file that does not exist.
    """
    merged = copy.deepcopy(dict(config))
    name = str(merged.get("recipe", StudySettings.model_fields["recipe"].default))
    recipe = read_recipe(recipes_dir, name)
    for section in RECIPE_SECTIONS:
        own = merged.get(section) or {}
        if isinstance(own, Mapping):  # else validation says what it should have been
            merged[section] = overlay(recipe.get(section) or {}, own)
    dataset = merged.get("dataset")
    for name in ("root", "lidc_xml"):
        if isinstance(dataset, dict) and isinstance(dataset.get(name), str):
            dataset[name] = expand_variables(dataset[name])
    try:
        return StudySettings.model_validate(merged)
    except ValidationError as error:
        raise SettingsError(_explain(error)) from None


def read_recipe(recipes_dir: Path, name: str) -> dict[str, Any]:
    """Return the sections of `recipes/<name>.yaml`; raises SettingsError where it is absent or has other keys."""
    path = recipes_dir / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in recipes_dir.glob("*.yaml")))
        raise SettingsError(f"recipe: expected one of {known}, found {name!r} (no file {path})")
    try:
        content = yaml.safe_load(path.read_text()) or {}
    except yaml.YAMLError as error:
        raise SettingsError(f"{path}: expected YAML, found {error}") from None
    unknown = sorted(set(content) - set(RECIPE_SECTIONS))
    if unknown:
        raise SettingsError(f"{path}: expected the keys {', '.join(RECIPE_SECTIONS)}, found {', '.join(unknown)}")
    return dict(content)


def overlay(base: Mapping[str, Any], delta: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with `delta` laid over it, key by key at every depth."""
    merged = copy.deepcopy(dict(base))
    for key, value in delta.items():
        if isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
            merged[key] = overlay(merged[key], value)
        else:
            merged[key] = copy.deepcopy(value)
    return merged


def expand_variables(text: str) -> str:
    """Fill `${NAME}` and `${NAME:-default}` from the environment; raises SettingsError for a name without a value."""

    def fill(match: re.Match[str]) -> str:
        name, default = match.group(1), match.group(2)
        value = os.environ.get(name) or default
        if value is None:
            raise SettingsError(f"{text}: expected the environment variable {name}, found it unset")
        return value

    return os.path.expanduser(re.sub(r"\$\{(\w+)(?::-([^}]*))?\}", fill, text))


def _explain(error: ValidationError) -> str:
    lines = []
    for issue in error.errors():
        key = ".".join(str(part) for part in issue["loc"])
        if issue["type"] == "extra_forbidden":
            lines.append(f"config: unknown key {key!r}")
        else:
            message = issue["msg"].removeprefix("Value error, ")
            lines.append(f"config: {key}: {message}, found {issue['input']!r}" if key else f"config: {message}")
    return "\n".join(lines)
