"""The feed: which windows a step gets, that they show the volume, and that threads change nothing."""

import threading
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from lungpipe.sampling.batch import NODULE
from lungpipe.sampling.feed import Feed
from lungpipe.sampling.plan import FeedPlan
from lungpipe.sampling.points import detector_points
from lungpipe.sampling.targets import paint_masks
from lungpipe.settings.recipe import AugmentationSettings, DetectorSampling
from lungpipe.tables import CENTER_COLUMNS, POINTS
from lungpipe.volumes.store import VolumeError

SHAPE = (30, 32, 34)
PLAN = FeedPlan(
    patch_size_vox=8, batch_size=10, seed=5, max_offset_vox=3, margin_vox=1, augmentation=AugmentationSettings(zoom=0.1)
)


def ramp(first=0):
    """A volume in which a voxel's HU says where it is."""
    return (first + np.arange(np.prod(SHAPE)).reshape(SHAPE)) % 30_000


def points(*rows):
    """POINTS from (series_uid, centre, is_nodule, diameter)."""
    table = pd.DataFrame([(uid, *center) for uid, center, *_ in rows], columns=["series_uid", *CENTER_COLUMNS])
    return POINTS.conform(
        table.assign(
            kind=["nodule" if row[2] == 1 else "lung" for row in rows],
            diameter_mm=[row[3] for row in rows],
            is_nodule=[row[2] for row in rows],
            weight=[1.0 + row for row in range(len(rows))],
        ).assign(nodule_id=None, malignancy=np.nan, is_crop=False)
    )


@pytest.fixture
def volumes(write_store):
    return {
        "1.1": write_store("1.1", ramp(), origin=(-5.0, 10.0, 0.0)),
        "1.2": write_store("1.2", ramp(7), origin=(0.0, 0.0, 0.0)),
    }


@pytest.fixture
def findings(make_nodules, make_exclusions):
    return make_nodules(("1.1", (10, 25, 16), 6.0, None)), make_exclusions(("1.2", (12, 14, 18), 5.0))


FURTHER = {"ratings": np.arange(12, dtype=np.float32).reshape(3, 2, 2)}
POINT_ROWS = (("1.1", (10, 25, 16), 1.0, 6.0), ("1.2", (15, 16, 17), 0.0, np.nan), ("1.2", (2, 3, 31), np.nan, np.nan))


@pytest.fixture
def feed(volumes, findings):
    feed = Feed(points(*POINT_ROWS), volumes, findings, PLAN, labels=FURTHER)
    yield feed
    feed.close()


def same(one, two):
    tensors = [(one.hu_BZYX, two.hu_BZYX), (one.findings_BK5, two.findings_BK5), (one.weight_B, two.weight_B)]
    tensors += [(one.labels[name], two.labels[name]) for name in two.labels]
    tensors += [(one.draws[name], two.draws[name]) for name in two.draws]
    equal = all(torch.equal(a.nan_to_num(-1), b.nan_to_num(-1)) for a, b in tensors)
    return equal and one.rows.tolist() == two.rows.tolist() and one.series == two.series


def test_a_window_shows_its_volume_around_its_point(feed):
    hu = {"1.1": ramp(), "1.2": ramp(7)}
    middles = {0: (15, 15, 16), 1: (15, 16, 17), 2: (2, 3, 31)}
    seen = {row: set() for row in middles}
    for step in range(60):
        batch = feed.batch(step)
        assert batch.hu_BZYX.shape == (10, 10, 10, 10)
        for row, uid, window in zip(batch.rows, batch.series, batch.hu_BZYX.numpy(), strict=True):
            assert uid == ("1.1" if row == 0 else "1.2")
            # this voxel of every window lies inside its volume
            z, y, x = np.argwhere(hu[uid] == window[6, 6, 2])[0] - (6, 6, 2)
            padded = np.pad(hu[uid], 10, mode="edge")
            np.testing.assert_array_equal(window, padded[z + 10 : z + 20, y + 10 : y + 20, x + 10 : x + 20])
            seen[int(row)].add((z, y, x))
    # blocks of 16 voxels around the point (an even side has its middle half a voxel away), 7 places along each axis
    for row, places in seen.items():
        first = np.round(np.array(middles[row]) - 7.5).astype(int)
        for axis in range(3):
            assert {int(place[axis]) for place in places} == {int(first[axis]) + i for i in range(7)}


