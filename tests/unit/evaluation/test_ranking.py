import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from lungpipe.evaluation.ranking import auc, auc_ci, auc_samples, average_precision, roc_curve


def test_the_auc_is_the_share_of_pairs_in_the_right_order():
    # pairs (positive, negative): 0.8 > 0.1, 0.8 > 0.5, 0.4 > 0.1, 0.4 < 0.5
    assert auc([1, 0, 1, 0], [0.8, 0.1, 0.4, 0.5]) == 0.75


def test_a_tie_counts_half():
    assert auc([1, 0], [0.5, 0.5]) == 0.5


def test_one_class_alone_has_no_auc():
    assert np.isnan(auc([1, 1], [0.1, 0.2]))
    assert np.isnan(auc([], []))


def test_average_precision_by_hand():
    # positives at ranks 1 and 3: (1/1 + 2/3) / 2
    assert average_precision([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1]) == pytest.approx(5 / 6)
    assert np.isnan(average_precision([0, 0], [0.1, 0.2]))


@pytest.mark.parametrize("seed", range(20))
def test_both_agree_with_scikit_learn_also_with_ties(seed):
    rng = np.random.default_rng(seed)
    labels = np.append(rng.integers(0, 2, 60), [0, 1])
    scores = rng.integers(0, rng.integers(2, 100), 62) / 7
    assert auc(labels, scores) == pytest.approx(roc_auc_score(labels, scores))
    assert average_precision(labels, scores) == pytest.approx(average_precision_score(labels, scores))


def test_the_bootstrap_is_seeded_and_surrounds_the_auc():
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, 200)
    scores = labels + rng.normal(0, 1, 200)
    first, again = (auc_ci(labels, scores, 500, np.random.default_rng(7)) for _ in range(2))
    assert first == again
    low, high = first
    assert low < auc(labels, scores) < high
    # Hanley and McNeil's standard error for this AUC and these numbers is about 0.03
    assert 0.08 < high - low < 0.16


def test_a_sample_weighs_its_cases_as_often_as_they_were_drawn():
    labels, scores = np.array([1, 0, 1, 0, 0]), np.array([0.9, 0.3, 0.3, 0.5, 0.1])
    samples = auc_samples(labels, scores, 50, np.random.default_rng(2))
    rng = np.random.default_rng(2)
    for sample in samples:
        rows = rng.integers(0, 5, 5)
        assert sample == pytest.approx(auc(labels[rows], scores[rows]), nan_ok=True)


def test_groups_are_drawn_whole():
    """Patients p (right) and q (wrong): a sample has both, or one of them twice."""
    labels, scores = [1, 0, 1, 0], [0.9, 0.1, 0.2, 0.8]
    samples = auc_samples(labels, scores, 100, np.random.default_rng(0), groups=["p", "p", "q", "q"])
    assert set(samples) == {0.0, 0.75, 1.0}


@pytest.mark.parametrize(("labels", "scores"), [([1, 2], [0.1, 0.2]), ([1, 0], [0.1, np.nan]), ([1], [0.1, 0.2])])
def test_refuses_other_labels_and_scores(labels, scores):
    with pytest.raises(ValueError, match="expected"):
        auc(labels, scores)


def test_the_roc_curve_by_hand_with_a_tie():
    false_rate, true_rate = roc_curve([1, 0, 1, 0], [0.9, 0.5, 0.5, 0.1])
    assert false_rate.tolist() == [0.0, 0.0, 0.5, 1.0]
    assert true_rate.tolist() == [0.0, 0.5, 1.0, 1.0]
    assert np.trapezoid(true_rate, false_rate) == auc([1, 0, 1, 0], [0.9, 0.5, 0.5, 0.1])


def test_one_class_has_no_roc_curve():
    assert [len(axis) for axis in roc_curve([1, 1], [0.2, 0.4])] == [0, 0]
