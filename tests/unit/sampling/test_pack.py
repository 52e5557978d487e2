"""Packed blocks: what lies in them, and that no scan changes another's."""

import numpy as np
import pytest

from lungpipe.geometry import Grid, Window
from lungpipe.sampling import IGNORED, NODULE, PackedPatches, pack_series, pack_subset
from lungpipe.sampling.pack import block_side, paint_target
from lungpipe.settings import SegmenterSettings
from lungpipe.volumes.store import AIR_HU, open_volume

SETTINGS = SegmenterSettings(patch_size_vox=8, max_offset_vox=3, negatives_per_scan=4, tile_overlap_vox=0)
SIDE = 14
EMPTY = np.full((20, 24, 28), -800)


def ramp(shape):
    """A volume in which every voxel says where it is."""
    return np.arange(np.prod(shape)).reshape(shape) % 3000


@pytest.fixture
def store(write_store):
    return write_store("1.1", ramp((20, 24, 28)), origin=(-5.0, 10.0, 0.0))


def test_a_block_is_a_patch_and_the_largest_offset_on_both_sides():
    assert block_side(SETTINGS) == SIDE


def test_the_block_of_a_nodule_is_centred_on_it_and_shows_the_volume(store, make_nodules, make_exclusions):
    nodules = make_nodules(("1.1", (5.0, 22.0, 14.0), 5.0, None))
    packed = pack_series(open_volume(store), nodules, make_exclusions(), SETTINGS, seed=1)
    # the centre is voxel (10, 12, 14); an even side has its middle half a voxel before or after
    starts = [(z, y, x) for z in (3, 4) for y in (5, 6) for x in (7, 8)]
    hu = ramp((20, 24, 28))
    assert any(np.array_equal(packed.hu[0], hu[z : z + SIDE, y : y + SIDE, x : x + SIDE]) for z, y, x in starts)
    middle = np.argwhere(packed.target[0] == NODULE).mean(axis=0)
    assert np.abs(middle - (SIDE - 1) / 2).max() <= 0.5
    assert packed.has_nodule.tolist() == [True, False, False, False, False]
    assert set(packed.series_uid) == {"1.1"}
    assert (packed.hu.dtype, packed.target.dtype, packed.hu.shape) == (np.int16, np.uint8, (5, SIDE, SIDE, SIDE))


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (1.25, 0.8, 0.7)])
def test_a_nodule_has_the_volume_of_its_sphere(make_nodules, make_exclusions, spacing):
    grid = Grid((40, 40, 40), spacing, (3.0, 4.0, 5.0))
    center = tuple(grid.to_world((20.3, 19.6, 20.1)))
    target = paint_target(
        grid, Window((2, 3, 1), (36, 36, 36)), make_nodules(("1.1", center, 18.0, None)), make_exclusions()
    )
    volume_mm3 = np.count_nonzero(target == NODULE) * grid.voxel_volume_mm3
    assert volume_mm3 == pytest.approx(4 / 3 * np.pi * 9.0**3, rel=0.03)
    assert set(np.unique(target)) == {0, NODULE}


def test_excluded_findings_are_ignored_but_not_where_a_nodule_lies(make_nodules, make_exclusions):
    grid, window = Grid((20, 20, 40)), Window((0, 0, 0), (20, 20, 40))
    nodules = make_nodules(("1.1", (10, 10, 12), 10.0, None))
    target = paint_target(
        grid, window, nodules, make_exclusions(("1.1", (10, 10, 16), 10.0), ("1.1", (10, 10, 32), -1.0))
    )
    assert target[10, 10, 12] == target[10, 10, 15] == NODULE
    assert target[10, 10, 19] == target[10, 10, 36] == IGNORED
    assert target[10, 10, 25] == target[10, 10, 38] == 0


def test_findings_of_other_series_are_not_painted(store, make_nodules, make_exclusions):
    there = (5.0, 22.0, 14.0)
    packed = pack_series(
        open_volume(store),
        make_nodules(("9.9", there, 30.0, None)),
        make_exclusions(("9.9", there, 30.0)),
        SETTINGS,
        seed=1,
    )
    assert not packed.has_nodule.any()
    assert not packed.target.any()


def test_a_nodule_that_is_near_is_painted_into_blocks_of_lung_too(write_store, make_nodules, make_exclusions):
    lungs = np.zeros(EMPTY.shape)
    lungs[10, 12, 14] = 1
    volume = open_volume(write_store("1.1", EMPTY, lungs=lungs))
    packed = pack_series(volume, make_nodules(("1.1", (10, 12, 18), 4.0, None)), make_exclusions(), SETTINGS, seed=1)
    assert (packed.target[1:] == NODULE).any(axis=(1, 2, 3)).all()
    assert packed.has_nodule.tolist() == [True] + [False] * 4