def test_findings_lie_where_the_window_shows_them(volumes, make_nodules, make_exclusions, write_store):
    # the volume itself holds the painted nodule: what is painted from the findings must cover the same voxels
    z, y, x = np.indices(SHAPE)
    sphere = (z - 14.25) ** 2 + (y - 15.5) ** 2 + (x - 16.75) ** 2 < 3.0**2
    store = write_store("1.5", np.where(sphere, 100, -800), origin=(3.0, -4.0, 8.0))
    findings = make_nodules(("1.5", (17.25, 11.5, 24.75), 6.0, None)), make_exclusions()
    feed = Feed(points(("1.5", (17.25, 11.5, 24.75), 1.0, 6.0)), {"1.5": store}, findings, replace(PLAN, rest="all"))
    for step in range(5):
        batch = feed.batch(step)
        painted = paint_masks(batch.findings_BK5, (10, 10, 10), batch.spacing_zyx_mm)
        assert torch.equal(painted == NODULE, batch.hu_BZYX == 100)
        assert (painted == NODULE).any()
    feed.close()


def test_labels_weights_and_draws_belong_to_their_windows(feed):
    batch = feed.batch(2)
    expected = {0: (1.0, 1.0), 1: (0.0, 2.0), 2: (np.nan, 3.0)}
    for place, row in enumerate(batch.rows):
        assert batch.weight_B[place] == expected[int(row)][1]
        np.testing.assert_equal(float(batch.labels["is_nodule"][place]), expected[int(row)][0])
    assert torch.isnan(batch.labels["malignancy"]).all()
    assert torch.equal(batch.labels["ratings"][:, 0, 0], torch.from_numpy(4.0 * batch.rows).float())
    assert batch.draws["symmetry"].shape == (10, 3, 3)
    assert sorted(batch.draws) == ["hu_scale", "hu_shift", "symmetry", "zoom"]
    assert len({float(value) for value in batch.draws["zoom"]}) == 10
    assert batch.spacing_zyx_mm == (1.0, 1.0, 1.0)


def test_a_step_is_the_same_whatever_was_drawn_before(volumes, findings, feed):
    expected = [feed.batch(step) for step in range(4)]
    other = Feed(points(*POINT_ROWS), volumes, findings, PLAN, labels=FURTHER)
    assert all(same(other.batch(step), expected[step]) for step in (3, 1, 0, 2, 3))
    assert not same(expected[0], expected[1])
    changed = Feed(points(*POINT_ROWS), volumes, findings, replace(PLAN, seed=6), labels=FURTHER)
    assert not same(changed.batch(0), expected[0])
    for opened in (other, changed):
        opened.close()


@pytest.mark.parametrize("world_size", [2, 3])
def test_processes_share_the_global_batch(volumes, findings, feed, world_size):
    whole = feed.batch(4)
    for rank in range(world_size):
        part = Feed(points(*POINT_ROWS), volumes, findings, replace(PLAN, rank=rank, world_size=world_size))
        batch = part.batch(4)
        own = slice(rank, None, world_size)
        assert batch.rows.tolist() == whole.rows[own].tolist()
        assert torch.equal(batch.hu_BZYX, whole.hu_BZYX[own])
        assert all(torch.equal(batch.draws[name], whole.draws[name][own]) for name in whole.draws)
        part.close()


