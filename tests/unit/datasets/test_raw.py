"""Raw files: where they are, or will be."""

from pathlib import Path

import pytest

from lungpipe.datasets.annotations import DatasetError
from lungpipe.datasets.luna16 import ScanFiles
from lungpipe.datasets.raw import RawScans, Readings, paths_of
from lungpipe.phantom import PHANTOM_TABLES
from lungpipe.settings import ConfigSettings, DatasetSettings, PhantomSettings
from lungpipe.tables import RATING_COLUMNS

MARKS = "seriesuid,coordX,coordY,coordZ,diameter_mm\n"


@pytest.fixture
def luna16(tmp_path):
    """Three subsets in LUNA16's layout, without ratings and patients."""
    root = tmp_path / "luna16"
    for subset, uids in enumerate((("1.2", "1.1"), ("1.3",), ())):
        folder = root / f"subset{subset}"
        folder.mkdir(parents=True)
        for uid in uids:
            (folder / f"{uid}.mhd").write_text(f"NDims = 3\nElementDataFile = {uid}.raw\n")
            (folder / f"{uid}.raw").write_bytes(b"")
    (root / "subset2/1.4.mha").write_text("NDims = 3\n")
    for name in ("annotations.csv", "annotations_excluded.csv"):
        (root / name).write_text(MARKS)
    return root


def study_of(root, num_subsets=3, lidc_xml=None):
    readings = None if lidc_xml is None else str(lidc_xml)
    dataset = DatasetSettings(name="mine", kind="luna16", root=str(root), num_subsets=num_subsets, lidc_xml=readings)
    return ConfigSettings(dataset=dataset, folds=(0,))


def phantom_study(results_dir, seed=1, root=None):
    small = PhantomSettings(scans_per_subset=2, seed=seed)
    dataset = DatasetSettings(num_subsets=3, phantom=small, root=root)
    return ConfigSettings(results_dir=str(results_dir), dataset=dataset, folds=(0,))


def test_existing_files_are_found_by_subset(luna16):
    raw = RawScans.of(study_of(luna16))
    assert {subset: [scan.series_uid for scan in scans] for subset, scans in raw.by_subset.items()} == {
        0: ["1.1", "1.2"],
        1: ["1.3"],
        2: ["1.4"],
    }
    assert raw.files(1) == [(luna16 / "subset1" / name).as_posix() for name in ("1.3.mhd", "1.3.raw")]
    assert raw.files(2) == [(luna16 / "subset2/1.4.mha").as_posix()]


def test_reference_lungs_are_listed_apart_from_their_scans(luna16):
    folder = luna16 / "seg-lungs-LUNA16"
    folder.mkdir()
    (folder / "1.2.mhd").write_text("NDims = 3\nElementDataFile = 1.2.zraw\n")
    (folder / "1.2.zraw").write_bytes(b"")
    raw = RawScans.of(study_of(luna16))
    assert [Path(path).relative_to(luna16).as_posix() for path in raw.files(0)] == [
        f"subset0/{name}" for name in ("1.1.mhd", "1.1.raw", "1.2.mhd", "1.2.raw")
    ]
    assert [Path(path).relative_to(luna16).as_posix() for path in raw.reference_files(0)] == [
        f"seg-lungs-LUNA16/{name}" for name in ("1.2.mhd", "1.2.zraw")
    ]
    assert raw.reference_files(1) == []


def test_nodule_masks_are_listed_by_subset(luna16):
    folder = luna16 / "nodule_masks"
    folder.mkdir()
    for uid in ("1.2", "9.9"):
        (folder / f"{uid}.mhd").write_text(f"NDims = 3\nElementDataFile = {uid}.zraw\n")
        (folder / f"{uid}.zraw").write_bytes(b"")
    raw = RawScans.of(study_of(luna16))
    assert raw.mask_files(0) == [(folder / name).as_posix() for name in ("1.2.mhd", "1.2.zraw")]
    assert raw.mask_files(1) == []
    raw.require_masks()


def test_a_dataset_without_the_masks_that_a_recipe_asks_for_is_refused(luna16):
    raw = RawScans.of(study_of(luna16))
    setting = r"masks \(<series_uid>\.mhd\) for detector\.sampling\.mask 'annotated'"
    with pytest.raises(DatasetError, match=rf"luna16/nodule_masks: expected {setting}, found no such folder"):
        raw.require_masks()
    (luna16 / "nodule_masks").mkdir()
    (luna16 / "nodule_masks" / "9.9.mhd").write_text("NDims = 3\n")
    with pytest.raises(DatasetError, match=rf"expected {setting}, found none named by a series of the subsets"):
        raw.require_masks()


@pytest.mark.parametrize("name", ["candidates_V2.csv", "candidates.csv"])
def test_a_dataset_without_the_candidates_that_a_recipe_scores_is_refused(luna16, name):
    raw = RawScans.of(study_of(luna16))
    setting = r"candidates \(or candidates\.csv\) for detector\.kind 'given'"
    with pytest.raises(DatasetError, match=rf"luna16/candidates_V2\.csv: expected {setting}, found no such file"):
        raw.require_candidates()
    (luna16 / name).write_text("seriesuid,coordX,coordY,coordZ,class\n")
    raw.require_candidates()


