"""Small real models, and volumes with balls in them, stored and in memory."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from lungpipe.geometry import Grid, sphere_mask
from lungpipe.models import Model, ModelCard, build_network
from lungpipe.models.card import digest_of
from lungpipe.settings.recipe import (
    CenterNetSettings,
    DetectorInference,
    DetectorSampling,
    DetectorTraining,
    LumpDecoding,
    PeakDecoding,
    RatingNetSettings,
    ResNetSettings,
    ScorerInference,
    ScorerSampling,
    ScorerTraining,
    TrainedDetector,
    TrainedScorer,
    UNetSettings,
)
from lungpipe.settings.recipe.detector import CenterObjectiveSettings
from lungpipe.settings.recipe.scorer import RatingObjectiveSettings
from lungpipe.volumes.volume import MemoryVolume

GRID = Grid((36, 52, 46), (1.5, 1.0, 1.0), (-40.0, 12.0, 7.0))
BALLS = {"large": ((-13.0, 22.0, 20.0), 12.0), "small": ((-4.0, 47.0, 38.0), 7.0)}
LENGTH = {"num_steps": 4, "batch_size": 2, "learning_rate": 0.01}


def make_card(part, *, fold=2, training=("1.1",), validation=("1.2",)):
    """A card that saw the given series."""
    return ModelCard(
        role="detector" if isinstance(part, TrainedDetector) else "scorer",
        recipe="small",
        settings=part.model_dump(mode="json"),
        spacing_zyx_mm=(1.0, 1.0, 1.0),
        fold=fold,
        training_series=tuple(sorted(map(digest_of, training))),
        validation_series=tuple(sorted(map(digest_of, validation))),
        patients=(),
        data_digest="",
        best_steps=(1,),
        figures={},
    )


def build_members(network, count):
    """Networks of the settings with weights, and running statistics, that differ from layer to layer."""
    members = []
    for seed in range(count):
        torch.manual_seed(seed)
        member = build_network(network)
        for module in member.modules():
            if isinstance(module, torch.nn.BatchNorm3d):
                torch.nn.init.normal_(module.running_mean, std=0.1)
                torch.nn.init.uniform_(module.running_var, 0.5, 2.0)
                torch.nn.init.uniform_(module.weight, 0.5, 1.5)
        members.append(member.eval())
    return tuple(members)


@dataclass(frozen=True)
class Networks:
    """Makers of models, so that each test says what it is about."""

    @staticmethod
    def unet(*, num_members=1, **inference):
        network = UNetSettings(channels=(4, 6), stem_stride=2)
        part = TrainedDetector(
            network=network,
            sampling=DetectorSampling(),
            training=DetectorTraining(**LENGTH),
            inference=DetectorInference(decode=LumpDecoding(threshold=0.0181, min_voxels=1), **inference),
        )
        return Model(make_card(part), build_members(network, num_members))

    @staticmethod
    def center_net(*, num_members=1, mask_weight=0.5, **inference):
        network = CenterNetSettings(channels=(4, 6), output_stride=4)
        part = TrainedDetector(
            network=network,
            sampling=DetectorSampling(),
            training=DetectorTraining(**LENGTH, objective=CenterObjectiveSettings(mask_weight=mask_weight)),
            inference=DetectorInference(decode=PeakDecoding(threshold=0.01), **inference),
        )
        return Model(make_card(part), build_members(network, num_members))

    @staticmethod
    def scorer(*, num_members=1, patch=20, **inference):
        network = ResNetSettings(channels=(3, 4))
        part = TrainedScorer(
            network=network,
            sampling=ScorerSampling(patch_size_vox=patch),
            training=ScorerTraining(**LENGTH),
            inference=ScorerInference(**inference),
        )
        return Model(make_card(part), build_members(network, num_members))

    @staticmethod
    def rating_scorer(*, num_members=1, **inference):
        network = RatingNetSettings(channels=(3, 4))
        part = TrainedScorer(
            network=network,
            sampling=ScorerSampling(patch_size_vox=20),
            training=ScorerTraining(**LENGTH, objective=RatingObjectiveSettings()),
            inference=ScorerInference(**inference),
        )
        return Model(make_card(part), build_members(network, num_members))


@pytest.fixture
def models():
    return Networks


@pytest.fixture(scope="session")
def card_of():
    return make_card


def two_balls():
    """Lung at -850 HU with noise, a large ball at 100 HU and a small one at 200 HU."""
    hu = -850 + np.random.default_rng(0).normal(0, 60, GRID.shape_zyx)
    for (center, diameter), tissue in zip(BALLS.values(), (100, 200), strict=True):
        hu[sphere_mask(GRID, center, diameter)] = tissue
    return hu.round().astype(np.int16)


@pytest.fixture
def volume():
    return MemoryVolume("1.3", GRID, two_balls())


@pytest.fixture
def balls():
    return BALLS
