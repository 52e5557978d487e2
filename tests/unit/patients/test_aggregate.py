"""Patients by hand: the largest risk, noisy-OR, the largest diameter, and who is malignant."""

import numpy as np
import pandas as pd
import pytest

from lungpipe.evaluation.study_tables import StudyTables
from lungpipe.geometry import Grid
from lungpipe.patients.aggregate import aggregate_folds, aggregate_patients
from lungpipe.settings.recipe import PatientSettings
from lungpipe.tables import EXCLUSIONS, PATIENTS, SCORED, SERIES

COLUMNS = list(SCORED.columns)


def make_series(*rows):
    return SERIES.conform(pd.DataFrame([(*row, 0) for row in rows], columns=["series_uid", "patient_id", "subset"]))


def make_scored(*rows):
    """Build SCORED from (series_uid, diameter mm, probability, malignancy)."""
    table = [(f"{uid}#c{row}", uid, 0.0, 0.0, 0.0, d, 0.5, 0, p, m) for row, (uid, d, p, m) in enumerate(rows)]
    return SCORED.conform(pd.DataFrame(table, columns=COLUMNS)) if rows else SCORED.empty()


def tables_of(scored, series, nodules):
    return StudyTables(scored, PATIENTS.empty(), series, nodules, EXCLUSIONS.empty())


def aggregate(scored, series, nodules, rule="mean_gt_3", **how):
    return aggregate_patients(tables_of(scored, series, nodules), fold=3, rule=rule, **how).set_index("patient_id")


def test_maximum_and_noisy_or_by_hand(make_nodules):
    scored = make_scored(("1.1", 9, 0.5, 0.8), ("1.1", 4, 1.0, 0.1), ("1.2", 6, 0.9, 0.5), ("1.3", 8, 0.4, 0.5))
    series = make_series(("1.1", "A"), ("1.2", "A"), ("1.3", "B"))
    patients = aggregate(scored, series, make_nodules())
    # risks of A over both of its scans: 0.4, 0.1, 0.45
    assert patients.loc["A", "malignancy_max"] == pytest.approx(0.45)
    assert patients.loc["A", "malignancy_noisy_or"] == pytest.approx(1 - 0.6 * 0.9 * 0.55)
    assert patients.loc["B", ["malignancy_max", "malignancy_noisy_or"]].tolist() == pytest.approx([0.2, 0.2])
    assert patients.loc["A", ["num_scans", "num_candidates", "fold"]].tolist() == [2, 3, 3]
    assert patients.loc["B", ["num_scans", "num_candidates"]].tolist() == [1, 1]


def test_only_probable_candidates_count_towards_the_diameter(make_nodules):
    scored = make_scored(("1.1", 9, 0.5, 0), ("1.1", 30, 0.49, 0), ("1.1", 4, 1, 0), ("1.2", 30, 0.1, 0))
    patients = aggregate(scored, make_series(("1.1", "A"), ("1.2", "B")), make_nodules())
    assert patients["diameter_max_mm"].tolist() == [9, 0]


def test_a_patient_without_candidates_has_a_row_of_zeros(make_nodules):
    patients = aggregate(make_scored(("1.1", 5, 0.9, 0.9)), make_series(("1.1", "B"), ("1.2", "A")), make_nodules())
    assert patients.index.tolist() == ["A", "B"]
    figures = ["num_candidates", "malignancy_max", "malignancy_noisy_or", "diameter_max_mm"]
    assert patients.loc["A", figures].tolist() == [0, 0, 0, 0]


def test_candidates_of_unknown_malignancy_leave_their_patient_without_a_figure(make_nodules):
    scored = make_scored(("1.1", 9, 0.9, np.nan), ("1.1", 5, 0.8, 0.5))
    patients = aggregate(scored, make_series(("1.1", "A"), ("1.2", "B")), make_nodules())
    figures = ["malignancy_max", "malignancy_noisy_or"]
    assert patients.loc["A", figures].isna().all()
    assert patients.loc["B", figures].tolist() == [0, 0]
    assert patients.loc["A", "diameter_max_mm"] == 9


