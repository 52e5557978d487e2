"""A malignancy study on made-up nodules: each counted once, methods compared on the same patients."""

import json

import numpy as np
import pandas as pd
import pytest

from lungpipe.evaluation.malignancy_cases import MalignancyTables, list_cases
from lungpipe.evaluation.malignancy_study import study_cases, write_study
from lungpipe.evaluation.ranking import auc
from lungpipe.tables import CHARACTERISTICS, MEASURES, RATED, RATING_COLUMNS, RATINGS, SERIES

RULE = "at_least_two_readers_ge_4"
NUM = 80


def build_tables(make_nodules, *, has_ratings=True):
    """Eighty nodules of forty patients in four subsets; the network knows the label, the diameter knows less."""
    rng = np.random.default_rng(0)
    is_malignant = np.arange(NUM) % 3 == 0
    diameter = 6 + 2 * is_malignant + rng.normal(0, 2, NUM).clip(-3, 3)
    texts = np.where(is_malignant, "5;4;4", "1;2;3")
    uids = [f"1.{row}" for row in range(NUM)]
    rows = [(uid, (1.0 * row, 2.0, 3.0), diameter[row], str(texts[row])) for row, uid in enumerate(uids)]
    nodules = make_nodules(*rows)
    series = SERIES.conform(
        pd.DataFrame(
            {"series_uid": uids, "patient_id": [f"p{row // 2}" for row in range(NUM)], "subset": np.arange(NUM) // 20}
        )
    )
    ratings = pd.DataFrame({"nodule_id": nodules["nodule_id"]}).assign(**dict.fromkeys(RATING_COLUMNS.values(), "3;3"))
    rated = pd.DataFrame({"nodule_id": nodules["nodule_id"], "fold": series["subset"]})
    rated["malignancy"] = (0.2 + 0.5 * is_malignant + rng.uniform(-0.2, 0.2, NUM)).clip(0, 1)
    value = 2 + 2 * is_malignant + rng.normal(0, 0.3, NUM) if has_ratings else np.full(NUM, np.nan)
    rated = rated.assign(
        high_malignancy=value / 5, measured_logit=value, **{f"{name}_expected": value for name in CHARACTERISTICS}
    )
    measures = pd.DataFrame(rng.normal(size=(NUM, len(MEASURES.columns) - 1)), columns=list(MEASURES.columns)[1:])
    measures.insert(0, "nodule_id", nodules["nodule_id"])
    return MalignancyTables(series, nodules, RATINGS.conform(ratings), MEASURES.conform(measures), RATED.conform(rated))


@pytest.fixture
def tables(make_nodules):
    return build_tables(make_nodules)


@pytest.fixture
def study(tables):
    return study_cases(list_cases(tables, RULE), RULE, 200, seed=1)


def test_methods_are_compared_with_the_diameter_on_the_same_nodules(study):
    methods = study.methods[study.methods["nodules"] == "all"].set_index("method")
    labels, scores = study.cases["label"], study.cases
    assert methods.loc["diameter", "auc"] == auc(labels, scores["diameter"])
    assert methods.loc["network", "auc"] == auc(labels, scores["network"]) > methods.loc["diameter", "auc"]
    assert methods.loc["network", "gain"] == methods.loc["network", "auc"] - methods.loc["diameter", "auc"]
    assert methods.loc["network", "gain_low"] > 0
    assert methods.loc["diameter", ["gain", "gain_low", "gain_high"]].tolist() == [0, 0, 0]
    assert (methods["num_nodules"] == NUM).all()
    assert set(methods.index) == {
        "diameter",
        "network",
        "network: malignancy_expected",
        "network: high_malignancy",
        "no network: measured_logit",
        "stack: measures",
        "stack: network + diameter",
        "stack: network + measures",
        "stack: readers' other eight ratings + diameter",
    }
    assert methods.loc["stack: network + diameter", "auc"] > 0.97
    # noise
    assert methods.loc["stack: measures", "auc"] < methods.loc["stack: network + diameter", "auc"]


def test_the_summary_counts_what_was_judged(study):
    counts = {name: study.summary[name] for name in ("num_nodules", "num_malignant", "num_patients", "subsets")}
    assert counts == {"num_nodules": NUM, "num_malignant": 27, "num_patients": 40, "subsets": [0, 1, 2, 3]}
    assert 0 < study.summary["network_brier"] < 0.25


def test_clear_nodules_are_judged_apart(tables):
    nodules = tables.nodules.assign(
        malignancy_ratings=["3;3;4" if k < 40 else "4;4;1" if k % 2 else "1;2" for k in range(NUM)]
    )
    cases = list_cases(MalignancyTables(tables.series, nodules, tables.ratings, tables.measures, tables.rated), RULE)
    assert cases["is_clear"].sum() == 40
    clear = study_cases(cases, RULE, 20, seed=1).methods
    assert set(clear.loc[clear["nodules"] == "clear", "num_nodules"]) == {40}


def test_a_nodule_in_two_crops_counts_once_where_it_is_farther_from_the_border(tables, make_nodules):
    twice = tables.nodules.copy()
    columns = ["center_z_mm", "center_y_mm", "center_x_mm"]
    # 1.0 and 1.1 are of one patient; 1.2 is of another
    twice.loc[[1, 2], columns] = twice.loc[0, columns].to_numpy()
    measures = tables.measures.assign(border_mm=np.where(np.arange(NUM) == 1, 9.0, 1.0))
    cases = list_cases(MalignancyTables(tables.series, twice, tables.ratings, measures, tables.rated), RULE)
    assert len(cases) == NUM - 1
    assert {"1.1#1", "1.2#2"} <= set(cases["nodule_id"])
    assert "1.0#0" not in set(cases["nodule_id"])


def test_nodules_that_the_rule_leaves_out_are_no_cases(tables):
    nodules = tables.nodules.assign(
        malignancy_ratings=["5" if k == 0 else None if k == 1 else "1;5;5" for k in range(NUM)]
    )
    cases = list_cases(MalignancyTables(tables.series, nodules, tables.ratings, tables.measures, tables.rated), RULE)
    assert len(cases) == NUM - 2
    with pytest.raises(ValueError, match="expected malignant and benign nodules by at_least_two_readers_ge_4"):
        study_cases(cases, RULE, 10, seed=1)


def test_a_network_without_ratings_is_judged_without_their_methods(make_nodules):
    cases = list_cases(build_tables(make_nodules, has_ratings=False), RULE)
    methods = set(study_cases(cases, RULE, 10, seed=1).methods["method"])
    assert methods == {
        "diameter", "network", "stack: measures", "stack: readers' other eight ratings + diameter",
    }  # fmt: skip


def test_one_subset_has_no_stacks(tables):
    alone = tables.series.assign(subset=3)
    cases = list_cases(MalignancyTables(alone, tables.nodules, tables.ratings, tables.measures, tables.rated), RULE)
    assert not study_cases(cases, RULE, 10, seed=1).methods["method"].str.startswith("stack").any()


def test_the_study_is_written_whole_and_its_headline_names_what_a_server_takes(study, tmp_path):
    write_study(study, tmp_path)
    methods = pd.read_csv(tmp_path / "methods.csv")
    pd.testing.assert_frame_equal(methods, study.methods)
    assert json.loads((tmp_path / "summary.json").read_text())["label_rule"] == RULE
    assert len(pd.read_csv(tmp_path / "cases.csv")) == NUM
    assert all(name.replace("_", "").isalnum() for name in study.headline)
    assert study.headline["auc_network"] == methods.loc[1, "auc"]
    assert study.headline["gain_network_low"] == methods.loc[1, "gain_low"]


def test_without_networks_the_measures_are_compared_alone(tables):
    alone = MalignancyTables(tables.series, tables.nodules, tables.ratings, tables.measures)
    study = study_cases(list_cases(alone, RULE), RULE, 10, seed=1)
    assert set(study.methods["method"]) == {
        "diameter", "stack: measures", "stack: readers' other eight ratings + diameter",
    }  # fmt: skip
    assert not {"network_brier", "network_ece"} & set(study.summary)
    assert "gain_network" not in study.headline
    assert len(study.cases) == NUM
