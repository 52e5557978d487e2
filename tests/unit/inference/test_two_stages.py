"""Detector and scorer together: the probability of a study, by falling score, with each finding's own mask."""

from dataclasses import replace

import numpy as np
import pytest

from lungpipe.inference.detector import Detector
from lungpipe.inference.scorer import Scorer
from lungpipe.inference.two_stages import TwoStages
from lungpipe.models import Model
from lungpipe.models.card import NODULE_DETECTOR, NODULE_INTERCEPT, NODULE_SCORER


@pytest.fixture
def detector(models, cpu):
    model = models.center_net()
    return Detector(model, model.card.part.inference, cpu)


def scorer_of(models, cpu, **figures):
    model = models.scorer(num_views=1)
    model = Model(replace(model.card, figures=figures), model.members)
    return Scorer(model, model.card.part.inference, cpu)


def test_the_probability_is_that_of_both_and_falls(models, cpu, volume, detector):
    figures = {NODULE_INTERCEPT: -1.0, NODULE_DETECTOR: 0.7, NODULE_SCORER: 40.0}
    scorer = scorer_of(models, cpu, **figures)
    alone = detector.detect(volume, region="whole")
    both = TwoStages(detector, scorer).detect(volume, region="whole")
    assert len(both) == len(alone) > 3
    assert (np.diff(both.scores) <= 0).all()
    logits = -1.0 + 0.7 * np.log(alone.scores / (1 - alone.scores))
    logits += 40.0 * scorer.score(volume, alone.centers_zyx_mm, alone.diameters_mm).nodule_logits
    order = np.argsort(-logits)
    assert order.tolist() != list(range(len(order)))
    np.testing.assert_allclose(both.scores, 1 / (1 + np.exp(-logits[order])), rtol=1e-5)
    np.testing.assert_array_equal(both.centers_zyx_mm, alone.centers_zyx_mm[order])
    np.testing.assert_array_equal(both.diameters_mm, alone.diameters_mm[order])


def test_models_of_different_spacings_are_refused(models, cpu, detector):
    scorer = scorer_of(models, cpu)
    scorer.card = replace(scorer.card, spacing_zyx_mm=(2.0, 1.0, 1.0))
    with pytest.raises(ValueError, match="expected one spacing of detector and scorer"):
        TwoStages(detector, scorer)
