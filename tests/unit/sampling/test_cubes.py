"""Cubes: where they are cut, and what each teaches."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from lungpipe.candidates import Lumps, to_table
from lungpipe.sampling import assemble_cubes, cut_cubes
from lungpipe.sampling.cubes import TrainingTables
from lungpipe.settings import ClassifierSettings
from lungpipe.tables import CANDIDATES, CENTER_COLUMNS, EXCLUSIONS, NODULES, write_table
from lungpipe.volumes.store import AIR_HU

SETTINGS = ClassifierSettings(channels=(2,), patch_size_vox=5, max_offset_vox=1, negatives_per_scan=1)
SHAPE = (16, 18, 20)


def ramp(first=0):
    return first + np.arange(np.prod(SHAPE)).reshape(SHAPE) % 2000


def points(*rows):
    return pd.DataFrame([(uid, *center) for uid, center in rows], columns=["series_uid", *CENTER_COLUMNS])


def mined(*rows):
    """Candidates of score 0.5 at (series_uid, centre)."""
    lumps = [to_table(Lumps(np.array([c], float), np.array([4.0]), np.array([0.5])), uid, 0) for uid, c in rows]
    table = pd.concat(lumps, ignore_index=True) if lumps else CANDIDATES.empty()
    return table.assign(candidate_id=[f"c{row}" for row in range(len(table))])


def tables(nodules, exclusions, candidates, malignancy):
    labels = pd.Series(malignancy, nodules["nodule_id"], dtype=float)
    return TrainingTables(nodules, exclusions, candidates, labels)


def test_cubes_are_cut_around_world_centres_in_the_order_of_the_rows(write_store):
    stores = {
        "1.1": write_store("1.1", ramp(), (2.0, 1.0, 0.5), origin=(-10.0, 0.0, 5.0)),
        "1.2": write_store("1.2", ramp(7)),
    }
    # voxel (3, 4, 6) of the first lies at (-10 + 6, 4, 5 + 3)
    cubes = cut_cubes(stores, points(("1.2", (8, 9, 10)), ("1.1", (-4, 4, 8)), ("1.2", (0, 0, 0))), 3)
    np.testing.assert_array_equal(cubes[0], ramp(7)[7:10, 8:11, 9:12])
    np.testing.assert_array_equal(cubes[1], ramp()[2:5, 3:6, 5:8])
    np.testing.assert_array_equal(cubes[2][1:, 1:, 1:], ramp(7)[:2, :2, :2])
    assert (cubes[2][0] == AIR_HU).all()
    assert cubes.dtype == np.int16


def test_no_rows_give_no_cubes_and_a_series_without_a_store_is_an_error(write_store):
    assert cut_cubes({}, points(), 5).shape == (0, 5, 5, 5)
    with pytest.raises(KeyError, match=r"9\.9"):
        cut_cubes({"1.1": write_store("1.1", ramp())}, points(("9.9", (0, 0, 0))), 3)


@pytest.fixture
def lesson(write_store, make_nodules, make_exclusions):
    """One scan, its only lung voxel far from everything: a malignant, a benign and an unrated nodule, an exclusion."""
    lungs = np.zeros(SHAPE)
    lungs[0, 0, 0] = 1
    stores = {"1.1": write_store("1.1", ramp(), lungs=lungs)}
    nodules = make_nodules(
        ("1.1", (8, 9, 4), 4.0, "5;5"), ("1.1", (8, 9, 14), 4.0, "1;1"), ("1.1", (14, 2, 4), 4.0, None),
        ("7.7", (8, 9, 4), 4.0, "5;5"),
    )  # fmt: skip
    exclusions = make_exclusions(("1.1", (3, 3, 15), 4.0))
    # on the first nodule, on the exclusion, on nothing, and of a scan that is not asked for
    candidates = mined(("1.1", (8, 9, 5)), ("1.1", (3, 3, 14)), ("1.1", (12, 15, 10)), ("7.7", (8, 9, 4)))
    return stores, tables(nodules, exclusions, candidates, [1, 0, np.nan, 1])


def test_every_cube_has_its_label_and_excluded_findings_are_left_out(lesson):
    cubes = assemble_cubes(*lesson, SETTINGS, seed=1)
    # three nodules, a candidate on the first, one on nothing, one random lung voxel
    assert cubes.is_nodule.tolist() == [True, True, True, True, False, False]
    np.testing.assert_array_equal(cubes.malignancy, np.float32([1, 0, np.nan, 1, np.nan, np.nan]))
    middles = [(8, 9, 4), (8, 9, 14), (14, 2, 4), (8, 9, 5), (12, 15, 10), (0, 0, 0)]
    assert cubes.hu[:, 3, 3, 3].tolist() == [ramp()[middle] for middle in middles]
    assert cubes.hu.shape == (6, 7, 7, 7)
    assert len(cubes) == 6


def test_random_lung_on_a_nodule_is_a_nodule(write_store, make_nodules, make_exclusions):
    lungs = np.zeros(SHAPE)
    lungs[8, 9, 4] = 1
    stores = {"1.1": write_store("1.1", ramp(), lungs=lungs)}
    lesson = tables(make_nodules(("1.1", (8, 9, 5), 4.0, "5")), make_exclusions(), mined(), [1])
    assert assemble_cubes(stores, lesson, SETTINGS, seed=1).is_nodule.all()


def test_a_nodule_outside_the_volume_teaches_nothing(write_store, make_nodules, make_exclusions):
    stores = {"1.1": write_store("1.1", ramp())}
    lesson = tables(make_nodules(("1.1", (99, 9, 5), 4.0, "5")), make_exclusions(), mined(), [1])
    cubes = assemble_cubes(stores, lesson, SETTINGS, seed=1)
    assert cubes.is_nodule.tolist() == [False]


def test_a_scan_without_lungs_gives_what_it_has(write_store, make_nodules, make_exclusions):
    stores = {"1.1": write_store("1.1", ramp(), lungs=np.zeros(SHAPE))}
    lesson = tables(make_nodules(("1.1", (8, 9, 5), 4.0, "5")), make_exclusions(), mined(), [1])
    assert assemble_cubes(stores, lesson, SETTINGS, seed=1).is_nodule.tolist() == [True]
    nothing = assemble_cubes({}, lesson, SETTINGS, seed=1)
    assert nothing.hu.shape == (0, 7, 7, 7)


def test_the_random_cubes_of_a_scan_depend_on_seed_and_series_alone(write_store, make_nodules, make_exclusions):
    settings = SETTINGS.model_copy(update={"negatives_per_scan": 6})
    one, two = write_store("1.1", ramp()), write_store("1.2", ramp())
    lesson = tables(make_nodules(), make_exclusions(), mined(), [])
    alone = assemble_cubes({"1.2": two}, lesson, settings, seed=1)
    both = assemble_cubes({"1.1": one, "1.2": two}, lesson, settings, seed=1)
    assert np.array_equal(both.hu[6:], alone.hu)
    assert not np.array_equal(both.hu[:6], alone.hu)
    assert not np.array_equal(assemble_cubes({"1.2": two}, lesson, settings, seed=2).hu, alone.hu)


def test_tables_are_read_with_labels_by_the_rule(tmp_path, make_nodules, make_exclusions):
    nodules = make_nodules(
        ("1.1", (0, 0, 0), 4.0, "4;4;1;1"), ("1.1", (9, 0, 0), 4.0, None), ("1.2", (0, 0, 0), 4.0, "3;4")
    )
    paths = SimpleNamespace(**{name: str(tmp_path / f"{name}.parquet") for name in ("nodules", "exclusions", "mined")})
    write_table(nodules, tmp_path / "nodules.parquet", NODULES)
    write_table(make_exclusions(), tmp_path / "exclusions.parquet", EXCLUSIONS)
    write_table(mined(("1.1", (1, 2, 3))), tmp_path / "mined.parquet", CANDIDATES)
    by_mean = TrainingTables.read(paths, "mean_gt_3")
    assert by_mean.malignancy.index.tolist() == ["1.1#0", "1.1#1", "1.2#2"]
    np.testing.assert_array_equal(by_mean.malignancy, [0, np.nan, 1])
    np.testing.assert_array_equal(TrainingTables.read(paths, "at_least_two_readers_ge_4").malignancy, [1, np.nan, 0])
    assert len(by_mean.mined) == 1
