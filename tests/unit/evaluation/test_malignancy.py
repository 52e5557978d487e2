from dataclasses import replace
from typing import get_args

import numpy as np
import pandas as pd
import pytest

from lungpipe.datasets.leaks import LeakError
from lungpipe.evaluation.cutoffs import choose_cuts
from lungpipe.evaluation.labels import RULES, hit_malignancy, malignancy_label
from lungpipe.evaluation.malignancy import malignancy_figures, patient_figures
from lungpipe.evaluation.matching import match
from lungpipe.settings.study import MalignancyRule

NAN = float("nan")


@pytest.mark.parametrize(
    ("ratings", "two_readers", "mean", "median", "without_3"),
    [
        ("4;5;1;1", 1, 0, 0, 0),
        ("4;4;4", 1, 1, 1, 1),
        ("5;3;3;3", 0, 1, 0, 1),
        ("3;3;3", 0, 0, 0, NAN),
        ("2;4", 0, 0, 0, NAN),
        ("1;4;4", 1, 0, 1, NAN),
        ("1;1;2;5", 0, 0, 0, 0),
        ("5", NAN, 1, 1, 1),
        (None, NAN, NAN, NAN, NAN),
        ("", NAN, NAN, NAN, NAN),
    ],
)
def test_label_rules_by_hand(ratings, two_readers, mean, median, without_3):
    rules = ("at_least_two_readers_ge_4", "mean_gt_3", "median", "exclude_3")
    expected = (two_readers, mean, median, without_3)
    np.testing.assert_equal([malignancy_label(ratings, rule) for rule in rules], [float(value) for value in expected])


@pytest.mark.parametrize("ratings", ["6", "0;1", "4,5", "4;x", "4;;5", "3.5"])
def test_other_ratings_are_refused(ratings):
    with pytest.raises(ValueError, match=f"malignancy_ratings: expected numbers from 1 to 5.*{ratings}"):
        malignancy_label(ratings, "median")


def test_an_unknown_rule_is_refused():
    with pytest.raises(ValueError, match=r"expected one of .*median.*found 'mode'"):
        malignancy_label("3", "mode")


def test_the_setting_names_every_rule():
    assert get_args(MalignancyRule) == RULES


def test_hit_nodules_carry_the_malignancy_of_their_mark(marks, findings):
    given = marks(("a", 0, 0, 0, 0.4), ("a", 1, 0, 0, 0.9)).assign(malignancy=[0.1, 0.7])
    nodules = findings(("a", 90, 0, 0, 6), ("a", 0, 0, 0, 8)).assign(malignancy_ratings=["5;5", "1;5;5"])
    table = hit_malignancy(match(given, nodules, None, ["a"]), given, nodules, "mean_gt_3")
    assert table.to_dict("records") == [
        {"series_uid": "a", "malignancy": 0.7, "malignancy_label": 1.0, "diameter_mm": 8.0}
    ]


@pytest.fixture
def nodules():
    """Two hundred nodules, larger ones more often malignant; the model knows a little more than the diameter."""
    rng = np.random.default_rng(0)
    diameter = rng.uniform(3, 25, 200)
    risk = 1 / (1 + np.exp(-(diameter - 12) / 3))
    label = (rng.random(200) < risk).astype(float)
    malignancy = np.clip(0.6 * risk + 0.4 * label + rng.normal(0, 0.1, 200), 0, 1)
    table = pd.DataFrame({"malignancy": malignancy, "malignancy_label": label, "diameter_mm": diameter})
    return table.assign(patient_id=[f"p{i // 2}" for i in range(200)], subset=[i % 2 for i in range(200)])


def figures(table, **more):
    return malignancy_figures(table, rule="median", num_bootstraps=200, rng=np.random.default_rng(1), **more)


def test_every_figure_of_the_model_stands_beside_that_of_the_diameter_alone(nodules):
    cuts = {subset: choose_cuts(nodules[nodules["subset"] == 1 - subset], 1 - subset) for subset in (0, 1)}
    found = figures(nodules, cuts=cuts)
    names = {"auc", "auc_ci95", "average_precision", "brier", "ece", "accuracy", "f1"}
    assert names <= set(found["model"])
    assert names <= set(found["diameter_only"])
    assert found["label_rule"] == "median"
    assert (found["num_nodules"], found["num_malignant"]) == (200, int(nodules["malignancy_label"].sum()))
    assert found["model"]["auc"] > found["diameter_only"]["auc"] > 0.8
    assert found["model"]["auc_ci95"][0] < found["model"]["auc"] < found["model"]["auc_ci95"][1]
    assert found["auc_difference"]["low"] > 0
    assert found["auc_difference"]["p_value"] < 0.05
    assert found["model"]["accuracy"] > 0.8
    # the baseline's probabilities come from a regression on the other subset, and are calibrated
    assert found["diameter_only"]["brier"] < 0.18


