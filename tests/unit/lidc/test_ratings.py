"""From readings and annotations to the table of ratings that a dataset reads."""

import numpy as np
import pandas as pd
import pytest
from dicom_files import slice_elements, write_ct
from pydicom.uid import CTImageStorage

from lungpipe.datasets.annotations import read_ratings
from lungpipe.datasets.scan import ScanError
from lungpipe.datasets.targets import collect_targets
from lungpipe.geometry import Grid
from lungpipe.lidc.ratings import RATING_COLUMNS, Anchors, rate_nodules, ratings_table, unrated, write_ratings
from lungpipe.lidc.scans import find_grids, label_image
from lungpipe.lidc.xml import parse_reading

GRID = Grid((6, 60, 60), (2.0, 0.5, 0.5), (-4.0, 100.0, 200.0))
MARKS = [(0.0, 5, 6), (2.0, 50, 40)]


@pytest.fixture
def readings(writing):
    """Three readers outline pixels 20..27 on the slice at z 0; the second one does not rate."""

    def session(*ratings):
        return writing.nodule("N", ratings, writing.roi("0", writing.square(20, 27)))

    points = "".join(writing.point(*mark) for mark in MARKS)
    first, third = session(4, 1, 6, 3, 5, 2, 1, 5, 2), session(5, 1, 3, 3, 5, 2, 1, 5, 4)
    return {"1.2": parse_reading(writing.message("1.2", first + points, session(), third), "a.xml")}


@pytest.fixture
def annotations():
    rows = [("1.2", 0.5, 111.7, 211.8, 5.0), ("1.2", 0.5, 120.0, 220.0, 5.0), ("1.9", 0.0, 0.0, 0.0, 5.0)]
    return pd.DataFrame(rows, columns=["series_uid", "center_z_mm", "center_y_mm", "center_x_mm", "diameter_mm"])


@pytest.fixture
def exclusions():
    rows = [("1.2", *GRID.to_world(((z + 4) / 2, y, x)).tolist(), -1.0) for z, y, x in MARKS]
    return pd.DataFrame(rows, columns=["series_uid", "center_z_mm", "center_y_mm", "center_x_mm", "diameter_mm"])


def test_the_nodule_under_the_annotation_gives_its_ratings(annotations, readings):
    rated = rate_nodules(annotations, readings, Anchors({"1.2": GRID}))
    (row,) = ratings_table(rated).to_dict("records")
    assert (row["seriesuid"], row["coordX"], row["coordY"], row["coordZ"]) == ("1.2", 211.8, 111.7, 0.5)
    assert (row["malignancy_ratings"], row["subtlety_ratings"], row["calcification_ratings"]) == ("2;4", "4;5", "6;3")
    assert row["position_source"] == "scan"
    assert row["internal_structure_ratings"] == row["internal_structure_ratings"].strip() != ""
    assert set(RATING_COLUMNS.values()) < set(row)


def test_excluded_findings_do_what_the_scan_does(annotations, readings, exclusions):
    placed = ratings_table(rate_nodules(annotations, readings, Anchors(exclusions=exclusions)))
    assert placed["position_source"].tolist() == ["exclusions"]
    by_scan = ratings_table(rate_nodules(annotations, readings, Anchors({"1.2": GRID}, exclusions)))
    assert by_scan["position_source"].tolist() == ["scan"]
    pd.testing.assert_frame_equal(*(table.drop(columns="position_source") for table in (placed, by_scan)))


def test_without_a_place_two_annotations_at_one_height_stay_unrated(annotations, readings):
    assert len(ratings_table(rate_nodules(annotations, readings, Anchors()))) == 0
    alone = rate_nodules(annotations[:1], readings, Anchors())
    assert ratings_table(alone)[["malignancy_ratings", "position_source"]].values.tolist() == [["2;4", "z"]]


def test_what_is_unrated_is_named_with_its_reason(annotations, readings):
    lines = list(unrated(rate_nodules(annotations, readings, Anchors({"1.2": GRID}))))
    assert lines == [
        "series 1.2, nodule at (220.0, 120.0, 0.5) mm: no reader rated a nodule there",
        "series 1.9, nodule at (0.0, 0.0, 0.0) mm: no reading of the series",
    ]
    assert "z alone does not tell" in next(unrated(rate_nodules(annotations, readings, Anchors())))


def test_the_table_is_what_a_dataset_reads(annotations, readings, tmp_path):
    write_ratings(rate_nodules(annotations, readings, Anchors({"1.2": GRID})), tmp_path / "nodule_ratings.csv")
    (row,) = read_ratings(tmp_path).to_dict("records")
    assert (row["series_uid"], row["center_x_mm"], row["malignancy_ratings"]) == ("1.2", 211.8, "2;4")


