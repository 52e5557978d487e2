"""Whole scans beside crops are evaluated apart, each by the fold that tests its subset."""

from dataclasses import replace

import numpy as np
import pandas as pd

from lungpipe.evaluation.matching import match
from lungpipe.evaluation.whole_scans import count_hits, whole_scan_figures, whole_scan_table
from lungpipe.tables import EXCLUSIONS


def test_hits_are_counted_at_numbers_of_false_positives(marks, findings):
    nodules = findings(("a", 0, 0, 0, 8), ("a", 50, 0, 0, 8), ("a", 90, 0, 0, 8))
    # a nodule first, then two false positives, then the second nodule, which is as probable as a third
    marked = marks(
        ("a", 0, 0, 1, 0.9), ("a", 200, 0, 0, 0.8), ("a", 300, 0, 0, 0.7), ("a", 50, 0, 0, 0.4), ("a", 400, 0, 0, 0.4)
    )
    assert count_hits(match(marked, nodules, None, ["a"])) == {
        "num_nodules": 3,
        "num_hits": 2,
        "num_hits_probable": 1,
        "num_false_positives_probable": 2,
        "hits_at_0_fp": 1,
        "hits_at_1_fp": 1,
        "hits_at_2_fp": 1,
        "hits_at_4_fp": 2,
        "hits_at_8_fp": 2,
    }


def test_marks_on_excluded_findings_and_no_marks_at_all_are_no_false_positives(marks, findings):
    nodules, excluded = findings(("a", 0, 0, 0, 8)), findings(("a", 200, 0, 0, -1))
    counts = count_hits(match(marks(("a", 201, 0, 0, 0.9)), nodules, excluded, ["a"]))
    assert (counts["num_hits"], counts["num_false_positives_probable"], counts["hits_at_8_fp"]) == (0, 0, 0)
    assert count_hits(match(marks(), nodules, excluded, ["a"]))["num_nodules"] == 1


def test_each_scan_is_evaluated_by_the_fold_of_its_subset_alone(study):
    # the first nodule's candidate of 0.9 and the second's of 0.8; a mark of another fold does not count
    stranger = study.scored.iloc[:1].assign(candidate_id="x", fold=2, center_x_mm=500.0, probability=0.99)
    scored = pd.concat([study.scored, stranger], ignore_index=True)
    table = whole_scan_table(replace(study, scored=scored), ["1.2.2", "1.2.0", "1.2.1"], folds=[0, 2])
    assert table["series_uid"].tolist() == ["1.2.0", "1.2.2"]
    assert table["fold"].tolist() == [0, 2]
    assert table["patient_id"].tolist() == ["p1.2.0", "p1.2.2"]
    assert table["hits_at_0_fp"].tolist() == [2, 2]
    figures = whole_scan_figures(table)
    assert (figures["whole_num_scans"], figures["whole_num_nodules"], figures["whole_hits_at_0_fp"]) == (2, 4, 4)


def test_hits_are_also_counted_as_the_detector_ranks_them(study):
    # a false positive of the first scan that the detector finds more probable than both nodules, and the scorer less
    other = study.scored.iloc[:1].assign(candidate_id="x", center_x_mm=500.0, probability=0.1, detector_score=0.95)
    table = whole_scan_table(replace(study, scored=pd.concat([study.scored, other], ignore_index=True)), ["1.2.0"], [0])
    assert (table["hits_at_0_fp"].item(), table["before_scorer_hits_at_0_fp"].item()) == (2, 0)
    assert table["before_scorer_hits_at_1_fp"].item() == 2
    given = study.scored.assign(detector_score=np.nan)
    table = whole_scan_table(replace(study, scored=given), ["1.2.0"], [0])
    assert (table["hits_at_0_fp"].item(), table["before_scorer_hits_at_0_fp"].isna().item()) == (2, True)
    assert "whole_before_scorer_hits_at_0_fp" not in whole_scan_figures(table)


def test_a_study_without_whole_scans_has_an_empty_table(study):
    table = whole_scan_table(study, [], folds=[0, 2])
    assert (len(table), len(table.columns)) == (0, 17)
    assert whole_scan_figures(table) == {}


def test_a_study_without_its_whole_scans_has_none_of_their_rows(study):
    rest = study.without(["1.2.0"])
    for name in ("series", "nodules", "scored"):
        assert "1.2.0" not in set(getattr(rest, name)["series_uid"])
        assert "1.2.2" in set(getattr(rest, name)["series_uid"])
    assert rest.exclusions.equals(EXCLUSIONS.empty())
    assert np.array_equal(rest.patients["patient_id"], study.patients["patient_id"])
