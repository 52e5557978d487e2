"""Default config, schema and configuration page follow from the settings."""

import json

import pytest
import yaml
from jsonschema import Draft202012Validator, ValidationError
from pydantic import BaseModel

from lungpipe.settings import ConfigSettings, RecipeSettings, load_study
from lungpipe.settings.explain import section_models
from lungpipe.settings.load import RECIPE_SECTIONS
from lungpipe.settings.render import config_text, page_text, schema_text, type_words


def test_the_default_config_is_the_default_study() -> None:
    assert ConfigSettings.model_validate(yaml.safe_load(config_text())) == ConfigSettings()


def test_the_default_config_leaves_the_recipe_as_it_is(request: pytest.FixtureRequest) -> None:
    recipes = request.config.rootpath / "recipes"
    config = yaml.safe_load(config_text())
    assert not set(config) & set(RECIPE_SECTIONS)
    assert load_study(config, recipes) == load_study({}, recipes)


def test_the_default_config_has_every_key_of_the_study_with_a_comment_above() -> None:
    assert yaml.safe_load(config_text()) == ConfigSettings().model_dump(mode="json")
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
        {"scale": {"detector": {"num_steps": 5}}},
        {"dataset": {"kind": "luna16", "root": "${LUNA16}"}},
        yaml.safe_load(config_text()),
    ],
    ids=["empty", "one key", "the scale", "a dataset", "the default"],
)
def test_the_schema_takes_a_config_or_any_part_of_one(config: dict) -> None:
    validator().validate(config)


@pytest.mark.parametrize(
    "config",
    [
        {"sede": 1},
        {"seed": -1},
        {"seed": "one"},
        {"detector": {"kind": "given"}},
        {"scale": {"detector": {"channels": [4]}}},
        {"scale": {"scorer": {"num_steps": 0}}},
        {"dataset": {"kind": "lidc"}},
        {"preprocessing": {"spacing_zyx_mm": [1.0, 1.0]}},
        {"preprocessing": {"spacing_zyx_mm": [1.0, 1.0, 0.0]}},
    ],
)
def test_the_schema_refuses_unknown_keys_and_wrong_values(config: dict) -> None:
    with pytest.raises(ValidationError):
        validator().validate(config)


def test_a_schema_that_fills_in_defaults_leaves_the_recipe_as_it_is() -> None:
    schema = json.loads(schema_text())
    scale = schema["$defs"]["TrainingScale"]["properties"]
    assert {key: entry["default"] for key, entry in scale.items()} == dict.fromkeys(scale)
    assert schema["$defs"]["DatasetSettings"]["properties"]["name"]["default"] == "phantom"


def leaves(model: type[BaseModel]) -> int:
    """Number of keys with a plain value in a class and in all classes below it."""
    count = 0
    for field in model.model_fields.values():
        sections = section_models(field.annotation)
        count += sum(map(leaves, sections)) if sections else 1
    return count


def rows_of(heading: str) -> list[str]:
    section = page_text().split(f"\n### {heading}\n")[1].split("\n#")[0]
    return [line for line in section.splitlines() if line.startswith("| `")]


def test_the_page_has_one_row_per_key_of_a_study_and_of_every_kind_of_recipe() -> None:
    rows = [line for line in page_text().splitlines() if line.startswith("| `")]
    assert len(rows) == leaves(ConfigSettings) + leaves(RecipeSettings)
    assert (
        "| `seed` | integer >= 0 | `2016` | seed from which every training and the evaluation derive their own seeds |"
        in rows
    )
    assert all(line.count("|") - line.count("\\|") == 5 for line in rows)


def test_the_page_tells_the_kinds_of_a_section_apart() -> None:
    assert any("`stem_stride` | one of `1`, `2`, `4`" in row for row in rows_of("detector.network (kind: unet)"))
    assert not any("stem_stride" in row for row in rows_of("detector.network (kind: center_net)"))
    assert any("output_stride" in row for row in rows_of("detector.network (kind: center_net)"))
    assert len(rows_of("scorer (kind: unchanged)")) == 1
    assert rows_of("detector.training")[0].startswith("| `num_steps` | integer >= 1 | - |")


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
