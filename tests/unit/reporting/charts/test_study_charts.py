"""The charts of a study: which there are, and what their captions count."""

from dataclasses import replace

import pytest

from lungpipe.reporting.charts.study import ChartInputs, draw_charts
from lungpipe.reporting.style import house_style


@pytest.fixture(scope="session")
def charts(figure_inputs):
    with house_style():
        found = draw_charts(ChartInputs(figure_inputs.stored, figure_inputs.histories, "mean_gt_3"))
    return {chart.name: chart for chart in found}


def test_every_part_of_the_study_has_its_chart(charts):
    names = [name for name in charts if not name.startswith("training")]
    assert names == [
        "froc",
        "froc-folds",
        "diameter",
        "nodule-roc",
        "nodule-calibration",
        "malignancy-roc",
        "malignancy-calibration",
        "patient-roc",
    ]
    of_detector = [name for name, chart in charts.items() if chart.section == "training-detector"]
    metrics = ("training-loss", "validation-loss", "validation-nodule-auc")
    assert of_detector == [f"training-detector-{metric}" for metric in metrics]


def test_captions_state_n(charts):
    assert "n = 3 nodules in 3 scans" in charts["froc"].caption
    assert "0 marks on excluded findings" in charts["froc"].caption
    assert "fold 0: 2 scans, fold 1: 1 scan" in charts["froc-folds"].caption
    assert "n = 2 hits and 2 false positives" in charts["nodule-roc"].caption
    assert (
        "n = 2 hit nodules with a label, 1 of them malignant (mean rating above 3)" in charts["malignancy-roc"].caption
    )
    assert "n = 3 patients, 1 with a malignant nodule" in charts["patient-roc"].caption
    assert "n = 2 folds" in charts["training-scorer-validation-loss"].caption


def test_the_folds_have_their_own_curves_with_their_numbers_of_nodules(charts, figure_inputs):
    svg = charts["froc-folds"].svg
    assert f"all folds, CPM {figure_inputs.stored.summary['cpm']:.3f}" in svg
    assert "fold 0, CPM 1.000, n = 2" in svg
    assert "fold 1, CPM 0.000, n = 1" in svg


def test_the_auc_of_the_chart_is_that_of_the_evaluation(charts, figure_inputs):
    summary = figure_inputs.stored.summary
    assert f"model, AUC {summary['nodule_auc']['auc']:.3f}" in charts["nodule-roc"].svg
    assert f"model, AUC {summary['malignancy']['model']['auc']:.3f}" in charts["malignancy-roc"].svg
    assert f"diameter alone, AUC {summary['malignancy']['diameter_only']['auc']:.3f}" in charts["malignancy-roc"].svg
    assert f"model, AUC {summary['patients']['score']['auc']:.3f}" in charts["patient-roc"].svg


def test_a_study_without_a_scorer_and_labels_has_no_curve_of_malignancy(figure_inputs):
    stored = figure_inputs.stored
    bare = replace(
        stored,
        hits=stored.hits.assign(malignancy=float("nan")),
        patients=stored.patients.assign(malignancy=float("nan")),
    )
    with house_style():
        names = [chart.name for chart in draw_charts(ChartInputs(bare, {}, "mean_gt_3"))]
    assert names == ["froc", "froc-folds", "diameter", "nodule-roc", "nodule-calibration"]
