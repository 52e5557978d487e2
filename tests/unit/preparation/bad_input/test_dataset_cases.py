"""Tables and folders: a contradiction is refused before any work."""

import numpy as np
import pytest

from lungpipe.datasets.annotations import DatasetError
from lungpipe.datasets.luna16 import check_dataset, find_subsets, list_scans
from lungpipe.datasets.targets import collect_targets

MARKS = "seriesuid,coordX,coordY,coordZ,diameter_mm\n"
RATED = "seriesuid,coordX,coordY,coordZ,diameter_mm,malignancy_ratings\n"
GOOD = {
    "annotations.csv": MARKS + "1.2.1,22,17,12,6\n",
    "annotations_excluded.csv": MARKS + "1.2.2,22,17,12,-1\n1.2.2,22,17,12,-1\n",
}


def subsets_of(root, num_subsets):
    return find_subsets(root, {subset: list_scans(root, subset) for subset in range(num_subsets)})


def list_and_collect(root, num_subsets):
    return collect_targets(root, subsets_of(root, num_subsets))


@pytest.fixture
def root(subset):
    subset.write()
    for index in (1, 2):
        other = subset.folder / f"data/subset{index}"
        other.mkdir()
        (other / f"1.{index}.mhd").write_text(subset.text(f"1.{index}"))
        (other / f"1.{index}.raw").write_bytes(subset.data.read_bytes())
    for name, content in GOOD.items():
        (subset.folder / "data" / name).write_text(content)
    return subset.folder / "data"


def test_the_dataset_that_the_cases_break_is_good(root):
    check_dataset(root, 3)
    targets = collect_targets(root, subsets_of(root, 3))
    assert len(targets.nodules) == 1
    # LUNA16's own table of exclusions has rows twice, and unknown diameters
    assert targets.exclusions["diameter_mm"].tolist() == [-1.0, -1.0]


