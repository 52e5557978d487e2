"""Scores: the mean of views, the mean of segmenter and classifier."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
import torch

from lungpipe.inference import score_candidates
from lungpipe.inference.score import BATCH, classify, validation_candidates
from lungpipe.models import Classifier, ModelCard
from lungpipe.settings import ClassifierSettings
from lungpipe.tables import CANDIDATES, SCORED
from lungpipe.volumes.hounsfield import scale_intensity

SETTINGS = ClassifierSettings(channels=(3, 4), patch_size_vox=12)


@pytest.fixture
def network():
    torch.manual_seed(0)
    return Classifier(SETTINGS).eval()


def cubes(count=3):
    return np.random.default_rng(0).integers(-1000, 400, (count, 6, 6, 6)).astype(np.int16)


def with_views(views):
    return SETTINGS.model_copy(update={"num_augmented_views": views})


def plain_logits(network, hu):
    scaled = torch.from_numpy(scale_intensity(hu, SETTINGS.window_hu, "zero_one"))[:, None]
    with torch.inference_mode():
        return network(scaled).numpy()


def test_one_view_is_the_cube_itself(network, cpu):
    np.testing.assert_allclose(
        classify(network, cubes(), with_views(1), cpu), plain_logits(network, cubes()), atol=1e-6
    )


def test_eight_views_are_the_mean_over_all_flips(network, cpu):
    axes = [[axis + 1 for axis in range(3) if flips[axis]] for flips in product((0, 1), repeat=3)]
    expected = np.mean([plain_logits(network, np.flip(cubes(), flipped).copy()) for flipped in axes], axis=0)
    found = classify(network, cubes(), with_views(8), cpu)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert np.abs(found - plain_logits(network, cubes())).max() > 1e-4


def test_a_cube_and_its_mirror_image_score_the_same_with_all_views_only(network, cpu):
    mirrored = cubes()[:, :, ::-1].copy()
    np.testing.assert_allclose(
        classify(network, mirrored, with_views(8), cpu), classify(network, cubes(), with_views(8), cpu), atol=1e-6
    )
    one, other = (classify(network, hu, with_views(1), cpu) for hu in (cubes(), mirrored))
    assert np.abs(one - other).max() > 1e-5


def test_more_cubes_than_a_batch_keep_their_order(network, cpu):
    many = cubes(BATCH + 5)
    np.testing.assert_allclose(classify(network, many, with_views(1), cpu), plain_logits(network, many), atol=1e-6)
    assert classify(network, many[:0], SETTINGS, cpu).shape == (0, 2)


def candidates(scores, uid="1.1"):
    rows = [(f"{uid}#c{row}", uid, 5.0, 6.0, 7.0, 4.0, score, 0) for row, score in enumerate(scores)]
    return CANDIDATES.conform(pd.DataFrame(rows, columns=list(CANDIDATES.columns)))


@pytest.fixture
def stores(write_store):
    return {"1.1": write_store("1.1", np.random.default_rng(1).integers(-1000, 400, (12, 12, 12)))}


def test_the_probability_rises_with_the_segmenters_score_and_stays_inside_0_and_1(network, stores, cpu):
    scored = score_candidates(network, stores, candidates([0.0, 0.2, 0.5, 0.9, 1.0]), SETTINGS, hardware=cpu)
    assert (scored["probability"].diff()[1:] > 0).all()
    assert scored["probability"].between(0, 1, inclusive="neither").all()
    # the same cube five times: what the segmenter thinks says nothing about malignancy
    assert scored["malignancy"].nunique() == 1


@pytest.mark.parametrize(("segmenter", "logit"), [(0.5, 0.0), (0.8, 0.0), (0.8, 2.0), (0.1, -3.0)])
def test_the_odds_are_the_geometric_mean_of_both(network, stores, cpu, segmenter, logit):
    torch.nn.init.zeros_(network.head.weight)
    network.head.bias.data = torch.tensor([logit, -1.0])
    scored = score_candidates(network, stores, candidates([segmenter]), SETTINGS, hardware=cpu)
    odds = np.sqrt(segmenter / (1 - segmenter) * np.exp(logit))
    assert scored["probability"][0] == pytest.approx(odds / (1 + odds), rel=1e-5)
    assert scored["malignancy"][0] == pytest.approx(1 / (1 + np.e), rel=1e-5)


def test_candidates_keep_their_rows_and_none_stay_none(network, stores, cpu):
    given = candidates([0.3, 0.6])
    scored = score_candidates(network, stores, given, SETTINGS, hardware=cpu)
    pd.testing.assert_frame_equal(scored[list(CANDIDATES.columns)], given)
    nothing = score_candidates(network, {}, CANDIDATES.empty(), SETTINGS, hardware=cpu)
    assert list(nothing.columns) == list(SCORED.columns)
    assert len(nothing) == 0


def test_dropout_is_off_whatever_mode_the_network_comes_in(network, stores, cpu):
    one, two = (
        score_candidates(network.train(), stores, candidates([0.5]), SETTINGS, hardware=cpu)["probability"][0]
        for _ in range(2)
    )
    assert one == two


def test_thresholds_may_see_the_validation_series_alone():
    mined = pd.concat([candidates([0.5], uid) for uid in ("1.1", "1.2", "1.3")], ignore_index=True)
    card = ModelCard("classifier", {}, 0, ("1.1",), ("1.2",), "", 1)
    chosen = validation_candidates(card, mined)
    assert (chosen["series_uid"].tolist(), chosen.index.tolist()) == (["1.2"], [0])
