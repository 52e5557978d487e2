"""What MLflow's pages show first: views of an experiment, and the headline of a study."""

import json

from lungpipe.services.tracking.views import experiment_tags, run_note, view_link, viewed_folds


def views(folds=(0, 3)):
    tags = experiment_tags("7", folds, 1234)
    found = {key.removeprefix("mlflow.sharedViewState."): value for key, value in tags.items() if "View" in key}
    return {key: json.loads(value) for key, value in found.items()}, tags["mlflow.note.content"]


def test_a_view_has_the_form_that_mlflow_reads():
    found, _ = views()
    assert {view["name"] for view in found.values()} == {"Studies", "Folds", "Trainings"}
    for view in found.values():
        assert view["createdAt"] == view["updatedAt"] == 1234
        state = json.loads(view["state"])
        assert set(state["columnWidths"]) == set(state["columnOrder"]) == set(state["selectedColumns"])
        assert state["orderByKey"] in state["selectedColumns"]


def test_the_studies_show_their_cpm_with_its_interval_and_the_recipe_and_seed():
    columns = json.loads(views()[0]["studies"]["state"])["selectedColumns"]
    assert columns[:3] == ["metrics.`cpm`", "metrics.`cpm_low`", "metrics.`cpm_high`"]
    assert {"metrics.`num_scans`", "metrics.`malignancy_auc`"} <= set(columns)
    assert {"params.`recipe`", "params.`seed`"} <= set(columns)


def test_the_folds_are_those_of_the_study():
    columns = json.loads(views(folds=(1, 4))[0]["folds"]["state"])["selectedColumns"]
    assert columns[:3] == ["metrics.`cpm_fold1`", "metrics.`cpm_fold4`", "metrics.`cpm`"]


def test_the_folds_of_a_view_are_read_back():
    assert viewed_folds(experiment_tags("7", (0, 3, 7), 1234)) == {0, 3, 7}
    assert viewed_folds({}) == set()


def test_the_columns_fit_beside_each_other():
    for view in views(folds=(0, 3, 7))[0].values():
        widths = json.loads(view["state"])["columnWidths"]
        assert sum(widths.values()) < 650
        assert all(width >= 8 * len(column.split("`")[1]) for column, width in widths.items())


def test_the_description_links_to_every_view():
    found, note = views()
    for key, view in found.items():
        assert f"[{view['name']}]({view_link('7', key)})" in note


def test_a_run_shows_figures_then_pictures_then_its_note():
    metrics = {"cpm": 0.8418, "cpm_low": 0.7301, "cpm_high": 0.9351, "malignancy_auc": 0.6308}
    metrics |= {"nodule_auc": 0.96, "nodule_auc_low": 0.896, "nodule_auc_high": 1.0}
    note = run_note("Recipe `flagship`", "abc", metrics, ["candidates.png", "config.yaml", "froc.png"])
    assert note.splitlines() == [
        "- CPM: **0.842** (95 % interval 0.730 to 0.935)",
        "- AUC, nodule or not: **0.960** (95 % interval 0.896 to 1.000)",
        "- AUC, malignant or not, nodules: **0.631**",
        "",
        "![froc.png](get-artifact?path=froc.png&run_uuid=abc)",
        "",
        "![candidates.png](get-artifact?path=candidates.png&run_uuid=abc)",
        "",
        "Recipe `flagship`",
    ]


def test_a_run_without_figures_shows_its_note():
    assert run_note("Targets and volumes", "abc", {}, ["config.yaml"]) == "Targets and volumes"