def test_the_phantom_will_have_candidates(tmp_path):
    RawScans.of(phantom_study(tmp_path)).require_candidates()


def test_tables_that_are_not_there_are_not_named(luna16):
    assert [Path(path).name for path in RawScans.of(study_of(luna16)).tables] == [
        "annotations.csv",
        "annotations_excluded.csv",
    ]
    (luna16 / "series.csv").write_text("seriesuid,patient_id,subset\n1.1,A,0\n")
    assert Path(RawScans.of(study_of(luna16)).tables[-1]).name == "series.csv"


def test_a_dataset_that_cannot_be_used_is_refused(luna16):
    with pytest.raises(DatasetError, match="subset3"):
        RawScans.of(study_of(luna16, num_subsets=4))
    (luna16 / "annotations.csv").write_text(MARKS + "9.9,1,2,3,4\n")
    with pytest.raises(DatasetError, match=r"annotations\.csv, line 2: .* found 9\.9"):
        RawScans.of(study_of(luna16))


def test_a_listing_has_the_files_of_every_scan_and_comes_back(luna16):
    raw = RawScans.of(study_of(luna16))
    headers, voxels = ([f"{luna16}/subset0/{uid}.{ending}" for uid in ("1.1", "1.2")] for ending in ("mhd", "raw"))
    assert raw.listing(0) == [["1.1", headers[0], voxels[0]], ["1.2", headers[1], voxels[1]]]
    assert tuple(map(ScanFiles.from_texts, raw.listing(0))) == raw.by_subset[0]


def test_a_listing_names_references_where_it_is_asked_to(luna16):
    folder = luna16 / "seg-lungs-LUNA16"
    folder.mkdir()
    (folder / "1.2.mhd").write_text("NDims = 3\nElementDataFile = 1.2.zraw\n")
    (folder / "1.2.zraw").write_bytes(b"")
    raw = RawScans.of(study_of(luna16))
    listing = raw.listing(0, with_references=True)
    assert listing[1][3:] == [f"{folder}/1.2.mhd", f"{folder}/1.2.zraw"]
    assert tuple(map(ScanFiles.from_texts, listing)) == raw.by_subset[0]
    assert [len(texts) for texts in raw.listing(0)] == [3, 3]


def test_every_series_has_its_subset(luna16):
    assert RawScans.of(study_of(luna16)).subset_of() == {"1.1": 0, "1.2": 0, "1.3": 1, "1.4": 2}


def test_the_phantoms_files_are_known_before_they_are_written(tmp_path):
    raw = RawScans.of(phantom_study(tmp_path / "results"))
    assert raw.root == tmp_path / "results/phantom/raw"
    assert not raw.root.exists()
    assert {subset: len(scans) for subset, scans in raw.by_subset.items()} == {0: 2, 1: 2, 2: 2}
    assert [Path(path).name for path in raw.tables] == list(PHANTOM_TABLES)
    for subset, scans in raw.by_subset.items():
        assert [scan.series_uid for scan in scans] == sorted(scan.series_uid for scan in scans)
        for scan in scans:
            assert scan.header_path == raw.root / f"subset{subset}" / f"{scan.series_uid}.mhd"
            assert scan.data_path == scan.header_path.with_suffix(".raw")
            assert scan.reference.header_path == raw.root / "seg-lungs-LUNA16" / f"{scan.series_uid}.mhd"
            assert scan.reference.data_path == scan.reference.header_path.with_suffix(".zraw")


def test_the_phantoms_listing_follows_its_seed_and_not_its_place(tmp_path):
    one, moved, other = (
        RawScans.of(study)
        for study in (
            phantom_study(tmp_path / "results"),
            phantom_study(tmp_path / "results", root=str(tmp_path / "elsewhere")),
            phantom_study(tmp_path / "results", seed=2),
        )
    )
    assert moved.root == tmp_path / "elsewhere"
    assert one.subset_of() == moved.subset_of()
    assert set(one.subset_of()).isdisjoint(other.subset_of())


def test_a_scan_of_one_file_has_one_path():
    one, two = Path("a.mha"), Path("a.raw")
    assert paths_of(ScanFiles("a", one, one)) == (one,)
    assert paths_of(ScanFiles("a", one, two)) == (one, two)


def test_readings_make_up_for_missing_ratings_only(luna16, tmp_path):
    readings = tmp_path / "xml"
    with pytest.raises(DatasetError, match=r"dataset\.lidc_xml: expected a folder or zip archive of readings"):
        RawScans.of(study_of(luna16, lidc_xml=readings))
    readings.mkdir()
    assert RawScans.of(study_of(luna16)).readings is None
    assert RawScans.of(study_of(luna16, lidc_xml=readings)).readings == Readings(readings, luna16)
    # a table of malignancy alone leaves eight characteristics to the readings
    (luna16 / "nodule_ratings.csv").write_text(MARKS.replace("\n", ",malignancy_ratings\n"))
    assert RawScans.of(study_of(luna16, lidc_xml=readings)).readings == Readings(readings, luna16)
    (luna16 / "nodule_ratings.csv").write_text(MARKS.replace("\n", f",{','.join(RATING_COLUMNS.values())}\n"))
    assert RawScans.of(study_of(luna16, lidc_xml=readings)).readings is None
