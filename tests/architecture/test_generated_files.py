"""Files that follow from the settings are the ones that are committed."""

import json
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from lungpipe.settings import ConfigSettings
from lungpipe.settings.generate import generated, write

FILES = (
    "config.yaml",
    "docs/configuration.md",
    "envs/bundle.yaml",
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


def test_an_editor_checks_the_config_and_every_study_by_the_schema(root: Path) -> None:
    files = [root / "config.yaml", *sorted((root / "studies").glob("*.yaml"))]
    assert len(files) > 3
    for file in files:
        text = file.read_text()
        name = text.splitlines()[0].removeprefix("# yaml-language-server: $schema=")
        schema = json.loads((file.parent / name).read_text())
        Draft202012Validator(schema).validate(yaml.safe_load(text))


def test_the_default_config_is_the_default_study(root: Path) -> None:
    assert ConfigSettings.model_validate(yaml.safe_load((root / "config.yaml").read_text())) == ConfigSettings()
