"""The layout: folders, file pairs and tables, and every contradiction between them."""

import numpy as np
import pandas as pd
import pytest

from lungpipe.datasets.annotations import SERIES_OF_LIDC_IDRI_0332, DatasetError, read_ratings
from lungpipe.datasets.luna16 import ScanFiles, check_dataset, find_subsets, list_scans
from lungpipe.datasets.targets import collect_targets, match_ratings, write_targets
from lungpipe.tables import EXCLUSIONS, NODULES, RATINGS, SERIES, read_table

MARKS = "seriesuid,coordX,coordY,coordZ,diameter_mm\n"
RATED = "seriesuid,coordX,coordY,coordZ,diameter_mm,malignancy_ratings\n"


def subsets_of(root, num_subsets):
    return find_subsets(root, {subset: list_scans(root, subset) for subset in range(num_subsets)})


@pytest.fixture
def root(tmp_path):
    for subset, uids in enumerate((("1.2", "1.1"), ("1.3",), ("1.4",))):
        folder = tmp_path / f"subset{subset}"
        folder.mkdir()
        for uid in uids:
            (folder / f"{uid}.mhd").write_text(f"NDims = 3\nElementDataFile = {uid}.zraw\n")
            (folder / f"{uid}.zraw").write_bytes(b"")
    (tmp_path / "annotations.csv").write_text(MARKS + "1.1,1,2,3,4\n1.3,-128.6994211,5,6,7\n1.1,10,20,30,5.651470635\n")
    (tmp_path / "annotations_excluded.csv").write_text(MARKS + "1.2,1,2,3,-1\n1.4,1,2,3,4.5\n")
    return tmp_path


def test_scans_are_sorted_with_their_data(root):
    scans = list_scans(root, 0)
    assert [scan.series_uid for scan in scans] == ["1.1", "1.2"]
    assert scans[0].header_path == root / "subset0/1.1.mhd"
    assert scans[0].data_path == root / "subset0/1.1.zraw"


def test_mha_holds_its_own_data_and_other_files_are_no_scans(root):
    (root / "subset1/1.5.mha").write_text("NDims = 3\n")
    (root / "subset1/notes.txt").write_text("")
    (root / "subset1/.1.9.mhd").write_text("")
    scans = list_scans(root, 1)
    assert [scan.series_uid for scan in scans] == ["1.3", "1.5"]
    assert scans[1].data_path == scans[1].header_path


@pytest.mark.parametrize("line", ["", "ElementDataFile = ../../etc/passwd\n", "ElementDataFile = absent.raw\n", "\0"])
def test_header_that_names_no_file_falls_back_to_what_lies_beside(root, line):
    (root / "subset1/1.3.mhd").write_text(line)
    assert list_scans(root, 1)[0].data_path == root / "subset1/1.3.zraw"
    (root / "subset1/1.3.zraw").unlink()
    assert list_scans(root, 1)[0].data_path == root / "subset1/1.3.mhd"


def test_a_reference_lung_mask_belongs_to_the_scan_of_its_name(root):
    folder = root / "seg-lungs-LUNA16"
    folder.mkdir()
    for name in ("1.1", "9.9"):
        (folder / f"{name}.mhd").write_text(f"NDims = 3\nElementDataFile = {name}.zraw\n")
        (folder / f"{name}.zraw").write_bytes(b"")
    first, second = list_scans(root, 0)
    assert first.reference == ScanFiles("1.1", folder / "1.1.mhd", folder / "1.1.zraw")
    assert second.reference is None


def test_a_good_dataset_passes_and_is_listed(root):
    assert check_dataset(root, 3) == {subset: list_scans(root, subset) for subset in range(3)}


def test_targets_by_hand(root):
    (root / "series.csv").write_text("seriesuid,patient_id,subset\n1.1,A,0\n1.2,A,0\n1.3,B,1\n")
    (root / "nodule_ratings.csv").write_text(RATED + "1.1,10.004,20,30,5.65,4;3;1\n")
    targets = collect_targets(root, subsets_of(root, 3))
    assert targets.series.to_numpy().tolist() == [["1.1", "A", 0], ["1.2", "A", 0], ["1.3", "B", 1], ["1.4", "1.4", 2]]
    assert targets.nodules["nodule_id"].tolist() == ["1.1#0", "1.3#0", "1.1#1"]
    assert targets.nodules["center_x_mm"].tolist() == [1.0, -128.6994211, 10.0]
    assert targets.nodules["center_z_mm"].tolist() == [3.0, 6.0, 30.0]
    assert targets.nodules["malignancy_ratings"].isna().tolist() == [True, True, False]
    assert targets.nodules["malignancy_ratings"][2] == "4;3;1"
    assert targets.exclusions["diameter_mm"].tolist() == [-1.0, 4.5]