def test_bins_of_diameter_add_up_and_have_both_figures(nodules):
    bins = figures(nodules)["by_diameter"]
    assert [part["name"] for part in bins] == ["< 6 mm", "6 to 8 mm", "8 to 15 mm", ">= 15 mm"]
    assert sum(part["num_nodules"] for part in bins) == 200
    assert sum(part["num_malignant"] for part in bins) == int(nodules["malignancy_label"].sum())
    # inside a bin the diameter says less than over all
    assert bins[2]["diameter_only_auc"] < figures(nodules)["diameter_only"]["auc"]
    assert bins[2]["model_auc"] > bins[2]["diameter_only_auc"]


def test_nodules_without_a_label_do_not_count(nodules):
    unknown = nodules.assign(malignancy_label=nodules["malignancy_label"].where(nodules.index >= 50))
    assert figures(unknown)["num_nodules"] == 150
    assert figures(unknown)["model"]["auc"] == figures(nodules.iloc[50:])["model"]["auc"]


def test_without_cuts_there_is_no_accuracy_rather_than_one_from_the_test_subset(nodules):
    found = figures(nodules)
    assert found["model"]["accuracy"] is None
    assert found["diameter_only"]["f1"] is None


def test_cuts_that_were_chosen_on_the_judged_subset_are_refused(nodules):
    own = {subset: choose_cuts(nodules[nodules["subset"] == subset], subset) for subset in (0, 1)}
    with pytest.raises(LeakError, match=r"malignancy threshold: .* other subsets than 0"):
        figures(nodules, cuts=own)


@pytest.mark.parametrize("part", ["model", "diameter_only", "intercept", "slope"])
def test_each_part_of_the_cuts_is_guarded(nodules, part):
    own = {0: choose_cuts(nodules, 0), 1: choose_cuts(nodules, 0)}
    fair = choose_cuts(nodules, 2)
    mixed = {subset: replace(fair, **{part: getattr(own[subset], part)}) for subset in (0, 1)}
    assert figures(nodules, cuts={0: fair, 1: fair})["model"]["accuracy"] > 0.8
    with pytest.raises(LeakError, match=r"found \[0\]"):
        figures(nodules, cuts=mixed)


def test_a_subset_without_cuts_is_refused(nodules):
    with pytest.raises(ValueError, match=r"expected cuts for subset 1, found them for \[0\]"):
        figures(nodules, cuts={0: choose_cuts(nodules[nodules["subset"] == 1], 1)})


def test_the_same_generator_gives_the_same_figures(nodules):
    assert figures(nodules) == figures(nodules)


def test_patients_have_max_noisy_or_and_the_diameter_beside_them():
    rng = np.random.default_rng(0)
    label = np.append(rng.integers(0, 2, 60).astype(float), [NAN, NAN])
    score = np.where(label == 1, 0.7, 0.3) + rng.normal(0, 0.2, 62)
    columns = {
        "malignancy": score,
        "malignancy_max": score,
        "malignancy_noisy_or": score + 0.01,
        "malignancy_top_mean": -score,
        "diameter_max_mm": rng.uniform(0, 20, 62),
    }
    found = patient_figures(
        pd.DataFrame({"is_malignant": label, **columns}), num_bootstraps=200, rng=np.random.default_rng(0)
    )
    assert (found["num_patients"], found["num_malignant"]) == (60, int(np.nansum(label)))
    assert found["score"] == found["max"] == found["noisy_or"]
    assert found["top_mean"]["auc"] == pytest.approx(1 - found["max"]["auc"])
    assert found["max"]["auc"] > 0.8
    assert found["diameter_only"]["auc"] == pytest.approx(0.5, abs=0.2)
    low, high = found["diameter_only"]["auc_ci95"]
    assert low < found["diameter_only"]["auc"] < high