def test_no_candidates_at_all(make_nodules):
    patients = aggregate(SCORED.empty(), make_series(("1.1", "A")), make_nodules())
    assert patients["malignancy_max"].tolist() == patients["malignancy_noisy_or"].tolist() == [0]


@pytest.mark.parametrize(
    ("ratings", "expected"),
    [
        ([], 0.0),
        (["1;2"], 0.0),
        (["1;2", "5;5"], 1.0),
        ([None], np.nan),
        ([None, "5;4"], 1.0),
        ([None, "1;1"], 0.0),
    ],
)
def test_a_patient_is_malignant_by_its_worst_rated_nodule(make_nodules, ratings, expected):
    nodules = make_nodules(*(("1.1", (0, 0, 0), 5.0, text) for text in ratings), ("9.9", (0, 0, 0), 5.0, "5;5"))
    patients = aggregate(make_scored(), make_series(("1.1", "A")), nodules)
    np.testing.assert_array_equal(patients["is_malignant"], [expected])


def test_the_rule_decides(make_nodules):
    nodules, series = make_nodules(("1.1", (0, 0, 0), 5.0, "4;4;1;1")), make_series(("1.1", "A"))
    by_rule = {
        rule: aggregate(make_scored(), series, nodules, rule)["is_malignant"].iloc[0]
        for rule in ("mean_gt_3", "at_least_two_readers_ge_4")
    }
    assert by_rule == {"mean_gt_3": 0.0, "at_least_two_readers_ge_4": 1.0}


def test_a_nodule_in_any_scan_of_the_patient_counts_and_candidates_of_other_scans_do_not(make_nodules):
    nodules = make_nodules(("1.2", (0, 0, 0), 5.0, "5;5"))
    scored = make_scored(("1.1", 5, 0.5, 0.5), ("8.8", 50, 1.0, 1.0))
    patients = aggregate(scored, make_series(("1.1", "A"), ("1.2", "A")), nodules)
    assert patients.loc["A", ["num_candidates", "malignancy_max", "is_malignant"]].tolist() == [1, 0.25, 1]


def test_the_table_is_valid_whatever_the_index_of_the_series(make_nodules):
    series = make_series(("1.1", "B"), ("1.2", "A")).set_index(pd.Index([5, 2]))
    patients = aggregate_patients(tables_of(make_scored(), series, make_nodules()), fold=1, rule="median")
    assert patients.equals(PATIENTS.conform(patients))


def test_every_fold_counts_its_own_candidates_on_its_own_series(make_nodules):
    series = make_series(("1.1", "A"), ("1.2", "B"), ("1.3", "A")).assign(subset=[0, 1, 1])
    # the candidate of fold 1 in a series of subset 0 counts nowhere
    scored = make_scored(("1.1", 5, 0.9, 0.5), ("1.2", 5, 0.9, 0.7), ("1.1", 5, 0.9, 0.9)).assign(fold=[0, 1, 1])
    tables = tables_of(scored, series, make_nodules())
    patients = aggregate_folds(tables, folds=[0, 1], rule="mean_gt_3")
    assert patients[["patient_id", "fold", "num_scans", "num_candidates"]].to_numpy().tolist() == [
        ["A", 0, 1, 1],
        ["A", 1, 1, 0],
        ["B", 1, 1, 1],
    ]
    assert patients["malignancy_max"].tolist() == pytest.approx([0.9 * 0.5, 0.0, 0.9 * 0.7])
    alone = aggregate_folds(tables, folds=[1], rule="mean_gt_3")
    assert alone["patient_id"].tolist() == ["A", "B"]


