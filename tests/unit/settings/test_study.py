"""Settings: frozen, closed, and the folders that follow from them."""

from pathlib import Path

import pytest
from pydantic import Field, ValidationError

from lungpipe.settings import ConfigSettings, DatasetSettings, StudySettings, load_study
from lungpipe.settings.base import Settings
from lungpipe.settings.descriptions import describe, read_descriptions
from lungpipe.settings.explain import section_models


@pytest.fixture
def study(request):
    return load_study({}, request.config.rootpath / "recipes")


def classes(model):
    yield model
    for field in model.model_fields.values():
        for section in section_models(field.annotation):
            yield from classes(section)


def test_every_section_is_frozen_and_closed_and_every_key_says_what_it_means():
    describe(StudySettings)
    sections = list(classes(StudySettings))
    assert len(sections) > 20
    for section in sections:
        assert section.model_config["frozen"]
        assert section.model_config["extra"] == "forbid"
        assert [name for name, field in section.model_fields.items() if not field.description] == []


class Base(Settings):
    """A class."""

    size: int = 1
    """Its size,
    mm."""

    kind: str = "base"
    """of the base"""


class Derived(Base):
    """Another class."""

    kind: str = "derived"
    """of the derived"""

    plain: int = Field(default=0, description="given")
    other: float = 0.0
    base: Base = Base()


def test_descriptions_are_the_strings_below_the_fields_and_reach_the_schema():
    assert read_descriptions(Derived) == {"kind": "of the derived"}
    describe(Derived)
    assert {name: field.description for name, field in Derived.model_fields.items()} == {
        "size": "Its size,\nmm.",
        "kind": "of the derived",
        "plain": "given",
        "other": None,
        "base": None,
    }
    schema = Derived.model_json_schema()
    assert schema["properties"]["kind"]["description"] == "of the derived"
    assert schema["$defs"]["Base"]["properties"]["kind"]["description"] == "of the base"
    assert Derived(size="3").size == 3


def test_a_study_cannot_be_changed(study):
    with pytest.raises(ValidationError, match="frozen"):
        study.seed = 1


def test_folders_follow_from_dataset_and_recipe():
    study = ConfigSettings(results_dir="out", recipe="book", dataset=DatasetSettings(name="mine"))
    assert study.dataset_dir == Path("out/mine")
    assert study.study_dir == Path("out/mine/book")
    assert study.model_copy(update={"name": "low"}).study_dir == Path("out/mine/low")


@pytest.mark.parametrize("name", ["../up", "..", ".hidden", "a/b", "", "white space"])
def test_names_that_would_leave_their_folder_are_refused(name):
    with pytest.raises(ValidationError):
        DatasetSettings(name=name)
    with pytest.raises(ValidationError):
        ConfigSettings(recipe=name)


def test_settings_survive_json_as_the_workflow_passes_them(study):
    dumped = study.model_dump(mode="json")
    assert StudySettings.model_validate(dumped) == study
    assert type(study.detector).model_validate(dumped["detector"]) == study.detector
    assert type(study.scorer.training).model_validate(dumped["scorer"]["training"]) == study.scorer.training
