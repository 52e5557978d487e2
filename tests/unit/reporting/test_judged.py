import dataclasses

import numpy as np
import pytest

from lungpipe.evaluation.matching import Fate
from lungpipe.reporting.judged import restore_matches


def test_the_band_at_the_official_rates_is_the_judges_own_interval(judged):
    official = judged.band()[::8]
    expected = np.array(list(judged.report["sensitivity_ci95"].values()))
    np.testing.assert_array_equal(official, expected)


def test_the_restored_matching_has_the_facts_of_the_judge(judged):
    matches = restore_matches(judged.matches, judged.series_uids)
    assert matches.num_scans == 3
    assert matches.num_nodules == 3
    assert matches.nodule_mark.tolist() == [0, 2, -1]
    assert matches.mark_fate.tolist() == [Fate.HIT, Fate.FALSE_POSITIVE, Fate.HIT, Fate.FALSE_POSITIVE]
    assert matches.nodule_distance_mm[:2].tolist() == pytest.approx([1.0, 0.0])
    assert matches.counts()["false_positives"] == judged.report["false_positives"] == 2


def test_another_list_of_scans_is_refused(judged):
    other = dataclasses.replace(judged, series_uids=judged.series_uids[:2])
    with pytest.raises(ValueError, match=r"expected 3 as in the evaluation, found 2 in the folds \[0, 1\]"):
        other.band()


def test_a_study_without_nodules_has_no_band(judged):
    assert dataclasses.replace(judged, report={**judged.report, "num_nodules": 0}).band() is None
