import hashlib

import numpy as np
import pytest
import SimpleITK
from scipy import ndimage

from lungpipe.datasets.luna16 import list_scans
from lungpipe.datasets.raw import RawScans
from lungpipe.geometry import Grid, hits
from lungpipe.phantom import PHANTOM_TABLES, planned_files, write_phantom
from lungpipe.settings import ConfigSettings, DatasetSettings, PhantomSettings
from lungpipe.tables import CHARACTERISTICS, RATING_COLUMNS, parse_ratings

POSITION = ["coordZ", "coordY", "coordX"]
SMALL = PhantomSettings(scans_per_subset=1, in_plane_spacing_mm=(1.4, 1.6), slice_spacing_mm=(2.0, 2.4))


def read(path):
    image = SimpleITK.ReadImage(str(path))
    grid = Grid.from_xyz(image.GetSize(), image.GetSpacing(), image.GetOrigin(), image.GetDirection())
    return SimpleITK.GetArrayFromImage(image), grid


@pytest.fixture(scope="module")
def scans(phantom_root, tables):
    """HU, lung labels and grid of every scan, by series."""
    found = {}
    for row in tables["series.csv"].itertuples():
        hu, grid = read(phantom_root / f"subset{row.subset}" / f"{row.seriesuid}.mhd")
        labels, labels_grid = read(phantom_root / "seg-lungs-LUNA16" / f"{row.seriesuid}.mhd")
        assert labels_grid == grid
        found[row.seriesuid] = (hu, labels, grid)
    return found


def rows_of(table, uid):
    return table[table.seriesuid == uid]


def world_of(grid, mask):
    return grid.to_world(np.argwhere(mask))


def test_the_files_are_those_planned_and_the_tables(phantom_root, phantom_settings, tables):
    planned = planned_files(phantom_root, phantom_settings, 7)
    in_subsets = {path for path in phantom_root.rglob("*") if path.parent.name.startswith("subset")}
    assert in_subsets == {path for paths in planned.values() for path in paths}
    assert sorted(PHANTOM_TABLES) == list(tables)
    labels = {path.name for path in (phantom_root / "seg-lungs-LUNA16").iterdir()}
    uids = tables["series.csv"].seriesuid
    assert labels == {f"{uid}.{suffix}" for uid in uids for suffix in ("mhd", "zraw")}


def test_scans_and_reference_lungs_are_found_where_a_study_expects_them(phantom_root, phantom_settings):
    dataset = DatasetSettings(root=str(phantom_root), num_subsets=7, phantom=phantom_settings)
    planned = RawScans.of(ConfigSettings(dataset=dataset, seed=2016, folds=(0,))).by_subset
    assert {subset: list_scans(phantom_root, subset) for subset in range(7)} == planned
    assert all(scan.reference for scans in planned.values() for scan in scans)


def test_the_tables_have_luna16s_columns(tables):
    position = ["seriesuid", "coordX", "coordY", "coordZ"]
    assert {name: list(table) for name, table in tables.items()} == {
        "annotations.csv": [*position, "diameter_mm"],
        "annotations_excluded.csv": [*position, "diameter_mm"],
        "candidates_V2.csv": [*position, "class"],
        "nodule_ratings.csv": [*position, "diameter_mm", *RATING_COLUMNS.values()],
        "series.csv": ["seriesuid", "patient_id", "subset"],
    }


def test_ratings_stand_beside_the_annotations(tables):
    ratings = tables["nodule_ratings.csv"]
    assert ratings.drop(columns=RATING_COLUMNS.values()).equals(tables["annotations.csv"])
    for name, column in RATING_COLUMNS.items():
        for text, malignancy in zip(ratings[column], ratings.malignancy_ratings, strict=True):
            values = parse_ratings(text)
            assert len(values) == len(parse_ratings(malignancy)) in (3, 4)
            assert all(1 <= value <= CHARACTERISTICS[name] for value in values)
    assert ratings.texture_ratings.nunique() > 1


def test_scans_hold_air_lung_fat_tissue_and_bone(scans):
    for hu, labels, _ in scans.values():
        assert hu.dtype == np.int16
        assert hu.min() >= -1024
        lungs = (labels == 3) | (labels == 4)
        assert -920 < np.median(hu[lungs]) < -780
        assert np.median(hu[ndimage.binary_erosion(labels == 5)]) < -900
        shares = [
            np.mean((hu > low) & (hu < high)) for low, high in ((-1025, -930), (-150, -60), (10, 90), (300, 1500))
        ]
        assert min(shares) > 0.005
        assert shares[2] > 0.1


def test_labels_lie_where_they_do_in_a_patient(scans):
    """World axes are LPS: the left lung at larger x, the spine at larger y, the trachea above the lungs' middle."""
    for hu, labels, grid in scans.values():
        left, right, trachea = (world_of(grid, labels == k).mean(axis=0) for k in (3, 4, 5))
        assert left[2] > trachea[2] > right[2]
        assert trachea[0] > (left[0] + right[0]) / 2
        assert (labels == 3).sum() < (labels == 4).sum()
        bone = world_of(grid, hu > 400).mean(axis=0)
        assert bone[1] > (left[1] + right[1]) / 2


def test_some_scans_are_flipped_and_spacings_and_origins_differ(scans):
    grids = [grid for _, _, grid in scans.values()]
    directions = {grid.direction_xyz for grid in grids}
    assert directions == {(1, 0, 0, 0, 1, 0, 0, 0, 1), (-1, 0, 0, 0, -1, 0, 0, 0, 1)}
    assert len({grid.spacing_zyx_mm for grid in grids}) == len(grids)
    heights = [grid.origin_zyx_mm[0] for grid in grids]
    assert min(heights) < 0 < max(heights)


