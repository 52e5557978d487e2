"""Detections of series: never on a scan that was seen, unless it is mined."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lungpipe.candidates.mask_table import find_mask
from lungpipe.datasets.leaks import LeakError
from lungpipe.inference.detector import Detector
from lungpipe.inference.series import (
    NO_FOLD,
    detect_series,
    join_candidates,
    mine_series,
    validation_candidates,
)
from lungpipe.tables import CANDIDATES, CENTER_COLUMNS, ContractError
from lungpipe.volumes.store import open_volume


@pytest.fixture
def stores(write_store, volume):
    grid = volume.grid
    uids = ("1.1", "1.2", "1.3", "1.4")
    return {uid: write_store(uid, volume.hu, grid.spacing_zyx_mm, origin=grid.origin_zyx_mm) for uid in uids}


@pytest.fixture
def said():
    return []


@pytest.fixture
def detector(models, cpu):
    model = models.unet(tile_size_vox=48, halo_vox=8, merge_distance_mm=20.0)
    return Detector(model, model.card.part.inference, cpu)


def test_series_are_searched_in_order_and_told_about(detector, stores, said):
    unseen = {uid: stores[uid] for uid in ("1.4", "1.3")}
    table, masks = detect_series(detector, unseen, fold=2, margin_mm=2.0, on_done=said.append)
    counts = table.groupby("series_uid").size()
    assert list(table["series_uid"].unique()) == ["1.3", "1.4"]
    assert said == [f"{uid}: {counts[uid]} candidate{'' if counts[uid] == 1 else 's'}" for uid in ("1.3", "1.4")]
    assert table.equals(CANDIDATES.conform(table))
    assert set(table["fold"]) == {2}
    first = table[table["series_uid"] == "1.3"]
    assert first["candidate_id"].tolist() == [f"1.3#c{rank}" for rank in range(len(first))]
    assert first["detector_score"].is_monotonic_decreasing
    # the voxels of a lump are those of its diameter
    assert masks["candidate_id"].tolist() == table["candidate_id"].tolist()
    grid = open_volume(stores["1.3"], "1.3").grid
    for row in first.to_dict("records"):
        crop = find_mask(masks, "1.3", tuple(row[name] for name in CENTER_COLUMNS))
        assert crop.mask.sum() * grid.voxel_volume_mm3 == pytest.approx(np.pi / 6 * row["diameter_mm"] ** 3)
        inside = grid.to_index([row[name] for name in CENTER_COLUMNS]) - crop.start_zyx_vox
        assert (inside >= 0).all()
        assert (inside <= np.subtract(crop.mask.shape, 1)).all()


@pytest.mark.parametrize("seen", ["1.1", "1.2"])
def test_a_series_of_training_or_validation_is_refused_before_any_work(detector, stores, said, seen):
    planted = {uid: stores[uid] for uid in ("1.3", seen)}
    with pytest.raises(LeakError, match=f"the first {seen}"):
        detect_series(detector, planted, fold=2, margin_mm=2.0, on_done=said.append)
    assert said == []


@pytest.mark.parametrize("search", [detect_series, mine_series])
def test_the_detector_of_another_fold_is_refused(detector, said, search):
    with pytest.raises(LeakError, match="expected a model of fold 3, found a model of fold 2"):
        search(detector, {}, fold=3, margin_mm=2.0, on_done=said.append)


def test_mining_takes_the_series_that_were_learned_from_and_skips_the_rest(detector, stores, said):
    table = mine_series(detector, stores, fold=2, margin_mm=2.0, on_done=said.append)
    assert sorted(set(table["series_uid"])) == ["1.1", "1.2"]
    assert len(said) == 2


def test_a_detector_of_all_series_mines_without_a_fold(detector, stores, said):
    detector.card = replace(detector.card, fold=None)
    table = mine_series(detector, stores, fold=None, margin_mm=2.0, on_done=said.append)
    assert set(table["fold"]) == {NO_FOLD}
    assert sorted(set(table["series_uid"])) == ["1.1", "1.2"]
    with pytest.raises(LeakError, match="expected a model of fold 2, found a model without a fold"):
        mine_series(detector, stores, fold=2, margin_mm=2.0, on_done=said.append)


def test_candidates_of_several_folds_are_joined_and_refused_twice():
    rows = [(f"{uid}#c0", uid, 0.0, 0.0, 0.0, 4.0, 0.5, 2) for uid in ("1.1", "1.2", "1.3")]
    table = CANDIDATES.conform(pd.DataFrame(rows, columns=list(CANDIDATES.columns)))
    joined = join_candidates([table[:1], CANDIDATES.empty(), table[1:]])
    assert joined.equals(table)
    assert join_candidates([]).equals(CANDIDATES.empty())
    with pytest.raises(ContractError, match=r"expected one row for each .* found two"):
        join_candidates([table, table[:1]])


def test_nothing_found_is_a_valid_table(detector, write_store, said):
    lungless = write_store("1.3", np.full((8, 8, 8), -850), lungs=np.zeros((8, 8, 8)))
    table, masks = detect_series(detector, {"1.3": lungless}, fold=2, margin_mm=2.0, on_done=said.append)
    assert len(table) == len(masks) == 0
    assert table.equals(CANDIDATES.conform(table))
    assert said == ["1.3: 0 candidates"]


def test_thresholds_may_see_the_validation_series_alone(detector):
    rows = [(f"{uid}#c0", uid, 0.0, 0.0, 0.0, 4.0, 0.5, 2) for uid in ("1.1", "1.2", "1.3")]
    mined = CANDIDATES.conform(pd.DataFrame(rows, columns=list(CANDIDATES.columns)))
    chosen = validation_candidates(detector.card, mined)
    assert (chosen["series_uid"].tolist(), chosen.index.tolist()) == (["1.2"], [0])
    assert validation_candidates(detector.card, CANDIDATES.empty()).equals(CANDIDATES.empty())