@pytest.mark.parametrize(
    ("name", "expected"), [("maximum", 0.45), ("noisy_or", 1 - 0.6 * 0.9 * 0.55), ("top_mean", 0.425)]
)
def test_the_recipe_names_the_aggregate_that_counts(make_nodules, name, expected):
    scored = make_scored(("1.1", 9, 0.5, 0.8), ("1.1", 4, 1.0, 0.1), ("1.2", 6, 0.9, 0.5))
    series = make_series(("1.1", "A"), ("1.2", "A"))
    patients = aggregate(scored, series, make_nodules(), patient=PatientSettings(aggregate=name, num_top=2))
    assert patients.loc["A", "malignancy"] == pytest.approx(expected)


def test_candidates_that_are_missing_count_as_0_in_the_mean_of_the_highest(make_nodules):
    scored = make_scored(("1.1", 9, 0.5, 0.8))
    patients = aggregate(scored, make_series(("1.1", "A")), make_nodules(), patient=PatientSettings(num_top=4))
    assert patients.loc["A", "malignancy_top_mean"] == pytest.approx(0.1)


def test_the_deciding_nodule_is_that_of_the_highest_risk(make_nodules):
    scored = make_scored(("1.1", 20, 0.9, 0.1), ("1.2", 7.6, 0.6, 0.9), ("1.1", 4, 0.1, 1.0))
    scored.loc[1, ["center_z_mm", "center_y_mm", "center_x_mm"]] = [-55.2, 3.0, 4.0]
    grids = {uid: Grid((100, 9, 9), (1.5, 1.0, 1.0), (-100.0, 0.0, 0.0)) for uid in ("1.1", "1.2")}
    series = make_series(("1.1", "A"), ("1.2", "A"), ("1.3", "B")).iloc[:2]
    decided = aggregate(scored, series, make_nodules(), grids=grids).loc["A"]
    assert (decided["decided_by"], decided["decided_series_uid"]) == ("1.2#c1", "1.2")
    centers = [f"decided_center_{axis}_mm" for axis in "zyx"]
    assert decided[centers].tolist() == [-55.2, 3.0, 4.0]
    # index (-55.2 + 100) / 1.5 = 29.9 is slice 31 from 1
    assert decided["decided_slice"] == 31
    assert decided["decided_volume_mm3"] == pytest.approx(4 / 3 * np.pi * 3.8**3)
    assert decided[["decided_fleischner_size", "decided_lung_rads_size"]].tolist() == ["6 to 8 mm", "6 to < 8 mm"]
    assert np.isnan(aggregate(scored, series, make_nodules()).loc["A", "decided_slice"])


def test_a_patient_whose_scans_all_failed_has_no_malignancy_and_says_so(make_nodules):
    series = make_series(("1.1", "A"), ("1.2", "B"), ("1.3", "B"), ("1.4", "C"))
    grids = {uid: Grid((9, 9, 9)) for uid in ("1.2", "1.4")}
    patients = aggregate(make_scored(("1.2", 5, 0.5, 0.5)), series, make_nodules(), grids=grids)
    assert patients["num_failed_scans"].tolist() == [1, 1, 0]
    np.testing.assert_array_equal(patients["malignancy"], [np.nan, 0.25, 0.0])
    np.testing.assert_array_equal(patients["malignancy_noisy_or"], [np.nan, 0.25, 0.0])
    assert patients["remark"].tolist() == [
        "1 of 1 scans could not be prepared, for instance because no lungs were found",
        "1 of 2 scans could not be prepared, for instance because no lungs were found",
        "no candidates",
    ]
    assert patients["decided_by"].isna().tolist() == [True, False, True]


def test_a_recipe_without_a_scorer_says_why_there_is_no_malignancy(make_nodules):
    patients = aggregate(make_scored(("1.1", 9, 0.9, np.nan)), make_series(("1.1", "A")), make_nodules())
    assert patients.loc["A", "remark"] == "no malignancy: the recipe has no scorer"
    assert patients.loc["A", ["malignancy", "decided_by"]].isna().all()
