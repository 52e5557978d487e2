"""Files that follow from the settings are the ones that are committed."""

import json
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from lungpipe.settings import StudySettings, load_study
from lungpipe.settings.generate import generated, write
from lungpipe.settings.load import RECIPE_SECTIONS, read_recipe

FILES = (
    "config.yaml",
    "docs/configuration.md",
    "envs/dev.yaml",
    "envs/gpu.yaml",
    "envs/runtime.yaml",
    "workflow/schemas/config.schema.json",
)


def test_these_files_are_generated(root: Path) -> None:
    assert sorted(map(str, generated(root))) == sorted(FILES)


@pytest.mark.parametrize("name", FILES)
def test_a_generated_file_is_up_to_date(root: Path, name: str) -> None:
    assert (root / name).read_text() == generated(root)[Path(name)], f"{name}: run `make generate`"


def test_writing_puts_them_below_the_root_they_came_from(root: Path, tmp_path: Path) -> None:
    for name in ("pyproject.toml", "constraints.txt"):
        (tmp_path / name).write_text((root / name).read_text())
    write(tmp_path)
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (root / name).read_bytes()


def test_the_default_config_is_the_default_study_apart_from_its_recipe(root: Path) -> None:
    study = load_study(yaml.safe_load((root / "config.yaml").read_text()), root / "recipes")
    dropped = set(RECIPE_SECTIONS)
    assert study.model_dump(exclude=dropped) == StudySettings().model_dump(exclude=dropped)


def test_an_editor_checks_the_config_and_every_study_by_the_schema(root: Path) -> None:
    files = [root / "config.yaml", *sorted((root / "studies").glob("*.yaml"))]
    assert len(files) > 3
    for file in files:
        text = file.read_text()
        name = text.splitlines()[0].removeprefix("# yaml-language-server: $schema=")
        schema = json.loads((file.parent / name).read_text())
        Draft202012Validator(schema).validate(yaml.safe_load(text))


def test_every_recipe_and_every_study_can_be_loaded(root: Path) -> None:
    recipes = sorted((root / "recipes").glob("*.yaml"))
    assert recipes
    for recipe in recipes:
        assert read_recipe(root / "recipes", recipe.stem)
        assert load_study({"recipe": recipe.stem}, root / "recipes").recipe == recipe.stem
    for study in sorted((root / "studies").glob("*.yaml")):
        delta = yaml.safe_load(study.read_text())
        if isinstance(delta.get("dataset", {}).get("root"), str):
            delta["dataset"]["root"] = "anywhere"
        assert load_study(delta, root / "recipes").folds, study.name
