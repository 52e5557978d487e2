"""Thresholds are chosen on the validation subset of their fold and nowhere else."""

from dataclasses import replace

import pytest

from lungpipe.datasets.leaks import LeakError
from lungpipe.evaluation.cutoffs import choose_fold_cuts, validation_hits


def chosen(study, folds=(0, 2)):
    return choose_fold_cuts(study, "mean_gt_3", folds=folds, num_subsets=4)


def test_each_fold_chooses_its_own(study):
    cuts, warnings = chosen(study)
    assert warnings == []
    # the malignant nodule's score is the highest threshold that calls it malignant, and the benign one not
    assert {fold: own.model.value for fold, own in cuts.items()} == {0: 0.4, 2: 0.9}
    assert {own.diameter_only.value for own in cuts.values()} == {12.0}
    assert {fold: own.model.chosen_on for fold, own in cuts.items()} == {0: {1}, 2: {3}}


def test_they_serve_the_test_subset_and_refuse_their_own(study):
    cuts, _ = chosen(study)
    assert cuts[2].model.for_subset(2) == 0.9
    with pytest.raises(LeakError, match="expected to be chosen on other subsets than 3"):
        cuts[2].model.for_subset(3)


def test_what_is_judged_does_not_move_them(study):
    other = study.scored.assign(malignancy=0.5, probability=0.1)
    assert chosen(replace(study, scored=other)) == chosen(study)


def test_scores_of_another_fold_or_subset_are_not_looked_at(study):
    hits = validation_hits(study, "mean_gt_3", 2, 4)
    assert hits["malignancy"].tolist() == [0.9, 0.6]
    assert set(hits["series_uid"]) == {"1.2.3"}
    # the same scan, scored by the networks of fold 1, which may have learned from it
    moved = study.validation.assign(fold=study.validation["fold"].replace(2, 1))
    assert len(validation_hits(replace(study, validation=moved), "mean_gt_3", 2, 4)) == 0


def test_one_class_only_gives_none_and_says_so(study, without):
    alone = without(study, "validation", lambda row: row["fold"] == 2 and row["malignancy"] == 0.6)
    cuts, warnings = chosen(alone)
    assert cuts is None
    [warning] = warnings
    assert warning.startswith("no_malignancy_cuts: fold 2 hit 1 malignant and 0 benign nodules in subset 3")


def test_no_hit_and_no_label_give_none_for_each_fold(study):
    for other in (
        replace(study, validation=study.validation.iloc[:0]),
        replace(study, nodules=study.nodules.assign(malignancy_ratings=None)),
    ):
        cuts, warnings = chosen(other)
        assert cuts is None
        assert [warning.split(" nodules")[0] for warning in warnings] == [
            f"no_malignancy_cuts: fold {fold} hit 0 malignant and 0 benign" for fold in (0, 2)
        ]


def test_a_validation_subset_that_belongs_to_patients_of_the_test_subset_gives_none(study):
    patients = study.series["patient_id"].replace("p1.2.3", "p1.2.2")
    cuts, warnings = chosen(replace(study, series=study.series.assign(patient_id=patients)))
    assert cuts is None
    assert len(warnings) == 1
    assert "fold 2 hit 0 malignant and 0 benign" in warnings[0]


def test_the_last_fold_chooses_on_subset_0(study):
    # candidates of fold 3 on subset 0
    moved = study.scored[study.scored["fold"] == 0].assign(fold=3)
    cuts, warnings = chosen(replace(study, validation=moved), folds=[3])
    assert warnings == []
    assert cuts[3].model.chosen_on == {0}


def test_excluded_findings_do_not_hide_a_hit(study):
    hits = validation_hits(study, "mean_gt_3", 0, 4)
    found = study.nodules.iloc[[0]][["center_z_mm", "center_y_mm", "center_x_mm", "diameter_mm"]].assign(
        series_uid="1.2.1"
    )
    assert len(validation_hits(replace(study, exclusions=found), "mean_gt_3", 0, 4)) == len(hits) == 2