MARK = "annotations.csv"
# the table that is changed, its content, and the message behind the table's path
TABLES = {
    "unknown series": (
        MARK,
        MARKS + "1.2.1,22,17,12,6\n9.9,22,17,12,6\n",
        ", line 3: expected a series of the 4 in the subsets, found 9.9 (1 such rows)",
    ),
    "unknown series among the exclusions": (
        "annotations_excluded.csv",
        MARKS + "9.9,22,17,12,-1\n",
        ", line 2: expected a series of the 4 in the subsets, found 9.9 (1 such rows)",
    ),
    "unknown series among the ratings": (
        "nodule_ratings.csv",
        RATED + "9.9,22,17,12,6,5\n",
        ", line 2: expected a series of the 4 in the subsets, found 9.9 (1 such rows)",
    ),
    "series as a spreadsheet saves it": (
        MARK,
        MARKS + "1.36146E+59,22,17,12,6\n",
        ", line 2: expected a series of the 4 in the subsets, found 1.36146E+59 (1 such rows)",
    ),
    "no series": (MARK, MARKS + ",22,17,12,6\n", ", line 2, series : seriesuid: expected a series UID, found ''"),
    "diameter -1 of an annotation": (
        MARK,
        MARKS + "1.2.1,22,17,12,-1\n",
        ", line 2, series 1.2.1: diameter_mm: expected a positive diameter in mm, found -1",
    ),
    "negative diameter of an exclusion": (
        "annotations_excluded.csv",
        MARKS + "1.2.1,22,17,12,-2\n",
        ", line 2, series 1.2.1: diameter_mm: expected a positive diameter in mm or -1, found -2",
    ),
    "diameter of zero": (
        MARK,
        MARKS + "1.2.1,22,17,12,0\n",
        ", line 2, series 1.2.1: diameter_mm: expected a positive diameter in mm, found 0",
    ),
    "diameter in micrometres": (
        MARK,
        MARKS + "1.2.1,22,17,12,6000\n",
        ", line 2, series 1.2.1: diameter_mm: expected at most 200 mm, found 6000",
    ),
    "NaN diameter": (
        MARK,
        MARKS + "1.2.1,22,17,12,nan\n",
        ", line 2, series 1.2.1: diameter_mm: expected a finite number in mm, found 'nan'",
    ),
    "NaN coordinate": (
        MARK,
        MARKS + "1.2.1,22,NaN,12,6\n",
        ", line 2, series 1.2.1: coordY: expected a finite number in mm, found 'NaN'",
    ),
    "infinite coordinate": (
        MARK,
        MARKS + "1.2.1,22,17,inf,6\n",
        ", line 2, series 1.2.1: coordZ: expected a finite number in mm, found 'inf'",
    ),
    "empty coordinate": (
        MARK,
        MARKS + "1.2.1,,17,12,6\n",
        ", line 2, series 1.2.1: coordX: expected a finite number in mm, found ''",
    ),
    "coordinate in words": (
        MARK,
        MARKS + "1.2.1,22,17,twelve,6\n",
        ", line 2, series 1.2.1: coordZ: expected a finite number in mm, found 'twelve'",
    ),
    "decimal comma": (
        MARK,
        MARKS + "1.2.1,22,17,12,6,5\n",
        ", row 1 (line 2): expected 5 cells as in the header, found 6: ['1.2.1', ",
    ),
    "decimal comma in quotes": (
        MARK,
        MARKS + '1.2.1,"22,5",17,12,6\n',
        ", line 2, series 1.2.1: coordX: expected a finite number in mm, found '22,5'",
    ),
    # pandas would take the series for an index and shift every column by one
    "a comma behind every row": (
        MARK,
        MARKS + "1.2.1,22,17,12,6,\n",
        ", row 1 (line 2): expected 5 cells as in the header, found 6: ['1.2.1', ",
    ),
    "row cut short": (
        MARK,
        MARKS + "\n1.2.1,22,17,12,6\n1.2.1,22,17\n",
        ", row 2 (line 4): expected 5 cells as in the header, found 3: ['1.2.1', '22', '17']",
    ),
    "missing column": (
        MARK,
        "seriesuid,coordX,coordY,coordZ\n1.2.1,22,17,12\n",
        ", row 0 (the header), column diameter_mm: expected the columns seriesuid, coordZ, coordY, coordX, diameter_mm,"
        " each once, found seriesuid, coordX, coordY, coordZ",
    ),
    "column twice": (
        MARK,
        "seriesuid,coordX,coordY,coordZ,diameter_mm,diameter_mm\n1.2.1,22,17,12,6,7\n",
        ", row 0 (the header), column diameter_mm: expected the columns seriesuid, coordZ, coordY, coordX, diameter_mm,"
        " each once, found seriesuid, coordX, coordY, coordZ, diameter_mm, diameter_mm",
    ),
    "semicolons": (
        MARK,
        MARKS.replace(",", ";") + "1.2.1;22;17;12;6\n",
        ", row 0 (the header): expected columns separated by commas, found semicolons",
    ),
    "no header": (
        MARK,
        "1.2.1,22,17,12,6\n",
        ", row 0 (the header), column seriesuid: expected the columns seriesuid, coordZ, coordY, coordX, diameter_mm,"
        " each once, found 1.2.1, 22, 17, 12, 6",
    ),
    "empty file": (
        MARK,
        "",
        ": expected a header with the columns seriesuid, coordZ, coordY, coordX, diameter_mm, found an empty file",
    ),
    "another encoding": (
        MARK,
        MARKS.encode("utf-16"),
        ", after line 0: expected UTF-8 text, found other bytes (invalid start byte)",
    ),
    "open quotes": (
        MARK,
        MARKS + '"1.2.1,22,17,12,6\n',
        ", after line 1: expected rows of a CSV file, found: unexpected end of data",
    ),
    "nodule twice": (
        MARK,
        MARKS + "1.2.1,22,17,12,6\n1.2.1,22,17,12,6\n",
        ", line 3, series 1.2.1: expected a nodule once, found the one of line 2 again",
    ),
    "nodule twice, read by two readers": (
        MARK,
        MARKS + "1.2.1,10,17,12,6\n1.2.1,22,17,12,6\n1.2.1,22.5,17,12.5,7\n",
        ", line 4, series 1.2.1: expected a nodule once, found the one of line 3 again",
    ),
    "ratings of six": (
        "nodule_ratings.csv",
        RATED + "1.2.1,22,17,12,6,6\n",
        ", line 2, series 1.2.1: malignancy_ratings: expected ratings 1-5 with ';' between, found '6'",
    ),
    "ratings cut off": (
        "nodule_ratings.csv",
        RATED + "1.2.1,22,17,12,6\n",
        ", row 1 (line 2): expected 6 cells as in the header, found 5: ",
    ),
    "a series of two patients": (
        "series.csv",
        "seriesuid,patient_id\n1.2.1,A\n1.2.2,B\n1.2.1,B\n",
        ", line 4, series 1.2.1: patient_id: expected the patient of this series' first row, found 'B'",
    ),
    "a series of nobody": (
        "series.csv",
        "seriesuid,patient_id\n1.2.1,\n",
        ", line 2, series 1.2.1: patient_id: expected series and patient, found ''",
    ),
}