def test_labels_are_the_annotations_numbers(annotations, readings):
    rated = rate_nodules(annotations[::-1], readings, Anchors({"1.2": GRID}))
    labels = label_image(rated, "1.2", GRID)
    # behind the other annotation of the series, the nodule is the second
    assert np.argwhere(labels == 2).tolist() == [[2, y, x] for y in range(20, 28) for x in range(20, 28)]
    assert np.unique(labels).tolist() == [0, 2]


def write_slice(folder, number, name, **changes):
    folder.mkdir(parents=True, exist_ok=True)
    elements = slice_elements(number, "1.3", bytes(160)) | changes
    write_ct(folder / name, CTImageStorage, f"{elements['SeriesInstanceUID']}.{number}", elements)


def write_header(path, name):
    path.mkdir(parents=True, exist_ok=True)
    lines = ["NDims = 3", "DimSize = 4 3 2", "ElementType = MET_SHORT", "ElementSpacing = 0.5 0.5 2"]
    (path / f"{name}.mhd").write_text("\n".join([*lines, f"ElementDataFile = {name}.raw"]) + "\n")
    (path / f"{name}.raw").write_bytes(bytes(48))


def test_grids_are_found_in_subsets(tmp_path):
    write_header(tmp_path / "subset0", "1.2")
    write_header(tmp_path / "subset3", "1.3")
    grids = find_grids(tmp_path, {"1.3", "1.4"})
    assert grids == {"1.3": Grid((2, 3, 4), (2.0, 0.5, 0.5))}


@pytest.mark.parametrize("name", ["{}", "{}.dcm", "{}.DCM", "1.2.840.{}"])
def test_grids_are_found_in_slices_of_any_name(tmp_path, name):
    for number in range(6):
        write_slice(tmp_path / "LIDC-0001" / "study" / "series", number, name.format(number))
        write_slice(tmp_path / "LIDC-0002", number, name.format(number), SeriesInstanceUID="1.9")
    assert find_grids(tmp_path, {"1.3", "1.4"}) == {"1.3": Grid((6, 8, 10), (5.0, 5.0, 5.0))}


def test_headers_of_images_are_found_by_any_case(tmp_path):
    write_header(tmp_path / "subset0", "1.2")
    (tmp_path / "subset0" / "1.2.mhd").rename(tmp_path / "subset0" / "1.2.MHD")
    assert find_grids(tmp_path, {"1.2"}) == {"1.2": Grid((2, 3, 4), (2.0, 0.5, 0.5))}


def test_tilted_slices_are_no_grid_of_outlines(tmp_path):
    for number in range(6):
        at = [0.0, 1.0 * number, 5.0 * number]
        write_slice(tmp_path, number, f"{number}.dcm", ImagePositionPatient=at)
    with pytest.raises(
        ScanError, match=r"series 1\.3: expected slices straight above each other, found a tilted gantry"
    ):
        find_grids(tmp_path, {"1.3"})


def test_no_scan_of_the_series_is_refused(tmp_path):
    write_header(tmp_path / "subset0", "1.2")
    with pytest.raises(ScanError, match="expected scans of the 1 annotated series, found none"):
        find_grids(tmp_path, {"1.3"})
    with pytest.raises(ScanError, match="expected a folder with scans, found none"):
        find_grids(tmp_path / "absent", {"1.3"})


def test_targets_take_the_table_in_place_of_the_datasets_own(annotations, readings, tmp_path):
    root = tmp_path / "luna16"
    for subset, uid in enumerate(("1.2", "1.9")):
        write_header(root / f"subset{subset}", uid)
    luna16 = {"series_uid": "seriesuid", "center_x_mm": "coordX", "center_y_mm": "coordY", "center_z_mm": "coordZ"}
    annotations.rename(columns=luna16).to_csv(root / "annotations.csv", index=False)
    (root / "annotations_excluded.csv").write_text("seriesuid,coordX,coordY,coordZ,diameter_mm\n")
    write_ratings(rate_nodules(annotations, readings, Anchors({"1.2": GRID})), tmp_path / "ratings.csv")
    assert collect_targets(root, {"1.2": 0, "1.9": 1}).nodules["malignancy_ratings"].isna().all()
    rated = collect_targets(root, {"1.2": 0, "1.9": 1}, tmp_path / "ratings.csv").nodules["malignancy_ratings"]
    assert [None if value is None or value != value else value for value in rated] == ["2;4", None, None]
