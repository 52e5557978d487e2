import hashlib

import pandas as pd
import pytest

from lungpipe.evaluation.submission import (
    fingerprints,
    read_findings,
    read_series_list,
    read_submission,
    read_subsets,
    write_submission,
)
from lungpipe.tables.errors import InputError


@pytest.fixture
def written(tmp_path):
    def write(text, name="file.csv"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def test_a_submission_becomes_zyx_in_file_order(written):
    table = read_submission(written("seriesuid,coordX,coordY,coordZ,probability\nb,1,2,3,0.5\na,4,5,6,0.25\n"))
    assert list(table.columns) == ["series_uid", "center_z_mm", "center_y_mm", "center_x_mm", "probability"]
    assert table.to_numpy().tolist() == [["b", 3, 2, 1, 0.5], ["a", 6, 5, 4, 0.25]]


def test_a_submission_keeps_diameters_where_it_has_them(written):
    text = "seriesuid,coordX,coordY,coordZ,probability,diameter_mm\nb,1,2,3,0.5,7\n"
    assert read_submission(written(text))["diameter_mm"].tolist() == [7.0]


def test_findings_keep_negative_diameters_and_ratings(written):
    text = "seriesuid,coordX,coordY,coordZ,diameter_mm,malignancy_ratings\na,1,2,3,-1,4;5\n"
    table = read_findings(written(text))
    assert table["diameter_mm"].tolist() == [-1.0]
    assert table["malignancy_ratings"].tolist() == ["4;5"]


def test_a_submission_is_not_a_list_of_findings(written):
    with pytest.raises(InputError, match="column diameter_mm: expected"):
        read_findings(written("seriesuid,coordX,coordY,coordZ,probability\nb,1,2,3,0.5\n"))


@pytest.mark.parametrize(
    "text",
    [
        "1.2\n1.3\n",
        "1.2\r\n1.3",
        "1.2\n\n1.3 \n",
        "seriesuid\n1.2\n1.3\n",
        "seriesuid,patient_id\n1.2,p\n1.3,q\n",
        "SeriesInstanceUID\n1.2\n1.3\n",
        "patient,series_uid\np,1.2\nq,1.3\n",
        "UID\n1.2\n1.3\n",
        "Series_Instance_UID,\n1.2,\n1.3,\n",
        "seriesuid\n1.2,\n1.3,\n",
    ],
)
def test_the_list_of_scans_comes_with_or_without_header(written, text):
    assert read_series_list(written(text)) == ["1.2", "1.3"]


def test_a_table_that_names_its_column_may_hold_names_that_are_no_uids(written):
    assert read_series_list(written("seriesuid\na\nb\n")) == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "found an empty file"),
        ("seriesuid\n", "found none"),
        ("1.2\n1.3\n1.2\n", "found series 1.2 in row 1 and again"),
        ("1.2,1.3\n", "line 1: expected one series UID"),
        ("1.2\n1.3;1.4\n", "line 2: expected one series UID"),
        ("scan\n1.2\n1.3\n", r"line 1: expected one series UID or a header with seriesuid, found \['scan'\]"),
        ("# subset 0\n1.2\n1.3\n", "line 1: expected one series UID"),
        ("1.2\n# the rest\n1.3\n", "line 2: expected one series UID"),
        ("1.2\nseriesuid\n1.3\n", "line 2: expected one series UID"),
        ("1.2.mhd\n1.3.mhd\n", r"expected series UIDs, found '1\.2\.mhd', the name of a file \(2 such rows\)"),
        ("seriesuid\n1.2\n1.3.nii.gz\n", r"expected series UIDs, found '1\.3\.nii\.gz', the name of a file"),
        (
            "seriesuid\n# ten scans\n1.2\n",
            r"expected series UIDs, found '# ten scans' \(1 such rows\)",
        ),
        ("seriesuid\n1.2\n1.3\ntwo scans\n", r"expected series UIDs, found 'two scans' \(1 such rows\)"),
        ("seriesuid\n1.2\nseriesuid\n1.3\n", r"expected series UIDs, found 'seriesuid' \(1 such rows\)"),
    ],
)
def test_a_wrong_list_of_scans_is_refused(written, text, message):
    with pytest.raises(InputError, match=message):
        read_series_list(written(text))


def test_subsets_are_names(written):
    assert read_subsets(written("seriesuid,patient_id,subset\na,p,0\nb,q,7\n")) == {"a": "0", "b": "7"}


def test_a_written_submission_reads_back_bit_for_bit(tmp_path):
    columns = {"series_uid": ["a", "b"], "center_z_mm": [0.1, -2 / 3], "center_y_mm": [1e-7, 2.0]}
    table = pd.DataFrame({**columns, "center_x_mm": [-128.6994211, 3.0], "probability": [1 / 3, 0.999999999999]})
    path = tmp_path / "deep" / "submission.csv"
    write_submission(table.assign(fold=3), path)
    pd.testing.assert_frame_equal(read_submission(path), table, check_dtype=False)
    assert path.read_text().splitlines()[0] == "seriesuid,coordX,coordY,coordZ,probability"


def test_diameters_follow_where_they_are_asked_for(tmp_path):
    columns = {"series_uid": ["a"], "center_z_mm": [1.0], "center_y_mm": [2.0], "center_x_mm": [3.0]}
    table = pd.DataFrame({**columns, "probability": [0.5], "diameter_mm": [4.25]})
    write_submission(table, tmp_path / "official.csv")
    assert (tmp_path / "official.csv").read_text().splitlines()[1] == "a,3.0,2.0,1.0,0.5"
    write_submission(table, tmp_path / "own.csv", has_diameters=True)
    assert (tmp_path / "own.csv").read_text().splitlines() == [
        "seriesuid,coordX,coordY,coordZ,probability,diameter_mm",
        "a,3.0,2.0,1.0,0.5,4.25",
    ]


def test_fingerprints_name_each_file_and_its_hash(written):
    path = written("a\n", "list.csv")
    found = fingerprints({"series": path, "excluded": None})
    assert found == {"series": {"file": "list.csv", "sha256": hashlib.sha256(b"a\n").hexdigest()}}
