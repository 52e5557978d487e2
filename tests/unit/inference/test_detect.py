"""Detection: from a volume with two balls to two candidates, and never on a scan that was seen."""

import numpy as np
import pytest
import torch

from lungpipe.datasets.leaks import LeakError
from lungpipe.geometry import Grid, sphere_mask
from lungpipe.inference import detect_series
from lungpipe.inference.detect import DetectionSettings, detect_volume, mine_series
from lungpipe.models import ModelCard
from lungpipe.settings import CandidateSettings, ComputeSettings, SegmenterSettings
from lungpipe.tables import CANDIDATES
from lungpipe.volumes.store import open_volume

GRID = Grid((20, 32, 30), (1.5, 1.0, 1.0), (-40.0, 12.0, 7.0))
BALLS = {"large": ((-25.0, 22.0, 15.0), 10.0), "small": ((-20.0, 37.0, 30.0), 6.0)}
SETTINGS = DetectionSettings(
    SegmenterSettings(tile_size_vox=16, tile_overlap_vox=4),
    CandidateSettings(threshold=0.5, min_voxels=4, merge_distance_mm=3.0),
    ComputeSettings(device="cpu"),
    2.0,
)
CARD = ModelCard("segmenter", {}, 2, ("1.1",), ("1.2",), "", 1)


class Bright(torch.nn.Module):
    """Takes what is brighter than the middle of the window for nodule."""

    total_stride = 1

    def forward(self, patch_BCZYX):
        return 10 * (patch_BCZYX - 0.5)


def two_balls(tissue=100):
    hu = np.full(GRID.shape_zyx, -850, np.int16)
    for center, diameter in BALLS.values():
        hu[sphere_mask(GRID, center, diameter)] = tissue
    hu[sphere_mask(GRID, BALLS["small"][0], 3.0)] = tissue + 100
    return hu


@pytest.fixture
def stores(write_store):
    return {
        uid: write_store(uid, two_balls(), GRID.spacing_zyx_mm, origin=GRID.origin_zyx_mm)
        for uid in ("1.1", "1.2", "1.3", "1.4")
    }


@pytest.fixture
def said():
    return []


def test_balls_are_found_where_they_are_the_surest_first(stores, cpu):
    table = detect_volume(Bright(), open_volume(stores["1.3"]), SETTINGS, cpu, fold=2)
    centers = table[["center_z_mm", "center_y_mm", "center_x_mm"]].to_numpy()
    assert np.abs(centers - [BALLS["small"][0], BALLS["large"][0]]).max() < 0.5
    assert table["diameter_mm"].tolist() == pytest.approx([6.0, 10.0], rel=0.08)
    assert table["segmenter_score"].is_monotonic_decreasing
    assert table["candidate_id"].tolist() == ["1.3#c0", "1.3#c1"]
    assert set(table["fold"]) == {2}


def test_only_what_lies_in_or_near_the_lungs_is_found(write_store, cpu):
    lungs = np.zeros(GRID.shape_zyx)
    lungs[:, :20] = 1  # y up to 31 mm: the small ball at 37 mm is beyond the margin
    store = write_store("1.3", two_balls(), GRID.spacing_zyx_mm, origin=GRID.origin_zyx_mm, lungs=lungs)
    assert detect_volume(Bright(), open_volume(store), SETTINGS, cpu, fold=2)["center_y_mm"].round().tolist() == [22]


def test_series_are_detected_in_order_and_heard_of(stores, cpu, said):
    unseen = {uid: stores[uid] for uid in ("1.4", "1.3")}
    table = detect_series(Bright(), CARD, unseen, SETTINGS, hardware=cpu, on_done=said.append)
    assert table["series_uid"].tolist() == ["1.3", "1.3", "1.4", "1.4"]
    assert said == ["1.3: 2 candidates", "1.4: 2 candidates"]
    assert table.equals(CANDIDATES.conform(table))


@pytest.mark.parametrize("seen", ["1.1", "1.2"])
def test_a_series_of_training_or_validation_is_refused_before_any_work(stores, cpu, said, seen):
    planted = {uid: stores[uid] for uid in ("1.3", seen)}
    with pytest.raises(LeakError, match=f"the first {seen}"):
        detect_series(Bright(), CARD, planted, SETTINGS, hardware=cpu, on_done=said.append)
    assert said == []


def test_mining_takes_the_series_that_were_learned_from_and_passes_over_the_rest(stores, cpu, said):
    table = mine_series(Bright(), CARD, stores, SETTINGS, hardware=cpu, on_done=said.append)
    assert sorted(set(table["series_uid"])) == ["1.1", "1.2"]
    assert len(said) == 2


def test_nothing_found_is_a_valid_table(write_store, cpu, said):
    store = write_store("1.3", np.full((8, 8, 8), -850))
    table = detect_series(Bright(), CARD, {"1.3": store}, SETTINGS, hardware=cpu, on_done=said.append)
    assert len(table) == 0
    assert table.equals(CANDIDATES.conform(table))
    assert said == ["1.3: 0 candidates"]


def test_the_network_is_put_into_its_inference_mode(stores, cpu, said):
    network = Bright().train()
    detect_series(network, CARD, {"1.3": stores["1.3"]}, SETTINGS, hardware=cpu, on_done=said.append)
    assert not network.training


def test_settings_are_those_of_the_study():
    sections = {
        "segmenter": {"tile_size_vox": 16, "tile_overlap_vox": 4},
        "candidates": {"threshold": 0.5, "merge_distance_mm": 3.0},
        "compute": {"device": "cpu"},
    }
    assert DetectionSettings.of(sections, 2.0) == SETTINGS