def test_every_annotated_nodule_stands_out_from_the_lung_around_it(scans, tables):
    for row in tables["annotations.csv"].itertuples():
        hu, labels, grid = scans[row.seriesuid]
        center = [row.coordZ, row.coordY, row.coordX]
        points = grid.to_world(np.moveaxis(np.indices(hu.shape), 0, -1))
        distance = np.linalg.norm(points - center, axis=-1)
        radius = row.diameter_mm / 2
        inner = hu[distance < max(0.7 * radius, 1.2)]
        shell = (distance > radius + 3) & (distance < radius + 9) & ndimage.binary_erosion(labels > 0)
        assert inner.mean() > np.median(hu[shell]) + 120, row


def test_nodules_lie_in_the_lung_labels_or_on_their_border(scans, tables):
    for row in tables["annotations.csv"].itertuples():
        _, labels, grid = scans[row.seriesuid]
        index = grid.to_index([row.coordZ, row.coordY, row.coordX])
        lungs = ndimage.binary_dilation((labels == 3) | (labels == 4), iterations=2)
        assert lungs[tuple(np.round(index).astype(int))], row


def test_nodules_and_exclusions_keep_apart(tables):
    for uid, nodules in tables["annotations.csv"].groupby("seriesuid"):
        centers, radii = nodules[POSITION].to_numpy(), nodules.diameter_mm.to_numpy() / 2
        gaps = np.linalg.norm(centers[:, None] - centers[None], axis=-1) - radii[:, None] - radii[None]
        assert np.all(gaps[~np.eye(len(gaps), dtype=bool)] > 0)
        decoys = rows_of(tables["annotations_excluded.csv"], uid)
        wide = nodules.diameter_mm.to_numpy() + 10  # a diameter of -1 counts as 10 mm
        assert not hits(decoys[POSITION].to_numpy(), centers, wide).any()


def test_every_scan_has_exclusions_with_and_without_a_diameter(tables):
    excluded = tables["annotations_excluded.csv"]
    assert set(excluded.seriesuid) == set(tables["series.csv"].seriesuid)
    unknown = excluded.diameter_mm == -1
    assert unknown.any()
    assert excluded.diameter_mm[~unknown].between(1.8, 3.0).all()
    assert (~unknown).any()


def test_candidates_are_nodules_or_clear_of_them(tables, scans):
    candidates = tables["candidates_V2.csv"]
    for uid, (_, labels, grid) in scans.items():
        mine, nodules = rows_of(candidates, uid), rows_of(tables["annotations.csv"], uid)
        assert 20 <= (mine["class"] == 0).sum() <= 40
        points = mine[POSITION].to_numpy()
        inside = hits(points, nodules[POSITION].to_numpy(), nodules.diameter_mm.to_numpy())
        assert inside.any(axis=1).tolist() == (mine["class"] == 1).tolist()
        assert inside.any(axis=0).all()
        index = np.round(grid.to_index(points)).astype(int)
        near_lungs = ndimage.binary_dilation(labels > 0, iterations=2)
        assert near_lungs[tuple(index.T)].mean() > 0.95


def test_two_scans_of_one_patient_show_the_same_nodules_elsewhere(tables, scans):
    series = tables["series.csv"]
    pair = series[series.duplicated("patient_id", keep=False)]
    assert pair.subset.tolist() == [2, 6]
    first, second = (rows_of(tables["nodule_ratings.csv"], uid) for uid in pair.seriesuid)
    assert first.diameter_mm.tolist() == second.diameter_mm.tolist()
    assert first.malignancy_ratings.tolist() == second.malignancy_ratings.tolist()
    moved = second[POSITION].to_numpy() - first[POSITION].to_numpy()
    np.testing.assert_allclose(moved, moved[:1].repeat(len(moved), axis=0), atol=1e-9)
    assert np.linalg.norm(moved[0]) > 10
    grids = [scans[uid][2] for uid in pair.seriesuid]
    assert grids[0].is_axis_aligned != grids[1].is_axis_aligned


def test_some_scans_have_no_nodules(tables):
    empty = set(tables["series.csv"].seriesuid) - set(tables["annotations.csv"].seriesuid)
    subsets = tables["series.csv"].set_index("seriesuid").subset
    assert sorted(subsets[list(empty)]) == [0, 1, 2, 4, 5, 6]


def digests(root):
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def test_the_same_seed_gives_the_same_bytes_whatever_the_workers(tmp_path):
    for name, num_workers in (("one", 1), ("two", 2)):
        write_phantom(tmp_path / name, SMALL, 3, num_workers=num_workers)
    first = digests(tmp_path / "one")
    assert len(first) == 3 * 4 + len(PHANTOM_TABLES)
    assert first == digests(tmp_path / "two")


def test_another_seed_gives_another_phantom(tmp_path):
    for seed in (1, 2):
        write_phantom(tmp_path / str(seed), SMALL.model_copy(update={"seed": seed}), 1)
    assert not set(digests(tmp_path / "1").values()) & set(digests(tmp_path / "2").values())


def test_progress_is_logged_once_a_scan(tmp_path):
    lines = []
    write_phantom(tmp_path, SMALL, 2, log=lines.append)
    assert len(lines) == 2
    assert "wrote scan 2 of 2, 2.25." in lines[1]
