"""Settings: frozen, closed, and the folders that follow from them."""

from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from lungpipe.settings import ClassifierSettings, DatasetSettings, SegmenterSettings, StudySettings


def sections(model):
    yield model
    for name in type(model).model_fields:
        if isinstance(getattr(model, name), BaseModel):
            yield from sections(getattr(model, name))


def test_every_section_is_frozen_and_closed_and_every_key_says_what_it_means():
    for section in sections(StudySettings()):
        assert section.model_config["frozen"]
        assert section.model_config["extra"] == "forbid"
        assert [name for name, field in type(section).model_fields.items() if not field.description] == []


def test_a_study_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        StudySettings().seed = 1


def test_folders_follow_from_dataset_and_recipe():
    study = StudySettings(results_dir="out", recipe="book", dataset=DatasetSettings(name="mine"))
    assert study.dataset_dir == Path("out/mine")
    assert study.recipe_dir == Path("out/mine/book")


@pytest.mark.parametrize("name", ["../up", "a/b", "", "white space"])
def test_names_that_would_leave_their_folder_are_refused(name):
    with pytest.raises(ValidationError):
        DatasetSettings(name=name)
    with pytest.raises(ValidationError):
        StudySettings(recipe=name)


def test_settings_survive_json_as_the_workflow_passes_them():
    study = StudySettings()
    assert StudySettings.model_validate(study.model_dump(mode="json")) == study
    assert SegmenterSettings.model_validate(study.model_dump(mode="json")["segmenter"]) == study.segmenter


def test_a_shift_that_could_push_the_nodule_out_of_its_patch_is_refused():
    with pytest.raises(ValidationError, match="max_offset_vox: expected at most half of patch_size_vox, found 17 for"):
        SegmenterSettings(patch_size_vox=32, max_offset_vox=17)


def test_a_classifier_with_more_stages_than_its_cube_has_voxels_for_is_refused():
    with pytest.raises(ValidationError, match="patch_size_vox: expected more than 32 for 4 stages"):
        ClassifierSettings(channels=(4, 8, 16, 32), patch_size_vox=32)
