"""What a parent run stands for."""

import json

import pytest

from lungpipe.services.tracking.errors import TrackingError
from lungpipe.services.tracking.plans import RunPlan, plan_dataset, plan_study
from lungpipe.settings import EvaluationSettings, TrackingSettings


def test_a_plan_survives_its_file(settings, tmp_path):
    plan = plan_study(settings)
    plan.write(tmp_path)
    assert RunPlan.read(tmp_path, plan.digest) == plan
    assert [path.name for path in tmp_path.glob("*.json")] == [f"{plan.digest}.json"]


def test_only_what_changes_results_makes_another_study(settings):
    changes = {
        "results_dir": "elsewhere",
        "tracking": TrackingSettings(uri="sqlite:///x.db"),
        "seed": 7,
        "recipe": "book",
        "evaluation": EvaluationSettings(num_bootstraps=10),
    }
    own = plan_study(settings).digest
    digests = {name: plan_study(settings.model_copy(update={name: value})).digest for name, value in changes.items()}
    assert {name for name, digest in digests.items() if digest == own} == {"results_dir", "tracking"}
    assert len(set(digests.values())) == 4


def test_recipes_share_the_run_of_their_volumes(settings):
    plan = plan_dataset(settings)
    assert plan.digest == plan_dataset(settings.model_copy(update={"recipe": "book", "seed": 1})).digest
    assert set(plan.identity) == {"dataset", "preprocessing"}
    coarse = settings.preprocessing.model_copy(update={"spacing_zyx_mm": (2.0, 2.0, 2.0)})
    assert plan_dataset(settings.model_copy(update={"preprocessing": coarse})).digest != plan.digest


@pytest.mark.parametrize("plan", [plan_study, plan_dataset])
def test_a_plan_names_no_place_of_this_machine_and_no_series(settings, tmp_path, plan):
    place = str(tmp_path)
    dataset = settings.dataset.model_copy(
        update={
            "root": place,
            "lidc_xml": place,
            "lidc_annotations": place,
            "whole_scans": {"1.2.840.99": place},
            "whole_scan_tables": place,
        }
    )
    preprocessing = settings.preprocessing.model_copy(update={"scheduler_address": f"tcp://{place}:1"})
    plan(settings.model_copy(update={"results_dir": place, "dataset": dataset, "preprocessing": preprocessing})).write(
        tmp_path
    )
    [path] = tmp_path.glob("*.json")
    text = path.read_text()
    assert place not in text
    assert "1.2.840" not in text
    assert settings.dataset.name in text


def test_an_edited_plan_is_an_error_that_names_it(settings, tmp_path):
    plan = plan_study(settings)
    plan.write(tmp_path)
    path = tmp_path / f"{plan.digest}.json"
    path.write_text(path.read_text().replace('"seed": 2016', '"seed": 7', 1))
    with pytest.raises(TrackingError, match=rf"{plan.digest}\.json: expected the plan of a parent run, found one with"):
        RunPlan.read(tmp_path, plan.digest)


@pytest.mark.parametrize("content", [None, "", "[]", json.dumps({"name": "x"})])
def test_a_plan_that_is_missing_or_damaged_is_an_error_that_names_it(tmp_path, content):
    if content is not None:
        (tmp_path / "abc.json").write_text(content)
    with pytest.raises(TrackingError, match=r"abc\.json: expected the plan of a parent run"):
        RunPlan.read(tmp_path, "abc")