def counts(feed, steps=200):
    rows = np.concatenate([feed.batch(step).rows for step in range(steps)])
    return np.bincount(rows, minlength=len(feed)) / len(rows)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        # 60 % of 10 windows from the nodules, in proportion 1 : 2 for 8 and 4 mm; the rest from all four points
        ({"nodule_fraction": 0.6, "small_nodule_power": 1.0}, [0.2 + 0.1, 0.4 + 0.1, 0.1, 0.1]),
        ({"nodule_fraction": 0.6, "small_nodule_power": 0.0}, [0.3 + 0.1, 0.3 + 0.1, 0.1, 0.1]),
        ({"nodule_fraction": 0.5, "rest": "others"}, [0.25, 0.25, 0.25, 0.25]),
        ({"nodule_fraction": 1.0, "small_nodule_power": 2.0}, [0.2, 0.8, 0.0, 0.0]),
        ({"nodule_fraction": 0.0, "rest": "others"}, [0.0, 0.0, 0.5, 0.5]),
    ],
)
def test_points_are_drawn_by_their_shares(volumes, findings, changes, expected):
    rows = [("1.1", (10, 25, 16), 1.0, 8.0), ("1.2", (15, 16, 17), 1.0, 4.0), ("1.2", (9, 9, 9), 0.0, np.nan),
            ("1.1", (9, 19, 9), np.nan, np.nan)]  # fmt: skip
    feed = Feed(points(*rows), volumes, findings, replace(PLAN, **changes))
    np.testing.assert_allclose(counts(feed), expected, atol=0.03)
    feed.close()


def test_nodules_are_spread_over_the_batch(volumes, findings):
    feed = Feed(points(*POINT_ROWS), volumes, findings, replace(PLAN, nodule_fraction=0.5, rest="others"))
    first_half = np.mean([(feed.batch(step).labels["is_nodule"][:5] == 1).sum() for step in range(100)])
    assert first_half == pytest.approx(2.5, abs=0.4)
    feed.close()


def test_without_nodules_all_windows_are_of_the_rest(volumes, findings):
    feed = Feed(points(*POINT_ROWS[1:]), volumes, findings, PLAN)
    assert len(feed.batch(0)) == 10
    feed.close()


@pytest.mark.parametrize("num_threads", [1, 3])
def test_a_stream_is_the_batches_in_order(volumes, findings, num_threads):
    feed = Feed(points(*POINT_ROWS), volumes, findings, replace(PLAN, num_threads=num_threads))
    streamed = list(feed.stream(3, 11))
    assert len(streamed) == 8
    assert all(same(batch, feed.batch(step)) for step, batch in enumerate(streamed, start=3))
    assert list(feed.stream(4, 4)) == []
    feed.close()


def test_a_stream_works_ahead_and_tells_how_long_its_user_waited(feed, monkeypatch):
    made = []
    whole = feed.batch

    def slow(step):
        time.sleep(0.05)
        made.append(step)
        return whole(step)

    monkeypatch.setattr(feed, "batch", slow)
    stream = feed.stream(0, 50)
    next(stream)
    assert feed.waited_seconds >= 0.05
    time.sleep(0.3)
    # ahead, but no further than one batch in work and one that waits
    assert made in ([0, 1, 2], [0, 1])
    before = feed.waited_seconds
    next(stream)
    assert feed.waited_seconds - before < 0.02
    stream.close()
    feed.close()
    assert len(made) <= 5


def test_close_ends_the_threads(volumes, findings):
    feed = Feed(points(*POINT_ROWS), volumes, findings, replace(PLAN, num_threads=3))
    stream = feed.stream(0, 1000)
    next(stream)
    assert any(thread.name.startswith("feed") for thread in threading.enumerate())
    feed.close()
    assert not any(thread.name.startswith("feed") for thread in threading.enumerate())


