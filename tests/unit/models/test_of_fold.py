"""A fold's model is loaded, another fold's is refused with its file."""

import pytest
import torch
from ball_parts import ball_detector

from lungpipe.datasets.folds import Split
from lungpipe.datasets.leaks import LeakError
from lungpipe.models import Model, ModelCard, build_network, save_model
from lungpipe.models.of_fold import load_fold_model
from lungpipe.training.run import Outcome

SPLIT = Split(3, ("1.1", "1.2"), ("1.5",), ("1.9",))


@pytest.fixture
def path(tmp_path):
    part = ball_detector()
    torch.manual_seed(0)
    facts = {"split": SPLIT, "data_digest": "", "outcomes": [Outcome(1, 0.5)]}
    card = ModelCard.of("detector", "r", part, (1.0, 1.0, 1.0), **facts)
    save_model(tmp_path / "detector.safetensors", Model(card, (build_network(part.network),)))
    return tmp_path / "detector.safetensors"


@pytest.mark.parametrize("fold", [3, SPLIT, Split(3, ("1.1",), ("1.5",), ())])
def test_a_model_of_the_fold_is_loaded(path, fold):
    assert load_fold_model(path, "detector", fold).card.fold == 3


@pytest.mark.parametrize(
    ("fold", "expected"),
    [
        (0, "expected a model of fold 0, found a model of fold 3"),
        (Split(0, SPLIT.training_uids, SPLIT.validation_uids, ()), "expected a model of fold 0"),
        (Split(3, ("1.1", "1.3"), ("1.5",), ()), "expected the 2 training series of fold 3 of this study"),
    ],
)
def test_another_model_is_refused_with_its_file(path, fold, expected):
    with pytest.raises(LeakError, match=rf"detector\.safetensors: detector of recipe r: {expected}"):
        load_fold_model(path, "detector", fold)


def test_another_role_is_refused_with_its_file(path):
    with pytest.raises(ValueError, match=r"detector\.safetensors: .*expected a scorer, found a detector"):
        load_fold_model(path, "scorer", 3)
