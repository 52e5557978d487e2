"""Default config, schema and configuration page follow from the settings."""

import json
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator, ValidationError

from lungpipe.settings import StudySettings, load_study
from lungpipe.settings.load import RECIPE_SECTIONS
from lungpipe.settings.render import config_text, page_text, schema_text, type_words


@pytest.fixture
def recipes(tmp_path: Path) -> Path:
    (tmp_path / "flagship.yaml").write_text("segmenter: {}\n")
    (tmp_path / "book.yaml").write_text("segmenter: {tile_size_vox: 64}\n")
    return tmp_path


def test_the_default_config_is_the_default_study(recipes: Path) -> None:
    assert load_study(yaml.safe_load(config_text()), recipes) == StudySettings()


def test_the_default_config_leaves_the_recipe_its_say(recipes: Path) -> None:
    config = yaml.safe_load(config_text())
    assert all(config[section] == {} for section in RECIPE_SECTIONS)
    assert load_study(config | {"recipe": "book"}, recipes).segmenter.tile_size_vox == 64


def test_the_default_config_has_every_key_of_the_study_with_a_comment_above() -> None:
    expected = StudySettings().model_dump(mode="json") | {key: {} for key in RECIPE_SECTIONS}
    assert yaml.safe_load(config_text()) == expected
    lines = config_text().splitlines()
    keys = [number for number, line in enumerate(lines) if line and not line.lstrip().startswith("#")]
    assert len(keys) > 30
    assert all(lines[number - 1].strip().startswith("# ") for number in keys)


def test_no_setting_lacks_a_description() -> None:
    assert "None" not in page_text()
    assert "# None" not in config_text()


def validator() -> Draft202012Validator:
    schema = json.loads(schema_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"seed": 1},
        {"segmenter": {"training": {"num_steps": 5}}},
        {"dataset": {"kind": "luna16", "root": "${LUNA16}"}},
        yaml.safe_load(config_text()),
    ],
    ids=["empty", "one key", "a key of a recipe", "a dataset", "the default"],
)
def test_the_schema_takes_a_config_or_any_part_of_one(config: dict) -> None:
    validator().validate(config)


@pytest.mark.parametrize(
    "config",
    [
        {"sede": 1},
        {"seed": -1},
        {"seed": "one"},
        {"segmenter": {"tile": 96}},
        {"dataset": {"kind": "lidc"}},
        {"preprocessing": {"spacing_zyx_mm": [1.0, 1.0]}},
        {"preprocessing": {"spacing_zyx_mm": [1.0, 1.0, 0.0]}},
    ],
)
def test_the_schema_refuses_unknown_keys_and_wrong_values(config: dict) -> None:
    with pytest.raises(ValidationError):
        validator().validate(config)


def test_the_schema_holds_no_default_that_could_override_a_recipe() -> None:
    schema = json.loads(schema_text())
    for section in RECIPE_SECTIONS:
        entry = schema["properties"][section]
        assert "default" not in entry
        definition = schema["$defs"][entry["$ref"].rsplit("/", 1)[1]]
        assert not [key for key, value in definition["properties"].items() if "default" in value]
    assert schema["$defs"]["DatasetSettings"]["properties"]["name"]["default"] == "phantom"


def test_the_page_has_one_row_per_key() -> None:
    def count(node: dict) -> int:
        return sum(count(value) if isinstance(value, dict) else 1 for value in node.values())

    rows = [line for line in page_text().splitlines() if line.startswith("| `")]
    assert len(rows) == count(StudySettings().model_dump())
    assert "| `seed` | integer >= 0 | `2016` | the one seed from which every job derives its own |" in rows
    assert all(line.count("|") - line.count("\\|") == 5 for line in rows)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"type": "integer"}, "integer"),
        ({"type": "integer", "minimum": 1}, "integer >= 1"),
        ({"type": "number", "minimum": 0, "maximum": 1}, "number >= 0 and <= 1"),
        ({"type": "number", "exclusiveMinimum": 0.5}, "number > 0.5"),
        ({"type": "boolean"}, "true or false"),
        ({"enum": ["a", "b"], "type": "string"}, "one of `a`, `b`"),
        ({"const": "a", "type": "string"}, "one of `a`"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "text or none"),
        ({"type": "array", "items": {"type": "integer"}}, "list of integer"),
        (
            {"type": "array", "prefixItems": [{"type": "number"}] * 3, "maxItems": 3, "minItems": 3},
            "list of 3 x number",
        ),
    ],
)
def test_types_in_words(entry: dict, words: str) -> None:
    assert type_words(entry) == words
