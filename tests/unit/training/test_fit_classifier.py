"""The classifier learns both heads, and the same thing twice."""

import numpy as np
import pytest
import torch

from lungpipe.models import Classifier
from lungpipe.sampling import Cubes
from lungpipe.settings import ClassifierSettings
from lungpipe.settings.recipe import TrainingSettings
from lungpipe.training import fit_classifier
from lungpipe.training.fit_classifier import ClassificationTask


def make_settings(num_steps, **changes):
    training = TrainingSettings(num_steps=num_steps, batch_size=12, learning_rate=1e-2, num_checks=3)
    chosen = {"channels": (6, 8), "patch_size_vox": 10, "max_offset_vox": 1, "malignancy_weight": 1.0}
    return ClassifierSettings(**{**chosen, "training": training, **changes})


def findings(seed, count=36, side=12):
    """A third are large bright balls (malignant), a third small ones (benign), a third nothing; some are unrated."""
    rng = np.random.default_rng(seed)
    hu = rng.normal(-850, 40, (count, side, side, side))
    distance = np.linalg.norm(np.stack(np.indices(hu.shape[1:]), axis=-1) - (side - 1) / 2, axis=-1)
    for row in range(count):
        if row % 3 < 2:
            hu[row][distance < (4.5 if row % 3 == 0 else 2.5)] += 800
    kind = np.arange(count) % 3
    malignancy = np.where(kind == 0, 1.0, np.where(kind == 1, 0.0, np.nan)).astype(np.float32)
    malignancy[:3] = np.nan
    return Cubes(hu.astype(np.int16), kind < 2, malignancy)


def ignore(step, metrics):
    """Listen to nothing."""


@pytest.fixture(scope="module")
def cubes():
    return findings(1), findings(2)


def test_both_heads_learn(cubes, cpu):
    _, outcome = fit_classifier(cubes, make_settings(40), cpu, seed=1, log=ignore)
    best = outcome.history[outcome.history["step"] == outcome.best_step].set_index("metric")["value"]
    assert best["validation_nodule_auc"] > 0.95
    assert best["validation_malignancy_auc"] > 0.9
    assert best["score"] == -best["validation_loss"] == outcome.best_score


def test_one_seed_gives_the_same_weights_and_another_does_not(cubes, cpu):
    one, same, other = (
        fit_classifier(cubes, make_settings(3), cpu, seed=seed, log=ignore)[0].state_dict() for seed in (5, 5, 6)
    )
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["head.weight"], other["head.weight"])


def test_what_cannot_be_learned_is_refused(cubes, cpu):
    training, validation = cubes
    nodules, none = training.is_nodule, np.zeros(0, bool)
    only_nodules = Cubes(training.hu[nodules], nodules[nodules], training.malignancy[nodules])
    without = Cubes(training.hu[~nodules], nodules[~nodules], training.malignancy[~nodules])
    empty = Cubes(training.hu[:0], none, training.malignancy[:0])
    for given, found in (
        ((only_nodules, validation), "found 24 nodules among 24, 36 for validation"),
        ((without, validation), "found 0 nodules among 12"),
        ((empty, validation), "found 0 nodules among 0"),
        ((training, empty), "24 nodules among 36, 0 for validation"),
    ):
        with pytest.raises(ValueError, match=found):
            fit_classifier(given, make_settings(1), cpu, seed=1, log=ignore)


def test_an_auc_of_one_class_alone_is_not_reported(cubes, cpu):
    training, validation = cubes
    benign = Cubes(
        validation.hu, validation.is_nodule, np.where(validation.malignancy == 1, np.nan, validation.malignancy)
    )
    task = ClassificationTask(Classifier(make_settings(1)), (training, benign), make_settings(1), cpu, seed=1)
    assert set(task.check()) == {"score", "validation_loss", "validation_nodule_auc"}


def test_batches_hold_the_share_of_nodules_and_cubes_of_the_patch_size(cubes, cpu):
    settings = make_settings(1, positive_fraction=0.25)
    seen = []

    class Listener(Classifier):
        def forward(self, patch_BCZYX):
            seen.append(patch_BCZYX)
            return super().forward(patch_BCZYX)

    task = ClassificationTask(Listener(settings), cubes, settings, cpu, seed=1)
    for _ in range(5):
        task.loss()
    # the middle of a nodule is tissue, whatever the offset
    bright = [int((batch[:, 0, 4:6, 4:6, 4:6].mean(dim=(1, 2, 3)) > 0.4).sum()) for batch in seen]
    assert bright == [3] * 5
    assert {tuple(batch.shape) for batch in seen} == {(12, 1, 10, 10, 10)}
