"""Points: where training looks, and what each point teaches."""

import numpy as np
import pandas as pd
import pytest

from lungpipe.sampling.points import ScorerTables, detector_points, random_voxels, scorer_points
from lungpipe.settings.recipe import DetectorSampling, ScorerSampling
from lungpipe.tables import CANDIDATES, CENTER_COLUMNS, POINTS

SHAPE = (16, 18, 20)
HU = np.full(SHAPE, -800)
DETECTOR = DetectorSampling(lung_points_per_scan=1)
SCORER = ScorerSampling(lung_points_per_scan=1)


def mined(*rows):
    """Candidates of 4 mm at (series_uid, centre)."""
    table = pd.DataFrame([(uid, *center) for uid, center in rows], columns=["series_uid", *CENTER_COLUMNS])
    table = table.assign(
        candidate_id=[f"c{row}" for row in range(len(table))], diameter_mm=4.0, detector_score=0.5, fold=0
    )
    return CANDIDATES.conform(table) if rows else CANDIDATES.empty()


def only_voxel(z, y, x):
    lungs = np.zeros(SHAPE)
    lungs[z, y, x] = 1
    return lungs


def centers(points):
    return [tuple(row) for row in points[list(CENTER_COLUMNS)].to_numpy()]


@pytest.fixture
def lesson(write_store, make_nodules, make_exclusions):
    """One scan, its only lung voxel far from everything: a malignant, a benign and an unrated nodule, an exclusion."""
    volumes = {"1.1": write_store("1.1", HU, lungs=only_voxel(0, 0, 0))}
    nodules = make_nodules(
        ("1.1", (8, 9, 4), 4.0, "5;5"), ("1.1", (8, 9, 14), 6.0, "1;1"), ("1.1", (14, 2, 4), 5.0, None),
        ("7.7", (8, 9, 4), 4.0, "5;5"),
    )  # fmt: skip
    exclusions = make_exclusions(("1.1", (3, 3, 15), 4.0))
    # on the first nodule, on the exclusion, on nothing, and of a scan that is not asked for
    candidates = mined(("1.1", (8, 9, 5)), ("1.1", (3, 3, 14)), ("1.1", (12, 15, 10)), ("7.7", (8, 9, 4)))
    malignancy = pd.Series([1, 0, np.nan, 1], nodules["nodule_id"], dtype=float)
    return volumes, ScorerTables(nodules, exclusions, candidates, malignancy)


def test_every_point_of_a_scorer_has_its_labels_and_excluded_findings_are_left_out(lesson):
    points = scorer_points(*lesson, SCORER, seed=1)
    assert POINTS.conform(points).equals(points)
    assert centers(points) == [(8, 9, 4), (8, 9, 14), (14, 2, 4), (8, 9, 5), (12, 15, 10), (0, 0, 0)]
    assert points["kind"].tolist() == ["nodule", "nodule", "nodule", "candidate", "candidate", "lung"]
    assert points["is_nodule"].tolist() == [1, 1, 1, 1, 0, 0]
    np.testing.assert_array_equal(points["malignancy"], [1, 0, np.nan, 1, np.nan, np.nan])
    # of the nodule that the point lies in, not as the detector measured it
    np.testing.assert_array_equal(points["diameter_mm"], [4, 6, 5, 4, np.nan, np.nan])
    assert points["nodule_id"].fillna("").tolist() == ["1.1#0", "1.1#1", "1.1#2", "1.1#0", "", ""]
    assert set(points["series_uid"]) == {"1.1"}
    assert points["weight"].tolist() == [1.0] * 6


def test_a_detector_learns_from_nodules_and_lung_without_knowing_malignancy(lesson):
    volumes, tables = lesson
    points = detector_points(volumes, tables.nodules, tables.exclusions, DETECTOR, seed=1)
    assert POINTS.conform(points).equals(points)
    assert centers(points) == [(8, 9, 4), (8, 9, 14), (14, 2, 4), (0, 0, 0)]
    assert points["kind"].tolist() == ["nodule"] * 3 + ["lung"]
    assert points["is_nodule"].tolist() == [1, 1, 1, 0]
    assert points["malignancy"].isna().all()