def test_targets_come_back_from_disk(root, tmp_path):
    targets = collect_targets(root, subsets_of(root, 3))
    write_targets(targets, tmp_path / "targets")
    contracts = {"series": SERIES, "nodules": NODULES, "ratings": RATINGS, "exclusions": EXCLUSIONS}
    for name, contract in contracts.items():
        again = read_table(tmp_path / "targets" / f"{name}.parquet", contract)
        pd.testing.assert_frame_equal(again, getattr(targets, name))


def test_the_patient_with_two_scans_is_known_without_a_table(root):
    for subset, uid in zip((0, 1), SERIES_OF_LIDC_IDRI_0332, strict=True):
        (root / f"subset{subset}/{uid}.mhd").write_text("")
    series = collect_targets(root, subsets_of(root, 3)).series
    assert (series["patient_id"] == "LIDC-IDRI-0332").sum() == 2


def test_the_nearest_annotation_takes_the_ratings(root):
    # nearer to each other than the reader of annotations lets through
    marks = [["1.1", 3.0, 2.0, 1.0], ["1.1", 3.0, 2.0, 1.008]]
    nodules = pd.DataFrame(marks, columns=["series_uid", "center_z_mm", "center_y_mm", "center_x_mm"])
    path = root / "nodule_ratings.csv"
    path.write_text(RATED + "1.1,1.007,2,3,4,5\n1.1,1,2,3,4,1\n")
    assert match_ratings(nodules, read_ratings(path), path)["malignancy_ratings"].tolist() == ["1", "5"]


def test_a_dataset_of_crops_takes_what_its_own_ratings_lack_from_those_of_the_whole_scans(root, tmp_path):
    (root / "series.csv").write_text("seriesuid,source_seriesuid,patient_id\n1.1,9.1,A\n1.3,9.3,B\n")
    (root / "nodule_ratings.csv").write_text(RATED + "1.1,10,20,30,5.65,4;3;1\n")
    header = MARKS.replace("\n", ",malignancy_ratings,texture_ratings,calcification_ratings\n")
    rows = (
        "9.1,10.004,20,30,5,1;1,5;4,6;6",
        "9.1,99,20,30,5,2;2,1;1,",
        "9.3,-128.6994211,5,6,7,5,3,",
        "7.7,1,2,3,4,5,5,5",
    )
    (tmp_path / "whole.csv").write_text(header + "\n".join(rows))
    targets = collect_targets(root, subsets_of(root, 3), tmp_path / "whole.csv")
    columns = ["malignancy_ratings", "texture_ratings", "calcification_ratings"]
    ratings = targets.ratings.set_index("nodule_id")
    assert ratings.loc["1.1#1", columns].tolist() == ["4;3;1", "5;4", "6;6"]
    assert ratings.loc["1.3#0", columns].isna().tolist() == [True, False, True]
    assert ratings.loc["1.1#0"].isna().all()
    assert targets.nodules["malignancy_ratings"].tolist()[2] == "4;3;1"


