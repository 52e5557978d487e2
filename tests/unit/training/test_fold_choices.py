"""What the folds chose for a model of all series."""

import pytest
import torch
from ball_parts import ball_detector

from lungpipe.datasets.folds import Split
from lungpipe.models import Model, ModelCard, build_network, digest_of, save_model
from lungpipe.training.fold_choices import list_monitored, read_choices
from lungpipe.training.run import Outcome


@pytest.fixture
def write_fold(tmp_path):
    def write(fold, *best_steps, **figures):
        part = ball_detector()
        torch.manual_seed(0)
        members = tuple(build_network(part.network) for _ in best_steps)
        outcomes = [Outcome(step, 0.5) for step in best_steps]
        split = Split(fold, ("1.1",), ("1.2",), ())
        facts = {"split": split, "data_digest": "", "outcomes": outcomes, "figures": figures}
        card = ModelCard.of("detector", "r", part, (1.0, 1.0, 1.0), **facts)
        path = tmp_path / f"fold{fold}.safetensors"
        save_model(path, Model(card, members))
        return path

    return write


def test_the_step_is_the_median_over_all_members_and_one_that_was_checked(write_fold):
    paths = [write_fold(0, 100, 600), write_fold(3, 400, 600), write_fold(7, 600, 500)]
    assert read_choices(paths).step == 500
    assert read_choices([str(paths[0])]).step == 100


def test_the_calibration_is_the_mean_of_the_folds(write_fold):
    one = write_fold(0, 1, malignancy_intercept=0.5, malignancy_slope=1.0)
    two = write_fold(3, 1, malignancy_intercept=-0.1, malignancy_slope=2.0)
    expected = pytest.approx({"malignancy_intercept": 0.2, "malignancy_slope": 1.5})
    assert read_choices([one, two]).figures == expected
    assert read_choices([one, write_fold(7, 1)]).figures == {}


def test_choices_need_models_of_folds(write_fold):
    with pytest.raises(ValueError, match="final model: expected the models of the study's folds, found none"):
        read_choices([])
    with pytest.raises(ValueError, match=r"foldNone\.safetensors: expected a model of a fold, found one without"):
        read_choices([write_fold(None, 5)])


def test_two_models_of_one_fold_are_refused_by_name(write_fold, tmp_path):
    one, two = write_fold(0, 5), tmp_path / "fold3.safetensors"
    two.write_bytes(one.read_bytes())
    expected = rf"fold3\.safetensors: expected a fold of its own, found fold 0 as in {one}"
    with pytest.raises(ValueError, match=expected):
        read_choices([one, two])


def test_a_tenth_of_the_series_is_measured():
    uids = [f"1.{number}" for number in range(25)]
    measured = list_monitored(uids)
    assert len(measured) == 3
    assert measured == list_monitored(uids[::-1])
    assert measured[0] == min(uids, key=digest_of)
    assert list_monitored(["1.1"]) == ("1.1",)