def test_random_lung_in_a_nodule_is_a_nodule_and_on_an_exclusion_unknown(write_store, make_nodules, make_exclusions):
    volumes = {
        "1.1": write_store("1.1", HU, lungs=only_voxel(8, 9, 4)),
        "1.2": write_store("1.2", HU, lungs=only_voxel(3, 3, 3)),
    }
    nodules, exclusions = make_nodules(("1.1", (8, 9, 5), 4.0, "5")), make_exclusions(("1.2", (3, 3, 4), 4.0))
    points = detector_points(volumes, nodules, exclusions, DETECTOR, seed=1)
    assert points["kind"].tolist() == ["nodule", "lung", "lung"]
    np.testing.assert_array_equal(points["is_nodule"], [1, 1, np.nan])
    np.testing.assert_array_equal(points["diameter_mm"], [4, 4, np.nan])
    tables = ScorerTables(nodules, exclusions, mined(), pd.Series([1.0], nodules["nodule_id"]))
    assert scorer_points(volumes, tables, SCORER, seed=1)["is_nodule"].tolist() == [1, 1]


def test_a_nodule_outside_the_volume_is_no_point(write_store, make_nodules, make_exclusions):
    volumes = {"1.1": write_store("1.1", HU)}
    points = detector_points(volumes, make_nodules(("1.1", (99, 9, 5), 4.0, "5")), make_exclusions(), DETECTOR, seed=1)
    assert points["kind"].tolist() == ["lung"]


def test_lung_points_are_world_positions_of_lung_voxels(write_store, make_nodules, make_exclusions):
    store = write_store("1.1", HU, (2.0, 1.0, 0.5), origin=(-10.0, 3.0, 5.0), lungs=only_voxel(3, 4, 6))
    points = detector_points({"1.1": store}, make_nodules(), make_exclusions(), DETECTOR, seed=1)
    assert centers(points) == [(-4.0, 7.0, 8.0)]


def test_scans_without_lungs_and_no_scans_give_what_they_have(write_store, make_nodules, make_exclusions):
    volumes = {"1.1": write_store("1.1", HU, lungs=np.zeros(SHAPE))}
    nodules = make_nodules(("1.1", (8, 9, 5), 4.0, "5"))
    assert detector_points(volumes, nodules, make_exclusions(), DETECTOR, seed=1)["kind"].tolist() == ["nodule"]
    nothing = detector_points({}, nodules, make_exclusions(), DETECTOR, seed=1)
    assert len(POINTS.conform(nothing)) == 0


def test_the_lung_points_of_a_scan_depend_on_seed_and_series_alone(write_store, make_nodules, make_exclusions):
    one, two = write_store("1.1", HU), write_store("1.2", HU)
    sampling = DetectorSampling(lung_points_per_scan=6)

    def look(volumes, seed=1):
        return centers(detector_points(volumes, make_nodules(), make_exclusions(), sampling, seed=seed))

    assert look({"1.1": one, "1.2": two})[6:] == look({"1.2": two})
    assert look({"1.1": one}) == look({"1.1": one})
    assert look({"1.1": one}) != look({"1.2": two})
    assert look({"1.1": one}) != look({"1.1": one}, seed=2)


def test_random_voxels_are_drawn_evenly_from_the_mask_alone():
    mask = np.zeros((4, 3, 5), np.uint8)
    members = [(0, 2, 4), (1, 0, 0), (1, 0, 3), (1, 2, 1), (3, 1, 2)]
    for member in members:
        mask[member] = 2
    drawn, counts = np.unique(random_voxels(mask, 5000, np.random.default_rng(0)), axis=0, return_counts=True)
    assert [tuple(voxel) for voxel in drawn.tolist()] == members
    assert counts.min() > 900
    assert counts.max() < 1100


def test_an_empty_mask_has_no_voxels():
    assert random_voxels(np.zeros((2, 2, 2), np.uint8), 5, np.random.default_rng(0)).shape == (0, 3)


def test_whole_scans_beside_crops_get_as_many_points_per_litre_as_the_crops(write_store, make_nodules, make_exclusions):
    lungs = np.zeros(SHAPE)
    lungs[:, :, 2:] = 1
    small, whole = write_store("1.1", HU[:8]), write_store("1.2", HU, lungs=lungs)
    sampling = DetectorSampling(lung_points_per_scan=10)

    def look(volumes):
        return detector_points(volumes, make_nodules(), make_exclusions(), sampling, seed=1)

    points = look({"1.1": small, "1.2": whole})
    counts = points.groupby("series_uid").size().to_dict()
    # 16 x 18 x 18 voxels of lung against 8 x 18 x 20 of a crop
    assert counts == {"1.1": 10, "1.2": 18}
    assert points.groupby("series_uid")["is_crop"].first().to_dict() == {"1.1": True, "1.2": False}
    # the first ten are those that the scan has alone
    alone = look({"1.2": whole})
    assert len(alone) == 10
    assert centers(points)[10:20] == centers(alone)
    assert all(center[2] >= 2 for center in centers(points)[10:])