BROKEN_TABLES = {
    "unknown series": ("annotations.csv", MARKS + "9.9,1,2,3,4\n", r"annotations\.csv, line 2.*found 9\.9"),
    "unknown exclusion": ("annotations_excluded.csv", MARKS + "1.1,1,2,3,-1\n9.9,1,2,3,-1\n", "line 3.*found 9.9"),
    "unknown rating": ("nodule_ratings.csv", RATED + "9.9,1,2,3,4,5\n", "line 2.*found 9.9"),
    "negative diameter": ("annotations.csv", MARKS + "1.1,1,2,3,-4\n", "line 2, series 1.1: diameter_mm: .* found -4"),
    "zero diameter": ("annotations.csv", MARKS + "1.1,1,2,3,0\n", "diameter_mm: expected a positive"),
    "other negative exclusion": ("annotations_excluded.csv", MARKS + "1.1,1,2,3,-2\n", "positive diameter in mm or -1"),
    "empty coordinate": ("annotations.csv", MARKS + "1.1,1,,3,4\n", "coordY: expected a finite number in mm"),
    "NaN coordinate": ("annotations.csv", MARKS + "1.1,nan,2,3,4\n", "coordX: expected a finite number"),
    "word for a number": ("annotations.csv", MARKS + "1.1,1,2,three,4\n", "coordZ.*found 'three'"),
    "no series": ("annotations.csv", MARKS + ",1,2,3,4\n", "seriesuid: expected a series UID"),
    "missing column": ("annotations.csv", "seriesuid,coordX,coordY,coordZ\n1.1,1,2,3\n", "expected the columns"),
    "empty file": ("annotations.csv", "", "found an empty file"),
    "rating of six": ("nodule_ratings.csv", RATED + "1.1,1,2,3,4,6\n", "malignancy_ratings: expected ratings 1-5"),
    "no rating": ("nodule_ratings.csv", RATED + "1.1,1,2,3,4,\n", "malignancy_ratings: expected ratings 1-5"),
    "texture of six": (
        "nodule_ratings.csv",
        RATED.replace("\n", ",texture_ratings\n") + "1.1,1,2,3,4,5,6\n",
        "texture_ratings: expected ratings 1-5",
    ),
    "patient without name": ("series.csv", "seriesuid,patient_id\n1.1,\n", "expected series and patient"),
}


@pytest.mark.parametrize("name", BROKEN_TABLES)
def test_broken_table_is_refused_with_file_and_row(root, name):
    file, content, message = BROKEN_TABLES[name]
    (root / file).write_text(content)
    with pytest.raises(DatasetError, match=message) as caught:
        check_dataset(root, 3)
    assert file in str(caught.value)


@pytest.mark.parametrize("name", ["annotations.csv", "annotations_excluded.csv"])
def test_missing_table_is_refused(root, name):
    (root / name).unlink()
    with pytest.raises(DatasetError, match=f"{name}: expected a table"):
        check_dataset(root, 3)


def test_missing_folders_are_refused(root):
    with pytest.raises(DatasetError, match=r"subset3: expected the folder of subset 3"):
        check_dataset(root, 4)
    with pytest.raises(DatasetError, match="expected the dataset's folder"):
        check_dataset(root / "absent", 3)


def test_dataset_without_scans_is_refused(tmp_path):
    for subset in range(3):
        (tmp_path / f"subset{subset}").mkdir()
    with pytest.raises(DatasetError, match="expected scans"):
        check_dataset(tmp_path, 3)


@pytest.mark.parametrize("place", ["subset2/1.1.mhd", "subset0/1.1.mha"])
def test_series_twice_is_refused(root, place):
    (root / place).write_text("")
    with pytest.raises(
        DatasetError, match=r"series 1\.1: expected it in one subset, once, found it in subset0, subset"
    ):
        check_dataset(root, 3)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("1.1,1.02,2,3,4,5\n", "within 0.01 mm, found the nearest 0.020 mm away"),
        ("1.2,1,2,3,4,5\n", "none in the series"),
    ],
)
def test_rating_without_its_nodule_is_refused(root, rows, message):
    (root / "nodule_ratings.csv").write_text(RATED + rows)
    with pytest.raises(DatasetError, match=message):
        collect_targets(root, subsets_of(root, 3))


def test_two_ratings_of_one_nodule_are_refused(root):
    (root / "nodule_ratings.csv").write_text(RATED + "1.1,1,2,3,4,5\n1.1,1,2,3.001,4,5\n")
    with pytest.raises(DatasetError, match=r"line 3.*found two"):
        collect_targets(root, subsets_of(root, 3))


def test_coordinates_are_the_doubles_nearest_to_the_text(root):
    text = ["-128.6994211", "0.1", "345.39999999999998", "1e-3"]
    rows = "".join(f"1.1,{value},2,{i},4\n" for i, value in enumerate(text))
    (root / "annotations.csv").write_text(MARKS + rows)
    assert collect_targets(root, subsets_of(root, 3)).nodules["center_x_mm"].tolist() == [
        float(value) for value in text
    ]
    assert np.isfinite(collect_targets(root, subsets_of(root, 3)).nodules["center_z_mm"]).all()
