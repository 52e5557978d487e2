"""Merge config and recipe into one validated study."""

import copy
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from lungpipe.settings.explain import RECIPE_SECTIONS, explain, explain_yaml
from lungpipe.settings.study import ConfigSettings, ScaleSettings, StudySettings


class SettingsError(ValueError):
    """A configuration that cannot be run; the message names the key, what was expected and what was found."""


def load_study(config: Mapping[str, Any], recipes_dir: Path) -> StudySettings:
    """Validate `config` (YAML content) and the recipe that it names, and apply the study's scale to the recipe.

    Raises:
        SettingsError: unknown key, wrong value, parts of a recipe that do not fit together, or no such recipe file.
    """
    merged = copy.deepcopy(dict(config))
    name = str(merged.get("recipe", ConfigSettings.model_fields["recipe"].default))
    recipe = read_recipe(recipes_dir, name)
    if own := sorted(set(merged) & set(RECIPE_SECTIONS)):
        path = recipes_dir / f"{name}.yaml"
        raise SettingsError(
            f"config: {own[0]}: expected in a recipe ({path}), found in the study; a study may set scale.detector and "
            "scale.scorer"
        )
    dataset = merged.get("dataset")
    if isinstance(dataset, dict):
        _expand_paths(dataset, ("root", "lidc_xml", "lidc_annotations", "whole_scan_tables"))
        if isinstance(whole_scans := dataset.get("whole_scans"), dict):
            _expand_paths(whole_scans, tuple(whole_scans))
    if merged.get("candidates_of") is not None:
        recipe = recipe | {"detector": {"kind": "given"}}
    parts = scaled(recipe, _read_scale(merged.get("scale")))
    try:
        study = StudySettings.model_validate(merged | parts)
    except ValidationError as error:
        raise SettingsError(explain(error, StudySettings)) from None
    if missing := list(missing_keys(recipe, study.model_dump(include=set(RECIPE_SECTIONS)))):
        path = recipes_dir / f"{name}.yaml"
        raise SettingsError(f"{path}: expected every key of a recipe, found none for {', '.join(missing)}")
    return study


def weights_files(study: StudySettings) -> list[str]:
    """Return the file of weights from which the scorer's training starts; none for a network trained from scratch.

    Raises:
        SettingsError: no such file.
    """
    network = getattr(study.scorer, "network", None)
    path = getattr(network, "weights_path", None)
    if path is None:
        return []
    if not Path(path).is_file():
        raise SettingsError(f"scorer.network.weights_path: expected a file of weights, found no file {path}")
    return [str(path)]


def read_recipe(recipes_dir: Path, name: str) -> dict[str, Any]:
    """Return the sections of `recipes/<name>.yaml`; raises SettingsError where it is absent or incomplete."""
    path = recipes_dir / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in recipes_dir.glob("*.yaml")))
        raise SettingsError(f"recipe: expected one of {known}, found {name!r} (no file {path})")
    try:
        content = yaml.safe_load(path.read_text()) or {}
    except yaml.YAMLError as error:
        raise SettingsError(f"{path}: expected YAML, found {explain_yaml(error)}") from None
    if not isinstance(content, dict) or set(content) != set(RECIPE_SECTIONS):
        found = ", ".join(map(str, content)) if isinstance(content, dict | list) else repr(content)
        raise SettingsError(f"{path}: expected the keys {', '.join(RECIPE_SECTIONS)}, found {found or 'none'}")
    return dict(content)


def missing_keys(recipe: Mapping[str, Any], settings: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield the keys (`detector.network.channels`) of the settings that are missing in a recipe file.

    A missing key would take the default, and a changed default would silently change the recipe.
    """
    for key, value in settings.items():
        if key not in recipe:
            yield f"{prefix}{key}"
        elif isinstance(value, Mapping) and isinstance(recipe[key], Mapping):
            yield from missing_keys(recipe[key], value, f"{prefix}{key}.")


def scaled(recipe: Mapping[str, Any], scale: ScaleSettings) -> dict[str, Any]:
    """Return the recipe's sections with the numbers that a study's `scale` gives for `detector` and `scorer`.

    Numbers for a part that the recipe does not train (given candidates, unchanged scores) change nothing: one study
    runs every recipe.
    """
    parts = copy.deepcopy(dict(recipe))
    for name, numbers in scale.model_dump(exclude_none=True).items():
        if isinstance(parts[name], Mapping) and isinstance(parts[name].get("training"), Mapping):
            parts[name] = overlay(parts[name], {"training": numbers})
    return parts


def _read_scale(scale: object) -> ScaleSettings:
    try:
        return ScaleSettings.model_validate({} if scale is None else scale)
    except ValidationError:
        return ScaleSettings()  # reported with all other mistakes when the whole study is validated


def overlay(base: Mapping[str, Any], delta: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with the values of `delta`, merged key by key at every depth."""
    merged = copy.deepcopy(dict(base))
    for key, value in delta.items():
        if isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
            merged[key] = overlay(merged[key], value)
        else:
            merged[key] = copy.deepcopy(value)
    return merged


def _expand_paths(section: dict[str, Any], keys: Iterable[str]) -> None:
    for key in keys:
        if isinstance(section.get(key), str):
            section[key] = expand_variables(section[key])


def expand_variables(text: str) -> str:
    """Fill `${NAME}` and `${NAME:-default}` from the environment; raises SettingsError for a name without a value."""

    def fill(match: re.Match[str]) -> str:
        name, default = match.group(1), match.group(2)
        value = os.environ.get(name) or default
        if value is None:
            raise SettingsError(f"{text}: expected the environment variable {name}, found it unset")
        return value

    return os.path.expanduser(re.sub(r"\$\{(\w+)(?::-([^}]*))?\}", fill, text))