def test_fixed_batches_show_every_point_once_centred_and_unchanged(feed):
    batches = list(feed.fixed_batches(2))
    assert [len(batch) for batch in batches] == [2, 1]
    assert np.concatenate([batch.rows for batch in batches]).tolist() == [0, 1, 2]
    assert all(batch.draws == {} for batch in batches)
    # the middle of an even window lies within half a voxel of the point
    center = batches[0].findings_BK5[0, 0, :3]
    assert center.abs().max() <= 0.5
    assert same(batches[1], list(feed.fixed_batches(2))[1])
    assert batches[0].hu_BZYX.shape == (2, 10, 10, 10)


def test_a_store_that_breaks_stops_the_stream_and_names_its_series(volumes, findings):
    feed = Feed(points(*POINT_ROWS), volumes, findings, PLAN)
    for shard in (volumes["1.2"] / "0" / "c").rglob("*"):
        if shard.is_file():
            shard.write_bytes(b"no shard")
    with pytest.raises(VolumeError, match=r"series 1\.2: .*expected readable chunks"):
        list(feed.stream(0, 3))
    feed.close()


def test_memory_is_bounded_and_a_dataset_that_fits_is_read_once(volumes, findings):
    side_bytes = 2 * PLAN.block_vox**3
    fits = Feed(points(*POINT_ROWS), volumes, findings, replace(PLAN, cache_bytes=3 * side_bytes))
    small = Feed(points(*POINT_ROWS), volumes, findings, replace(PLAN, cache_bytes=2 * side_bytes))
    for step in range(5):
        assert same(fits.batch(step), small.batch(step))
    assert (fits._blocks.num_reads, fits._blocks.num_bytes) == (3, 3 * side_bytes)
    assert small._blocks.num_reads > 3
    assert small._blocks.num_bytes <= 2 * side_bytes
    for feed in (fits, small):
        feed.close()


def test_annotated_masks_are_cut_as_the_windows_are(volumes, findings):
    def read(series_uid, window):
        return (window.cut_nearest(ramp(0 if series_uid == "1.1" else 7)) % 2).astype(np.uint8)

    feed = Feed(points(*POINT_ROWS), volumes, findings, replace(PLAN, mask="annotated"), masks=read)
    batch = feed.batch(0)
    assert torch.equal(batch.mask_BZYX, (batch.hu_BZYX % 2).to(torch.uint8))
    assert (batch.mask_BZYX.dtype, batch.mask_BZYX.any()) == (torch.uint8, True)
    feed.close()


def test_what_cannot_be_fed_is_refused(volumes, findings, write_store):
    with pytest.raises(ValueError, match="expected points to cut windows around, found none"):
        Feed(POINTS.empty(), volumes, findings, PLAN)
    with pytest.raises(ValueError, match=r"sampling\.mask: expected 'sphere' for a dataset without nodule masks"):
        Feed(points(*POINT_ROWS), volumes, findings, replace(PLAN, mask="annotated"))
    with pytest.raises(ValueError, match="expected points outside nodules, found none"):
        Feed(points(POINT_ROWS[0]), volumes, findings, replace(PLAN, rest="others"))
    with pytest.raises(VolumeError, match=r"series 9\.9: expected a stored volume, found none"):
        Feed(points(("9.9", (0, 0, 0), 0.0, np.nan)), volumes, findings, PLAN)
    other = {"1.1": volumes["1.1"], "1.2": write_store("1.2", ramp(), (2.0, 1.0, 1.0))}
    with pytest.raises(ValueError, match=r"volumes of one spacing \(mm\), found .*series 1\.1.*series 1\.2"):
        Feed(points(*POINT_ROWS), other, findings, PLAN)


def test_points_of_a_table_feed_a_training(volumes, findings):
    table = detector_points(volumes, *findings, DetectorSampling(lung_points_per_scan=3), seed=1)
    feed = Feed(table, volumes, findings, PLAN)
    assert len(feed) == 7
    assert (feed.batch(0).labels["is_nodule"] == 1).any()
    feed.close()