def refusal(root):
    """Check and collect; return the message after checking that both refuse with it."""
    messages = []
    for work in (check_dataset, list_and_collect):
        with pytest.raises(DatasetError) as caught:
            work(root, 3)
        messages.append(str(caught.value))
    assert messages[0] == messages[1]
    return messages[0]


@pytest.mark.parametrize("name", TABLES)
def test_malformed_table_is_refused(root, name):
    file, content, message = TABLES[name]
    (root / file).write_bytes(content if isinstance(content, bytes) else content.encode())
    assert refusal(root).startswith(f"{root / file}{message}")


@pytest.mark.parametrize("name", GOOD)
def test_missing_table_is_refused(root, name):
    (root / name).unlink()
    columns = "seriesuid, coordZ, coordY, coordX, diameter_mm"
    assert refusal(root) == f"{root / name}: expected a table with the columns {columns}, found no file"


RATINGS = {
    "without a nodule": (
        "1.2.1,22,17,13,6,5\n",
        ", line 2, series 1.2.1: expected an annotation within 0.01 mm, found the nearest 1.000 mm away",
    ),
    "of a series without nodules": (
        "1.2.2,22,17,12,6,5\n",
        ", line 2, series 1.2.2: expected an annotation within 0.01 mm, found none in the series",
    ),
    "twice for one nodule": (
        "1.2.1,22,17,12,6,5\n1.2.1,22,17,12,6,4\n",
        ", line 3, series 1.2.1: expected one row of ratings for a nodule, found two",
    ),
}


@pytest.mark.parametrize("name", RATINGS)
def test_ratings_that_fit_no_nodule_are_refused(root, name):
    rows, message = RATINGS[name]
    (root / "nodule_ratings.csv").write_text(RATED + rows)
    with pytest.raises(DatasetError) as caught:
        collect_targets(root, subsets_of(root, 3))
    assert str(caught.value) == f"{root}/nodule_ratings.csv{message}"


def test_series_in_two_subsets_is_refused(root):
    for ending in ("mhd", "raw"):
        (root / f"subset2/1.2.2.{ending}").write_bytes((root / f"subset0/1.2.2.{ending}").read_bytes())
    found = refusal(root)
    assert found == f"{root}: series 1.2.2: expected it in one subset, once, found it in subset0, subset2"


def test_series_in_two_files_is_refused(root):
    (root / "subset0/1.2.2.mha").write_bytes(b"")
    found = refusal(root)
    assert found == f"{root}: series 1.2.2: expected it in one subset, once, found it in subset0, subset0"


def test_two_headers_of_the_same_voxels_are_refused(root, subset):
    (root / "subset0/1.2.3.mhd").write_text(subset.text(ElementDataFile="1.2.2.raw"))
    found = refusal(root)
    assert found == f"{root}/subset0/1.2.2.raw: expected voxels of one series, found 1.2.2 and 1.2.3"


def test_missing_subset_folder_is_refused(root):
    (root / "subset1").rename(root / "subset01")
    assert refusal(root) == f"{root}/subset1: expected the folder of subset 1, found none"


def test_subset_that_was_unpacked_one_folder_too_deep_is_refused(root):
    (root / "subset2").rename(root / "deep")
    (root / "subset2").mkdir()
    (root / "deep").rename(root / "subset2/subset2")
    assert refusal(root) == f"{root}/subset2: expected scans (.mhd or .mha), found none"


def test_byte_order_mark_and_crlf_of_a_spreadsheet_are_read(root):
    text = MARKS.replace("\n", "\r\n") + "1.2.1, 22.5, 17, 12, 6\r\n"
    (root / "annotations.csv").write_bytes(text.encode("utf-8-sig"))
    nodules = collect_targets(root, subsets_of(root, 3)).nodules
    np.testing.assert_array_equal(nodules[["center_x_mm", "diameter_mm"]].to_numpy(), [[22.5, 6.0]])