def test_a_nodule_outside_the_volume_gets_no_block_of_air(store, make_nodules, make_exclusions):
    nodules = make_nodules(("1.1", (100.0, 22.0, 14.0), 5.0, None), ("1.1", (5.0, 22.0, 14.0), 5.0, None))
    packed = pack_series(open_volume(store), nodules, make_exclusions(), SETTINGS, seed=1)
    assert packed.has_nodule.tolist() == [True] + [False] * 4
    assert (packed.target[0] == NODULE).any()


def test_beyond_the_volume_there_is_air(store, make_nodules, make_exclusions):
    packed = pack_series(
        open_volume(store), make_nodules(("1.1", (-5, 10, 0), 4.0, None)), make_exclusions(), SETTINGS, seed=1
    )
    assert (packed.hu[0][:6] == AIR_HU).all()
    assert packed.hu[0][-1, -1, -1] > AIR_HU


def test_a_scan_without_lungs_and_nodules_has_no_blocks(write_store, make_nodules, make_exclusions):
    store = write_store("1.1", EMPTY, lungs=np.zeros(EMPTY.shape))
    packed = pack_subset({"1.1": store}, make_nodules(), make_exclusions(), SETTINGS, seed=1)
    assert (len(packed), packed.hu.shape) == (0, (0, SIDE, SIDE, SIDE))
    assert len(pack_subset({}, make_nodules(), make_exclusions(), SETTINGS, seed=1)) == 0


def test_a_changed_scan_changes_no_other_scans_blocks(write_store, make_nodules, make_exclusions, tmp_path):
    nodules = make_nodules(("1.2", (10, 12, 14), 5.0, None))
    stores = {uid: write_store(uid, ramp(EMPTY.shape) + number) for number, uid in enumerate(("1.3", "1.1", "1.2"))}
    before = pack_subset(stores, nodules, make_exclusions(), SETTINGS, seed=1)
    assert list(dict.fromkeys(before.series_uid)) == ["1.1", "1.2", "1.3"]
    write_store("1.1", EMPTY)
    more = make_nodules(("1.2", (10, 12, 14), 5.0, None), ("1.1", (8, 8, 8), 5.0, None))
    after = pack_subset(stores, more, make_exclusions(), SETTINGS, seed=1)
    for uid in ("1.2", "1.3"):
        ours, theirs = before.only([uid]), after.only([uid])
        assert (ours.hu.tobytes(), ours.target.tobytes()) == (theirs.hu.tobytes(), theirs.target.tobytes())
    assert len(after.only(["1.1"])) == len(before.only(["1.1"])) + 1


def test_the_seed_moves_the_random_blocks_alone(store, make_nodules, make_exclusions):
    nodules = make_nodules(("1.1", (5.0, 22.0, 14.0), 5.0, None))
    one, same, two = (pack_subset({"1.1": store}, nodules, make_exclusions(), SETTINGS, seed=s) for s in (1, 1, 2))
    assert one.hu.tobytes() == same.hu.tobytes()
    assert np.array_equal(one.hu[0], two.hu[0])
    assert not np.array_equal(one.hu[1:], two.hu[1:])


def test_equal_scans_are_looked_at_in_different_places(write_store, make_nodules, make_exclusions):
    stores = {uid: write_store(uid, ramp(EMPTY.shape)) for uid in ("1.1", "1.2")}
    packed = pack_subset(stores, make_nodules(), make_exclusions(), SETTINGS, seed=1)
    assert not np.array_equal(packed.only(["1.1"]).hu, packed.only(["1.2"]).hu)


def test_packs_are_written_whole_and_byte_equal(store, make_nodules, make_exclusions, tmp_path):
    packed = pack_subset({"1.1": store}, make_nodules(), make_exclusions(), SETTINGS, seed=1)
    for name in ("one.npz", "two.npz"):
        packed.save(tmp_path / name)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    loaded = PackedPatches.load(tmp_path / "one.npz")
    for name in ("hu", "target", "has_nodule", "series_uid"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(packed, name))
        assert getattr(loaded, name).dtype == getattr(packed, name).dtype


def test_joining_and_choosing_keep_the_columns_together():
    parts = [
        PackedPatches(
            np.full((2, 3, 3, 3), n, np.int16),
            np.full((2, 3, 3, 3), n, np.uint8),
            np.array([True, False]),
            np.array([uid] * 2),
        )
        for n, uid in ((1, "1.1"), (2, "1.22"))
    ]
    joined = PackedPatches.join([PackedPatches.empty(3), *parts])
    chosen = joined.only(["1.22", "absent"])
    assert (len(joined), len(chosen), len(joined.only([]))) == (4, 2, 0)
    assert (set(chosen.hu.flat), set(chosen.target.flat), chosen.has_nodule.tolist()) == ({2}, {2}, [True, False])
