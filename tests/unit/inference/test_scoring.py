"""Scored candidates: the odds of detector and scorer, and rows that stay where they are."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from lungpipe.datasets.leaks import LeakError
from lungpipe.inference.scorer import Scorer
from lungpipe.inference.scoring import score_candidates, with_detector_odds
from lungpipe.inference.unchanged import keep_scores
from lungpipe.models.card import NODULE_DETECTOR, NODULE_INTERCEPT, NODULE_SCORER
from lungpipe.tables import CANDIDATES, SCORED


def candidates(scores, uid="1.3"):
    rows = [(f"{uid}#c{row}", uid, 5.0 + 2 * row, 6.0, 7.0, 4.0, score, 2) for row, score in enumerate(scores)]
    return CANDIDATES.conform(pd.DataFrame(rows, columns=list(CANDIDATES.columns)))


@pytest.fixture
def stores(write_store):
    rng = np.random.default_rng(1)
    return {uid: write_store(uid, rng.integers(-1000, 400, (16, 14, 12))) for uid in ("1.3", "1.4")}


@pytest.fixture
def scorer(models, cpu):
    model = models.scorer(num_views=1, patch=12)
    return Scorer(model, model.card.part.inference, cpu)


def constant(scorer, nodule, malignancy):
    """Let the scorer answer these logits, whatever it sees."""
    [member] = scorer.members
    torch.nn.init.zeros_(member.head.weight)
    member.head.bias.data = torch.tensor([nodule, malignancy])
    return scorer


@pytest.mark.parametrize(("detector", "logit"), [(0.5, 0.0), (0.8, 0.0), (0.8, 2.0), (0.1, -3.0)])
def test_the_odds_are_the_geometric_mean_of_both(scorer, stores, detector, logit):
    scored = score_candidates(constant(scorer, logit, -1.0), stores, candidates([detector]), fold=2)
    odds = np.sqrt(detector / (1 - detector) * np.exp(logit))
    assert scored["probability"][0] == pytest.approx(odds / (1 + odds), rel=1e-5)
    assert scored["malignancy"][0] == pytest.approx(1 / (1 + np.e), rel=1e-5)


def test_without_a_detector_score_the_scorer_decides_alone(scorer, stores):
    scored = score_candidates(constant(scorer, 1.0, 0.0), stores, candidates([np.nan, 0.9]), fold=2)
    assert scored["probability"][0] == pytest.approx(1 / (1 + np.exp(-1)))
    assert scored["probability"][1] > scored["probability"][0]


def test_a_recipe_may_leave_the_detectors_odds_out(models, cpu, stores):
    model = models.scorer(num_views=1, patch=12, has_detector_odds=False)
    scorer = constant(Scorer(model, model.card.part.inference, cpu), 1.0, 0.0)
    scored = score_candidates(scorer, stores, candidates([0.1, 0.9]), fold=2)
    assert scored["probability"].tolist() == pytest.approx([1 / (1 + np.exp(-1))] * 2)


def test_scores_of_0_and_1_stay_inside_0_and_1():
    combined = with_detector_odds(card_of({}), np.zeros(3), np.array([0.0, 0.5, 1.0]))
    np.testing.assert_allclose(combined, [-0.5 * np.log(1e6 - 1), 0.0, 0.5 * np.log(1e6 - 1)])


def test_the_card_says_how_much_detector_and_scorer_count():
    card = card_of({NODULE_INTERCEPT: -1.0, NODULE_DETECTOR: 2.0, NODULE_SCORER: 0.25})
    combined = with_detector_odds(card, np.array([4.0, 8.0]), np.array([0.75, np.nan]))
    np.testing.assert_allclose(combined, [-1.0 + 2.0 * np.log(3.0) + 1.0, 8.0])


def card_of(figures):
    return SimpleNamespace(figures=figures)


def test_candidates_keep_their_rows_whatever_the_order_of_series(scorer, stores):
    mixed = pd.concat([candidates([0.3, 0.6], "1.4"), candidates([0.5, 0.2], "1.3")]).iloc[[0, 2, 1, 3]]
    scored = score_candidates(scorer, stores, mixed, fold=2)
    pd.testing.assert_frame_equal(scored[list(CANDIDATES.columns)], mixed.reset_index(drop=True))
    for uid in ("1.3", "1.4"):
        own = score_candidates(scorer, stores, mixed[mixed["series_uid"] == uid], fold=2)
        together = scored[scored["series_uid"] == uid]
        np.testing.assert_allclose(own["probability"], together["probability"], atol=1e-6)
        np.testing.assert_allclose(own["malignancy"], together["malignancy"], atol=1e-6)
    assert scored["malignancy"].nunique() == 4


def test_no_candidates_give_a_valid_table(scorer):
    nothing = score_candidates(scorer, {}, CANDIDATES.empty(), fold=2)
    assert list(nothing.columns) == list(SCORED.columns)
    assert len(nothing) == 0


def test_the_scorer_of_another_fold_is_refused(scorer, stores):
    with pytest.raises(LeakError, match="expected a model of fold 0, found a model of fold 2"):
        score_candidates(scorer, stores, candidates([0.5]), fold=0)


def test_unchanged_scores_are_the_detectors_and_tell_no_malignancy():
    kept = keep_scores(candidates([0.3, 0.6]))
    assert kept["probability"].tolist() == [0.3, 0.6]
    assert kept["malignancy"].isna().all()
    assert kept.equals(SCORED.conform(kept))


def test_a_detected_candidate_outside_its_volume_is_refused_and_a_given_one_is_not(scorer, stores):
    outside = candidates([0.5, 0.5]).assign(center_y_mm=[6.0, 600.0])
    with pytest.raises(ValueError, match=r"candidate 1\.3#c1: expected a centre .* in its volume, .*found .*600\.0"):
        score_candidates(scorer, stores, outside, fold=2)
    given = outside.assign(detector_score=np.nan)
    assert len(score_candidates(constant(scorer, 0.0, 0.0), stores, given, fold=2)) == 2
